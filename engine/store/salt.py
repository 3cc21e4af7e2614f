"""The salt of a home: random, made once, so that ids hashed with it cannot be found out by hashing guesses."""

from __future__ import annotations

import secrets
from pathlib import Path

from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.home import Home
from engine.store.locks import FileLock

BYTES = 32


def salt_of(home: Home) -> bytes:
    """The salt, made on the first call and the same for every process from then on; only its owner can read it.

    Raises `ErsatzError` when its file is damaged: another salt would give the same patient a second name.
    """
    path = home.root / "salt"
    if not path.exists():
        with FileLock(home.locks / "salt"):
            if not path.exists():  # another process was not quicker
                with replacing(path) as temporary:
                    temporary.chmod(0o600)
                    temporary.write_text(secrets.token_hex(BYTES) + "\n")
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        salt = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise ErsatzError(
            f"{path} cannot be read ({error}); the salt of this home is expected there. Restore it from a backup and "
            "let the owner of the home read it."
        ) from error
    if len(salt) != BYTES:
        raise ErsatzError(
            f"{path} holds {len(salt)} bytes; {BYTES} are expected. Restore it from a backup, or delete it: patients "
            "of data sets imported from then on get other names."
        )
    return salt
