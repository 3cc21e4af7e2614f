"""Config of a projection: the w of a generator that comes nearest to a real image."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.configs.base import Config


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
