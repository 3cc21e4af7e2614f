"""Small volumes and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from engine.datasets.reading.pictures.files import FilePicture
from engine.datasets.reading.tree import FolderTree

MAX = 10**6


def volume(seed: int = 0, shape: Sequence[int] = (6, 7, 5)) -> np.ndarray:
    """Random int16 `[x left to right, y back to front, z foot to head]`."""
    return np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.int16)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)
    return path


def picture(path: Path, **settings: Any) -> FilePicture:
    return FilePicture(FolderTree(path.parent), path.name, **settings)


def pixels(path: Path, frame: int = 0, **settings: Any) -> np.ndarray:
    return picture(path, **settings).of_frame(frame).decode(MAX).pixels


def by_hand(ras: np.ndarray, axis: str, frame: int) -> np.ndarray:
    """The slice as a radiologist sees it, pixel by pixel: the patient's right, or the front, on the left."""
    last = [length - 1 for length in ras.shape]
    width, height = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[axis]
    seen = np.empty((ras.shape[height], ras.shape[width]), np.float32)
    for row, column in np.ndindex(seen.shape):
        at = {
            "axial": (last[0] - column, last[1] - row, frame),
            "coronal": (last[0] - column, frame, last[2] - row),
            "sagittal": (frame, last[1] - column, last[2] - row),
        }[axis]
        seen[row, column] = ras[at]
    return seen
