"""The image to project: any file that an import reads becomes what the import would store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.projection.target import preparation, read_target
from engine.store.home import Home


def volume(seed: int) -> np.ndarray:
    """int16 `[24, 24, 5]`, each slice other random patches."""
    small = np.random.default_rng(seed).integers(-1000, 1000, (6, 6, 5), np.int16)
    return small.repeat(4, axis=0).repeat(4, axis=1)


def as_nifti(path: Path, voxels: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), f"{path}.nii.gz")


def as_pair(path: Path, voxels: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Pair(voxels, np.eye(4)), f"{path}.img")


def as_pages(path: Path, voxels: np.ndarray) -> None:
    tifffile.imwrite(f"{path}.tif", np.moveaxis(voxels, 2, 0), photometric="minisblack")


@pytest.mark.parametrize(
    ("write", "settings"),
    [
        (as_nifti, {"frames": "middle"}),
        (as_nifti, {"frames": "first", "axis": "coronal", "window": (0, 500)}),
        (as_pair, {"frames": "middle", "axis": "sagittal"}),
        (as_pages, {"frames": "middle"}),
        (as_pages, {"frames": "first"}),
    ],
)
def test_of_volumes_and_pages_the_slice_that_the_import_took(
    home: Home, tmp_path: Path, write: Any, settings: dict[str, Any]
) -> None:
    for number in range(8):
        folder = tmp_path / "set" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"p{number}", volume(number))
    values = {"name": "set", "source": str(tmp_path / "set"), "size": 16, "positive": "b", "freeze": False, **settings}
    dataset = import_dataset(home, ImportConfig.build(values))
    how = preparation(home, "set", 16, "L")
    for number in range(3):
        row = dataset.manifest.iloc[[number]]
        path = tmp_path / "set" / row["source"].item().split("#")[0]
        np.testing.assert_array_equal(read_target(path, how), dataset.pixels(row)[0])
