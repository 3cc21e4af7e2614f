"""What the folders of a source stand for: classes, splits, patients, masks."""
