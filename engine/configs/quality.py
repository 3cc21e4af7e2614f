"""Configs of what is measured on generated images: a pool's quality, and the ranking of a training's snapshots."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.configs.base import Config

Extractor = Literal["auto", "inception", "dinov2", "resnet18", "resnet50", "efficientnet_b0", "efficientnet_b2",
                    "densenet121", "convnext_tiny", "vit_b_16", "pixels"]  # fmt: skip


class QualityConfig(Config):
    """Scores of a pool beside their floors, and the search for copies of training images in it."""

    kind: Literal["quality"] = "quality"
    name: str
    """Name of the check."""
    dataset: str
    """Data set that the pool was made for."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    pool: str
    """Id of the pool run."""
    pool_sha256: str = ""
    """Hash of the pool's images, whichever are excluded; filled in when the run is submitted."""
    extractor: Extractor = "auto"
    """Network whose features are compared; auto: the first of dinov2, inception and resnet50 whose weights are on this
    machine, else pixels (the images shrunk, which needs no weights)."""
    weights: str = ""
    """File with the extractor's weights; empty: looked for as for a sweep."""
    k: int = Field(default=5, ge=1)
    """Neighbours that span the balls of precision, recall, density and coverage."""
    copy_neighbours: int = Field(default=50, ge=2)
    """Neighbours behind the nearest that the copy ratio compares with."""
    pixel_shift: int = Field(default=2, ge=0)
    """Pixels by which a copy may be moved and is still found in the search by pixels; mirrored ones always are."""
    flag_quantile: float = Field(default=0.01, gt=0, lt=0.5)
    """Share of held-out real images that may be nearer to training images than a synthetic one before it is flagged."""
    exclude: Literal["nothing", "copies"] = "nothing"
    """Whether flagged copies leave the pool at the end (they stay on disk and in the manifest)."""
    seed: int = Field(default=0, ge=0)
    """Seed of resamples and random halves."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


class RankingConfig(Config):
    """KID of a training's snapshots against the validation images, to choose one."""

    kind: Literal["ranking"] = "ranking"
    run: str
    """Id of the training run."""
    images: int = Field(default=500, ge=10)
    """Images sampled from each snapshot."""
    snapshots: int = Field(default=0, ge=0)
    """Rank only the newest so many; 0: all."""
    extractor: Extractor = "auto"
    """Network whose features are compared, as for a quality run."""
    weights: str = ""
    """File with the extractor's weights; empty: looked for as for a sweep."""
    seed: int = Field(default=0, ge=0)
    """First seed of the sampled images, the same for every snapshot, and seed of the interval."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to sample and compute features."""
