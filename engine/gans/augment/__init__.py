"""Adaptive discriminator augmentation (arXiv 2006.06676): the pipe of operations and the controller of their odds."""
