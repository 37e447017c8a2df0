print("tricolor")
