"""The parts of compare.py: what is run (programs), by whom (peers), how (turns), what comes of it (figures, page)."""
