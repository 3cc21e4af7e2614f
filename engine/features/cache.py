"""Features computed once: a cache on disk, keyed by image, weights and preprocessing.

<home>/cache/features/<backbone>-<hash of weights and preprocessing>.sqlite
    features(key, value)   key: SHA-256 of the stored pixels, plus "/<seed>" for a random view; value: float32 [D]

SQLite lets several processes read and write at once; the first write of a key wins, and all writes of it are equal.
The file is safe to delete.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.features.backbones import BATCH, Backbone
from engine.features.classical import view_seed
from engine.store import databases, disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors, set_aside
from engine.store.hashing import sha256_value
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.progress import Progress, Report, ShouldStop, never, silent

STEP = 4 * BATCH
WAIT_S = 60.0
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Of a file that is no cache: half of one, something else, or one with other tables."""

logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """The run was asked to stop while features were computed; what was computed stays in the cache."""


class _Damaged(ErsatzError):
    """The file is no cache, or half of one."""


@dataclass(frozen=True)
class FeatureCache:
    """The features of one backbone below the home's `cache/`."""

    home: Home
    backbone: Backbone

    @property
    def path(self) -> Path:
        digest = sha256_value([self.backbone.weights_sha256, self.backbone.preprocessing])
        return self.home.cache / "features" / f"{self.backbone.name}-{digest[:16]}.sqlite"

    def features(
        self,
        images: np.ndarray,
        hashes: Sequence[str],
        views: int = 0,
        report: Report = silent,
        should_stop: ShouldStop = never,
        policy: str = "head-ct",
    ) -> np.ndarray:
        """Features of images uint8 `[N, H, W, C]` whose pixel hashes are given; only what is missing is computed.

        Returns `[N, D]` float32, or `[N, views, D]` of the recorded random views, drawn as the
        `policy` of classical augmentation says, when `views` is above 0.
        Raises `Interrupted` when `should_stop` says so; `report` counts images (or views).
        """
        try:
            return self._features(images, hashes, views, report, should_stop, policy)
        except _Damaged:
            self._set_aside()
            return self._features(images, hashes, views, report, should_stop, policy)

    def _features(
        self,
        images: np.ndarray,
        hashes: Sequence[str],
        views: int,
        report: Report,
        should_stop: ShouldStop,
        policy: str,
    ) -> np.ndarray:
        seeds = [view_seed(sha, view, policy) for sha in hashes for view in range(views)]
        per_image = max(1, views)
        keys = (
            [f"{sha}/{seed}" for sha, seed in zip(np.repeat(hashes, per_image), seeds, strict=True)]
            if views
            else list(hashes)
        )
        out = np.empty((len(keys), self.backbone.dim), np.float32)
        with self._open() as db:
            known = self._read(db, keys)
        first = {key: row for row, key in reversed(list(enumerate(keys)))}  # copies are computed once
        missing = sorted(row for key, row in first.items() if key not in known)
        for start in range(0, len(missing), STEP):
            if should_stop():
                raise Interrupted
            report(Progress("features", start, len(missing), "views" if views else "images"))
            rows = missing[start : start + STEP]
            part = images[np.asarray(rows) // per_image]
            seen = ([seeds[row] for row in rows], policy) if views else ()
            values = self.backbone.features(part, *seen)
            fresh = {keys[row]: value for row, value in zip(rows, values, strict=True)}
            with self._open() as db, db:  # open for one transaction, since others may have to wait until it is closed
                db.executemany(
                    "INSERT OR REPLACE INTO features VALUES (?, ?)", [(k, v.tobytes()) for k, v in fresh.items()]
                )
            known.update(fresh)
        for row, key in enumerate(keys):
            out[row] = known[key]
        return out.reshape(len(images), views, -1) if views else out

    def _set_aside(self) -> None:
        """Give a damaged file another name, unless another process has just done so; what was in it is made again."""
        with FileLock(self.home.locks / f"features-{self.path.stem}"):
            with suppress(_Damaged), self._open() as db:
                if db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                    return
            aside = set_aside(self.path)
            for suffix in databases.SIDE_FILES[1:]:
                disk.remove(self.path.with_name(self.path.name + suffix))
            logger.warning(f"The feature cache {self.path} was damaged and is kept as {aside.name}; it is made again.")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with disk_errors(self.path):
            disk.make_folder(self.path.parent)
            try:
                with closing(self._connect()) as db:
                    yield db
            except sqlite3.DatabaseError as error:
                if "full" in str(error):
                    raise OSError(errno.ENOSPC, "disk full") from error
                if self.path.is_dir() or getattr(error, "sqlite_errorcode", None) in DAMAGED:
                    raise _Damaged(
                        f"The feature cache {self.path} is damaged ({error}); a SQLite file was expected. "
                        "Delete it and start again: it is computed anew."
                    ) from error
                raise ErsatzError(
                    f"The feature cache {self.path} cannot be used ({error}); a file that can be written is expected. "
                    "Mend its permissions, or end the program that holds it, and start again."
                ) from error

    def _connect(self) -> sqlite3.Connection:
        db = databases.connect(self.home, self.path, WAIT_S)
        try:
            db.execute(f"PRAGMA journal_mode = {databases.journal_mode(self.home)}")
            db.execute("CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, value BLOB)")
        except BaseException:
            db.close()
            raise
        return db

    def _read(self, db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, np.ndarray]:
        known: dict[str, np.ndarray] = {}
        for start in range(0, len(keys), 500):  # SQLite limits the number of parameters
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            for key, value in db.execute(f"SELECT key, value FROM features WHERE key IN ({marks})", part):
                if isinstance(value, bytes) and len(value) == 4 * self.backbone.dim:
                    known[key] = np.frombuffer(value, np.float32)
        return known
