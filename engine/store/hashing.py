"""SHA-256 of files, arrays and plain values: the names by which artefacts know their parents."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_pixels(pixels: np.ndarray) -> str:
    """Hex digest of decoded pixels `[H, W]` or `[H, W, C]`, the shape and type included."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def sha256_value(value: Any) -> str:
    """Hex digest of a JSON-able value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
