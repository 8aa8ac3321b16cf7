"""Reads caches: windows in any order, for NumPy, torch and TensorFlow."""
