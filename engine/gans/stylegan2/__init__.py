"""StyleGAN2-ADA: networks, losses, and one iteration of their game."""
