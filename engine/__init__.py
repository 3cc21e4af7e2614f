"""Ersatz: do synthetic images help a classifier of a small medical image set, how many, and can they be trusted?"""

__version__ = "0.1.0"
