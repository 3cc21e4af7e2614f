"""Projection of a real image into a StyleGAN2 generator: the w whose image comes nearest to it."""
