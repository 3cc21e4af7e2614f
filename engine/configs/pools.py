"""Configs of pools that no generator of this home makes: images from elsewhere, mixtures of pools, and controls.

They are runs of the kind `pool` like a pool that is sampled (`sampling.PoolConfig`), told apart by `origin`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from engine.configs.base import Config
from engine.configs.importing import ImportConfig, Layout
from engine.configs.sampling import PoolConfig

Control = Literal["held-back", "noise", "shuffled"]
LEFT_OUT = "-"
"""Stands for a class in `classes`: images with this label are left out."""


class ImportedPoolConfig(Config):
    """Synthetic images that were made elsewhere, by any generator, tool or hospital."""

    kind: Literal["pool"] = "pool"
    origin: Literal["imported"] = "imported"
    name: str = Field(min_length=1)
    """Name of the pool."""
    dataset: str
    """Data set that the images are to be evaluated on; they are brought to its size, colour and range of values."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    source: str = Field(min_length=1)
    """Folder with a folder for each class, ZIP, or CSV with labels."""
    classes: dict[str, str] = Field(default_factory=dict)
    """Labels or folder names as found -> classes of the data set; "-" leaves a label's images out."""
    only_classes: tuple[str, ...] = ()
    """Take only images with these labels, as found; empty: all."""
    class_name: str = ""
    """Class of all images, where the source has no folders or labels that say it."""
    trained_on: str = "unknown"
    """What the generator saw: a file with the SHA-256 of its real images, one a line (of decoded pixels, as in
    training_images.txt); `training`, where its makers declare that it was this data set's training part; or
    `unknown`."""
    trained_on_sha256: str = ""
    """Hash of that file; filled in when the run is submitted."""
    made_by: str = ""
    """What its makers declare: tool, version, settings, statement."""
    layout: Layout = "auto"
    """How the source is laid out; auto looks at it."""
    folders: str = ""
    """What the levels of folders stand for, as in an import."""
    csv: str = ""
    """CSV with the labels, when it does not lie in the source folder alone."""
    csv_encoding: str = ""
    """Encoding of the CSV; empty: UTF-8."""
    csv_header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first line of the CSV names the columns."""
    image_column: str = ""
    """CSV column with file names; empty: guessed."""
    label_column: str = ""
    """CSV column with the class; empty: guessed."""
    frames: Literal["ask", "first", "middle", "all"] = "ask"
    """Frames or slices to take of files that hold several."""
    every: int = Field(default=1, ge=1)
    """Of the frames or slices: every n-th."""
    mask_suffix: str = ""
    """What the names of masks end in; -: there are none."""
    max_pixels: int = Field(default=64_000_000, gt=0)
    """Largest width x height accepted of one source image."""
    skip_unreadable: bool = False
    """Leave out files that cannot be used and say which; without it, one such file stops the import."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.class_name and self.classes:
            raise ValueError("class_name is the class of all images, so that classes must be empty; give one of them")
        return self

    def reading(self, imported: dict[str, Any], size: int, mode: str) -> ImportConfig:
        """The settings by which the readers of imports take the source, with those of the data set's own import.

        `imported`: the settings of that import; `size` and `mode` are the stored form.
        """
        own = {name: imported[name] for name in ("resize", "window", "axis") if imported.get(name) is not None}
        same = (
            *("source", "layout", "folders", "csv", "csv_encoding", "csv_header", "image_column", "label_column"),
            *("frames", "every", "mask_suffix", "max_pixels", "skip_unreadable"),
        )
        values = {name: getattr(self, name) for name in same}
        # What only the splits and patients of real images need is neither asked nor guessed.
        none = {"split": "random", "group_column": "-", "split_column": "-", "ignore_ids": True}
        return ImportConfig.build({**own, **values, **none, "name": self.name, "size": size, "mode": mode})


class ControlPoolConfig(Config):
    """A pool whose effect is known beforehand, to see whether a sweep would notice: a control, never a result."""

    kind: Literal["pool"] = "pool"
    origin: Literal["control"] = "control"
    name: str = Field(min_length=1)
    """Name of the pool."""
    control: Control
    """held-back: real training images that the data set is then without (positive control); noise: noise with the grey
    values or colours of each class; shuffled: images of another pool with their labels shuffled (negative controls)."""
    dataset: str
    """Data set; for held-back images a data set without them is made of it, and the pool is for that one."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    pool: str = ""
    """Pool whose images get shuffled labels."""
    pool_sha256: str = ""
    """Hash of that pool's manifest; filled in when the run is submitted."""
    images_per_class: int = Field(default=0, ge=0)
    """Images of each class; 0: half of the training images (held-back), as many as these (noise), all (shuffled)."""
    seed: int = Field(default=0, ge=0)
    """Seed of what is drawn."""

    @model_validator(mode="after")
    def _of_a_pool(self) -> Self:
        if (self.control == "shuffled") != bool(self.pool):
            raise ValueError(
                "control shuffled takes the images of a pool, and the others take none; name a pool for shuffled alone"
            )
        return self


class PoolReference(Config):
    """A pool by run and by the hash of its manifest."""

    run: str
    """Id of the pool's run."""
    sha256: str = ""
    """Hash of its manifest; filled in when the run is submitted."""


class MixedPoolConfig(Config):
    """Images of several pools in fixed shares, as one pool."""

    kind: Literal["pool"] = "pool"
    origin: Literal["mixed"] = "mixed"
    name: str = Field(min_length=1)
    """Name of the pool."""
    dataset: str
    """Data set that all of them were made for."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    pools: tuple[PoolReference, ...] = Field(min_length=2)
    """The pools to mix."""
    shares: tuple[float, ...] = ()
    """Share of each pool, in their order; empty: equal ones."""
    images_per_class: int = Field(default=0, ge=0)
    """Images of each class; 0: as many as the shares allow."""
    seed: int = Field(default=0, ge=0)
    """Seed of which images of a pool are taken."""

    @model_validator(mode="after")
    def _shares_of_pools(self) -> Self:
        if len({pool.run for pool in self.pools}) < len(self.pools):
            raise ValueError("pools names one twice; different pools are expected")
        if self.shares and (len(self.shares) != len(self.pools) or min(self.shares) <= 0):
            raise ValueError(f"shares must be {len(self.pools)} numbers above 0, one for each pool")
        if self.shares and abs(sum(self.shares) - 1) > 1e-3:
            raise ValueError("shares must add up to 1")
        return self

    @property
    def parts(self) -> tuple[float, ...]:
        """The share of each pool; they add up to 1."""
        given = self.shares or (1.0,) * len(self.pools)
        return tuple(share / sum(given) for share in given)


AnyPoolConfig = PoolConfig | ImportedPoolConfig | ControlPoolConfig | MixedPoolConfig
POOL_CONFIGS: dict[str, type[Config]] = {
    "": PoolConfig,
    "imported": ImportedPoolConfig,
    "control": ControlPoolConfig,
    "mixed": MixedPoolConfig,
}
"""By `origin`; pools that are sampled here name none."""


def parse_pool(values: dict[str, Any]) -> Config:
    """The typed settings of a pool of any origin."""
    origin = values.get("origin", "")
    return POOL_CONFIGS.get(origin if isinstance(origin, str) else "", PoolConfig).build(values)


def usual_name(source: str) -> str:
    """A pool's name from the folder or file that it comes from."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).expanduser().resolve().stem).strip("-._")[:80] or "imported"
