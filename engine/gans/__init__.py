"""Generative adversarial networks and their training loop (torch)."""
