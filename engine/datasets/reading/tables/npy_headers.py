"""What the arrays of an `.npz` claim to be, read from their headers before any memory is taken for them."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np

from engine.store.errors import ErsatzError

_NO_HEADER = (RecursionError, MemoryError, OverflowError, TypeError, SyntaxError, TokenError)
"""What NumPy raises, beside ValueError, for a header that is none."""


def claimed_shapes(path: Path) -> dict[str, str]:
    """The shape of each array of a file by its name, as text such as `[120, 28, 28]`.

    Raises `ErsatzError` where an array claims more bytes than the file holds of it, and what `zipfile` raises for a
    damaged archive.
    """
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            with archive.open(entry) as file:
                try:
                    version = np.lib.format.read_magic(file)
                    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else _later
                    shape, _, dtype = read(file)
                except (
                    RecursionError,
                    MemoryError,
                    OverflowError,
                    TypeError,
                    SyntaxError,
                    TokenError,
                ) as error:  # a header that is no header
                    raise ValueError(f"{entry.filename} has no readable header") from error
            name = entry.filename.removesuffix(".npy")
            shapes[name] = "of Python objects" if dtype.hasobject else str(list(shape))
            if dtype.hasobject:
                continue
            if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > entry.file_size:
                raise ErsatzError(
                    f"{path} cannot be read: its array {name!r} says that it is {list(shape)} of {dtype}, and the file "
                    f"holds {entry.file_size} bytes of it; a whole array is expected. Download or save it again."
                )
    return shapes


_later = np.lib.format.read_array_header_2_0
"""Version 3.0 differs from it in the encoding of the names of fields alone."""
