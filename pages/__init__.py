"""The dashboard: a folder for each page, what they share in `components`, and the `entrance` before them."""
