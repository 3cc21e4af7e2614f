"""One file for each publication that is repeated here: its settings, what it reported, its head and augmentation."""
