"""Configs of the runs that hold the settings of others: a dry run of a training, and a pipeline from import to verdict.

Run folders, the dashboard and the command line call a pipeline a journey; that name stays.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from engine.configs.base import Config
from engine.configs.gans import parse_training


class DryRunConfig(Config):
    """The training to try, and for how long."""

    kind: Literal["dry-run"] = "dry-run"
    training: dict[str, Any]
    """The complete config of the training."""
    iterations: int = Field(default=16, ge=1)
    """Iterations to measure: by default the longest interval of lazy regularisation, so that every phase counts."""

    @model_validator(mode="after")
    def _is_a_training(self) -> Self:
        parse_training(self.training)
        return self


class PipelineConfig(Config):
    """Which preset to run, on which files, with which changes."""

    kind: Literal["journey"] = "journey"
    preset: str = "demo"
    """Name of the preset."""
    source: str = ""
    """Folder or file with the data; empty: the preset's own (only the demo has one)."""
    gan: str = ""
    """GAN to train (dcgan, stylegan2-ada); empty: the one that the preset was published with."""
    protocol: Literal["both", "sound", "published"] = "both"
    """Sweep as published, as is sound, or both side by side; a preset that repeats nothing published has only sound."""
    folds: int = Field(default=0, ge=0, le=20)
    """Cross-validate with so many folds, each with generators of its own; 0: the data set's split, once."""
    generators: int = Field(default=1, ge=1, le=5)
    """Generators of each class, trained with seeds of their own, so that no verdict hangs on the luck of one."""
    size: Literal["", "auto", "full", "large", "medium", "small", "smallest"] = ""
    """How long trainings and trials are: auto measures the machine and takes the largest size that ends in `minutes`;
    empty: the preset's own lengths, nothing is measured."""
    minutes: float = Field(default=5.0, gt=0)
    """Minutes that a journey of the size auto should take."""
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Changed settings by step (import, train, pool, quality, sweep, published) and field."""
