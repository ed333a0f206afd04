"""Numerics with a paper behind each file: e-values, confidence sequences, day effects. NumPy and SciPy only."""
