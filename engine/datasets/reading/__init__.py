"""Readers: folders, tables, ZIPs, arrays, pictures, volumes and DICOM, all made into the same `Item`s by `source`."""
