"""Config of a pool: synthetic images with a manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.configs.base import Config


class GeneratorReference(Config):
    """A generator by run and by the hash of its exported file."""

    run: str
    """Id of the training run."""
    sha256: str = ""
    """Hash of its exported files; filled in when the run is submitted."""


class PoolConfig(Config):
    """How many images to sample from which generators."""

    kind: Literal["pool"] = "pool"
    name: str
    """Name of the pool."""
    dataset: str
    """Data set whose training split the generators saw."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    generators: tuple[GeneratorReference, ...]
    """One generator a class, or one class-conditional generator."""
    images_per_class: int = Field(default=500, ge=1)
    """Images to sample for each class."""
    only_classes: tuple[str, ...] = ()
    """Sample these classes only (for a top-up); empty: every class of the data set."""
    first_seed: int = Field(default=0, ge=0)
    """Seed of the first image; the following count up."""
    psi: float = Field(default=1.0, ge=0, le=2)
    """Truncation of StyleGAN2 generators: below 1 typical images, less varied; 1 as trained."""
    psi_cutoff: int = Field(default=0, ge=0)
    """Truncate only this many of the first layers; 0: all."""
    noise: Literal["const", "random", "none"] = "const"
    """Noise planes of StyleGAN2 generators: fixed, drawn from each seed, or none."""
    batch: int = Field(default=64, ge=1)
    """Images sampled at once."""
