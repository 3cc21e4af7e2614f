"""Scores of generated images: pure functions of feature arrays."""
