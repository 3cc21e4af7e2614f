"""`pool.json`: for which data set a pool is, which generators make it and how, or where else its images come from."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field

from engine.datasets.dataset import Dataset
from engine.store.versioned import Result, Versioned

INFO_FILE = "pool.json"


class PoolGenerator(Result):
    """A generator of a pool, by run and by the hash of its exported files."""

    run: str
    sha256: str
    classes: tuple[str, ...]
    """What it can make, whether the pool wants it or not."""


CONTROLS = {"held-back": "held-back real images", "noise": "noise images", "shuffled": "label-shuffled images"}
"""What the images of a control are called in sentences, in place of synthetic images."""


class PoolParent(Result):
    """A pool whose images are in this one."""

    run: str
    name: str
    sha256: str
    """Of its manifest."""
    share: float = 1.0


class PoolOrigin(Result):
    """Where the images of a pool come from that was not sampled from generators of this home."""

    kind: Literal["imported", "mixed", "held-back", "noise", "shuffled"]
    trained_on: Literal["recorded", "hashes", "training", "unknown"]
    """What is known of the real images that the generators saw: `recorded` here; `hashes` and `training` as the makers
    declare; `unknown`."""
    made_by: str = ""
    """What the makers declare, in their words."""
    source: str = ""
    """Where the images were read."""
    parents: tuple[PoolParent, ...] = ()
    found: tuple[str, ...] = ()
    """What was found in the images when they came, in sentences."""
    seed: int = 0


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
    origin: PoolOrigin | None = None
    """Of images that were not sampled from generators of this home."""
    training_sha256: str = ""
    """Of the pool's list of real images that the generators saw; empty in pools of before."""

    @classmethod
    def made_for(cls, dataset: Dataset, **values: Any) -> Self:
        """Of a pool whose images have the form of the data set's, pinned to the split that it has now."""
        form = {"size": dataset.size, "channels": dataset.channels, "mode": dataset.mode}
        return cls(dataset=dataset.name, dataset_fingerprint=dataset.fingerprint, **form, **values)

    @property
    def control(self) -> str:
        """What the images of a control are called; empty: they are no control."""
        return CONTROLS.get(self.origin.kind, "") if self.origin else ""

    @property
    def unknown_training(self) -> bool:
        """Whether nobody here knows what real images the generators saw."""
        return self.origin is not None and self.origin.trained_on == "unknown"

    @property
    def declared_training(self) -> bool:
        """Whether what the generators saw is known from their makers' declaration alone."""
        return self.origin is not None and self.origin.trained_on in ("hashes", "training")
