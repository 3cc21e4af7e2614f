"""Configs of a generator: its export, a pool of its images with a manifest, and the w nearest to a real image."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.configs.base import Config


class ExportConfig(Config):
    """Which snapshot becomes the generator of its training."""

    kind: Literal["export"] = "export"
    run: str
    """Id of the training run, or of an imported network."""
    snapshot: str = ""
    """Snapshot by file name or path; empty: the newest."""
    snapshot_sha256: str = ""
    """Hash of the snapshot; filled in when the run is submitted."""


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
    """One generator a class, or one class-conditional generator; or 2 to 5 of each that differ by the seed of their
    training alone, so that a sweep can tell their luck from a result."""
    images_per_class: int = Field(default=500, ge=1)
    """Images to sample for each class, from each of its generators."""
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


class ProjectionConfig(Config):
    """Which image to project into which generator."""

    kind: Literal["projection"] = "projection"
    generator: str
    """Id of a StyleGAN2-ADA training run or imported network."""
    generator_sha256: str = ""
    """Hash of its exported files; filled in when the run is submitted."""
    image: str
    """Path of the image; it is brought to the generator's size and mode as the data set's images were."""
    class_name: str = ""
    """Class of the image (conditional generators)."""
    steps: int = Field(default=1000, ge=1)
    """Optimisation steps."""
    seed: int = Field(default=303, ge=0)
    """Seed of the noise that the optimisation adds."""
    loss: Literal["auto", "lpips", "pixels"] = "auto"
    """lpips: perceptual distance (VGG16); pixels: pixel differences at several scales; auto: the former if here."""
    weights: str = ""
    """File with VGG16's weights for lpips; empty: looked for in ERSATZ_WEIGHTS, a package, the cache, then fetched."""
    video: bool = True
    """Keep a video of the optimisation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a CUDA GPU when there is one."""
