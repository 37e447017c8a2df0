// Tricolor
