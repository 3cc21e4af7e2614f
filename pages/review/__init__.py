"""The views of the Review page."""
