"""Config of a journey: a preset from import to verdict."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.configs.base import Config


class JourneyConfig(Config):
    """Which preset to run, on which files, with which changes."""

    kind: Literal["journey"] = "journey"
    preset: str = "demo"
    """Name of the preset."""
    source: str = ""
    """Folder or file with the data; empty: the preset's own (only the demo has one)."""
    gan: str = ""
    """GAN to train (dcgan, stylegan2-ada); empty: the one that the preset was published with."""
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Changed settings by step (import, train, pool, sweep) and field."""
