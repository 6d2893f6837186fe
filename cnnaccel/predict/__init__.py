"""Predictions: the cycles and bytes of a program, and those of other engines."""
