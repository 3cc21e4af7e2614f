"""`pool.json`: for which data set a pool is, which generators make it, and how they are sampled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.store.versioned import Result, Versioned

INFO_FILE = "pool.json"


class PoolGenerator(Result):
    """A generator of a pool, by run and by the hash of its exported files."""

    run: str
    sha256: str
    classes: tuple[str, ...]
    """What it can make, whether the pool wants it or not."""


class PoolInfo(Versioned):
    """The content of `pool.json`; pools from before there was truncation were sampled without."""

    name: str
    dataset: str
    dataset_fingerprint: str = Field(min_length=1)
    """Hash of the frozen split that the generators saw; a pool is always pinned to one."""
    size: int
    channels: int
    mode: Literal["L", "RGB"]
    classes: tuple[str, ...]
    """The classes that the pool holds."""
    generators: tuple[PoolGenerator, ...]
    psi: float = 1.0
    psi_cutoff: int = 0
    noise: Literal["const", "random", "none"] = "const"
