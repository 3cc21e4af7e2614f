"""Readers: folders, CSV files, ZIPs, .npz files and DICOM, all made into the same `Item`s."""
