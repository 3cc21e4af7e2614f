"""Convolutions, resampling and their epilogues: what the networks compute with, by torch and by Triton."""
