"""The typed configs of every kind of run: one source for the command line, the pages and `config.json`."""

from __future__ import annotations

from typing import Any

from engine.configs.base import Config
from engine.configs.importing import ImportConfig
from engine.configs.journey import JourneyConfig
from engine.configs.pool import GeneratorReference, PoolConfig
from engine.configs.sweep import SweepConfig
from engine.configs.train import DcganConfig
from engine.store.errors import ErsatzError

CONFIGS: dict[str, type[Config]] = {
    "import": ImportConfig,
    "train": DcganConfig,
    "pool": PoolConfig,
    "sweep": SweepConfig,
    "journey": JourneyConfig,
}

__all__ = [
    "CONFIGS",
    "Config",
    "DcganConfig",
    "GeneratorReference",
    "ImportConfig",
    "JourneyConfig",
    "PoolConfig",
    "SweepConfig",
    "parse_config",
]


def parse_config(values: dict[str, Any]) -> Config:
    """The typed config of a run's `config.json`."""
    kind = values.get("kind")
    if kind not in CONFIGS:
        raise ErsatzError(f"The kind of run is {kind!r}; expected one of {', '.join(CONFIGS)}.")
    return CONFIGS[kind].build(values)
