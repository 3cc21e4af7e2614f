"""DCGAN: its two published forms, their losses, and one iteration of their game."""
