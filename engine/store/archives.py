"""ZIP archives that come from outside."""

from __future__ import annotations

import struct
import zipfile
import zlib

ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, ValueError, RuntimeError, IndexError, OverflowError),
)
"""What `zipfile` raises for damaged archives: among the ValueErrors a name that is no UTF-8 although it says so, here
or in front of its entry; among the RuntimeErrors a password."""
