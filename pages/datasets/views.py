"""The views of the Datasets page, by their word in the URL."""

from __future__ import annotations

PARTS = {
    "facts": "Facts",
    "findings": "Findings",
    "images": "Images",
    "map": "Map",
    "split": "Split",
    "folds": "Cross-validation",
}
"""Views of one data set."""
ALL, IMPORT = "all", "import"
