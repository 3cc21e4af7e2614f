"""Config of a sweep: the classifier trained with growing shares of synthetic images, and its controls."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from engine.configs.base import Config

Arm = Literal["real", "real+classical", "real+duplicates", "real+synthetic"]


class SweepConfig(Config):
    """Arms, ratios and seeds of a sweep; every trial takes the same number of optimiser steps."""

    kind: Literal["sweep"] = "sweep"
    name: str
    """Name of the sweep."""
    dataset: str
    """Name of a frozen data set."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    pool: str
    """Id of the pool run with the synthetic images."""
    pool_sha256: str = ""
    """Hash of the pool's manifest; filled in when the run is submitted."""
    classifier: Literal["small-cnn", "resnet50"] = "small-cnn"
    """small-cnn: trained from scratch; resnet50: frozen ImageNet backbone with a trained head."""
    weights: str = ""
    """File with the backbone's weights; empty: looked for in ERSATZ_WEIGHTS, the torch hub cache, then downloaded."""
    arms: tuple[Arm, ...] = ("real", "real+classical", "real+duplicates", "real+synthetic")
    """What to compare; real is always needed, real+duplicates decides whether synthetic images help."""
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Synthetic images added per real training image of each class; 0 is the arm real."""
    seeds: int = Field(default=8, ge=2)
    """Paired repetitions; 8 can claim a difference, 3 are a quick look that claims nothing."""
    first_seed: int = Field(default=0, ge=0)
    """First of the consecutive seeds."""
    steps: int = Field(default=300, ge=1)
    """Optimiser steps of every trial."""
    batch: int = Field(default=32, ge=2)
    """Images per step."""
    lr: float = Field(default=3e-3, gt=0)
    """Learning rate (AdamW): 0.003 suits small-cnn, 0.001 was published for the frozen backbone."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled weight decay (AdamW)."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Dropout before the last layer."""
    validations: int = Field(default=10, ge=1)
    """Times that the validation set is read during a trial; the latest within a standard error of the best is used."""
    views: int = Field(default=8, ge=1)
    """Recorded random views per image that a frozen backbone sees in the arm real+classical."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA GPU when there is one."""

    @field_validator("ratios")
    @classmethod
    def _sensible_ratios(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if not ratios or any(not 0 < ratio <= 10 for ratio in ratios) or list(ratios) != sorted(set(ratios)):
            raise ValueError("expected growing, different shares above 0 and at most 10, such as 0.25, 0.5, 0.75, 1")
        return ratios

    @model_validator(mode="after")
    def _has_baseline(self) -> Self:
        if "real" not in self.arms:
            raise ValueError("arms must contain real: every other arm is compared with it")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms are named twice")
        return self
