"""DICOM files: from the bytes of one to its values, its window and what it says of its patient."""
