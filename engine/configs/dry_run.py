"""Config of a dry run: what a training would cost, measured by a few of its iterations."""

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
