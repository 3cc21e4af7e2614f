"""Errors that Ersatz does not know: one sentence for a person, and the stack trace in a file for whoever mends it.

<home>/errors/<time>-<random>.txt    the newest `KEPT`; what ended a run is in the run's `log.txt` instead
"""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import time
import traceback
from pathlib import Path

from engine.store import disk
from engine.store.deleting import listed
from engine.store.errors import ErsatzError
from engine.store.files import write_text
from engine.store.home import Home
from engine.store.read_only import read_only

FOLDER = "errors"
KEPT = 50
LONGEST = 200
"""Letters of an error's own words in the sentence."""
OF_THE_DISK = {
    number: os.strerror(number)
    for number in (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    )
}
"""What is wrong with a folder, and not with this program."""


def of_the_disk(error: BaseException) -> ErsatzError | None:
    """The one sentence for a file or folder that cannot be used as it is; None for other errors."""
    if not isinstance(error, OSError) or error.errno not in OF_THE_DISK:
        return None
    where = error.filename or Home.from_environment().root
    return ErsatzError(
        f"{where} cannot be used ({OF_THE_DISK[error.errno]}); a folder and files that this user may read and write "
        "are expected. Mend its permissions, free some space, or choose another home with ERSATZ_HOME."
    )


def recorded(home: Home, error: BaseException, where: str) -> tuple[str, Path | None]:
    """Keep the stack trace; a sentence without it, and the file that has it (None: it could not be kept anywhere)."""
    path = _kept(home, f"{where}\n\n{''.join(traceback.format_exception(error))}")
    told = " ".join(f"{type(error).__name__}: {error}".split())
    told = told if len(told) <= LONGEST else f"{told[:LONGEST]}..."
    return f"Something went wrong that Ersatz does not know ({told}). Nothing that was finished is lost.", path


def error_files(home: Home) -> list[Path]:
    """The stack traces that were kept, the newest first."""
    return [path for path in reversed(list(listed(home.root / FOLDER))) if path.suffix == ".txt"]


def _kept(home: Home, content: str) -> Path | None:
    if read_only():
        return None  # visitors must not fill a disk; the server's own log has it
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}.txt"
    for folder in (home.root / FOLDER, Path(tempfile.gettempdir())):  # the home may be what is broken
        try:
            write_text(folder / name, content)
        except (ErsatzError, OSError):
            continue
        if folder == home.root / FOLDER:
            for old in error_files(home)[KEPT:]:
                disk.remove(old)
        return folder / name
    return None
