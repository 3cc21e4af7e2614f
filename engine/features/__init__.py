"""Pretrained backbones and the cache of their features (torch, torchvision)."""
