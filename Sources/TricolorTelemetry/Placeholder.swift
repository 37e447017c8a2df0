// TricolorTelemetry
