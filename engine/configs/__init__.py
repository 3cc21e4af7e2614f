"""The typed configs of every kind of run: one source for the command line, the pages and `config.json`."""

from __future__ import annotations

from typing import Any

from engine.configs.base import Config
from engine.configs.dry_run import DryRunConfig
from engine.configs.importing import ImportConfig
from engine.configs.journey import JourneyConfig
from engine.configs.network import NetworkConfig
from engine.configs.pool import GeneratorReference, PoolConfig
from engine.configs.projection import ProjectionConfig
from engine.configs.quality import QualityConfig, RankingConfig
from engine.configs.stylegan2 import StyleganConfig
from engine.configs.sweep import Fold, SweepConfig
from engine.configs.train import DcganConfig, TrainConfig
from engine.configs.training import GANS, TrainingConfig, parse_training
from engine.store.errors import ErsatzError

CONFIGS: dict[str, type[Config]] = {
    "import": ImportConfig,
    "train": TrainConfig,
    "dry-run": DryRunConfig,
    "network": NetworkConfig,
    "projection": ProjectionConfig,
    "pool": PoolConfig,
    "quality": QualityConfig,
    "ranking": RankingConfig,
    "sweep": SweepConfig,
    "journey": JourneyConfig,
}

__all__ = [
    "CONFIGS",
    "GANS",
    "Config",
    "DcganConfig",
    "DryRunConfig",
    "Fold",
    "GeneratorReference",
    "ImportConfig",
    "JourneyConfig",
    "NetworkConfig",
    "PoolConfig",
    "ProjectionConfig",
    "QualityConfig",
    "RankingConfig",
    "StyleganConfig",
    "SweepConfig",
    "TrainConfig",
    "TrainingConfig",
    "parse_config",
    "parse_training",
]


def parse_config(values: dict[str, Any]) -> Config:
    """The typed config of a run's `config.json`."""
    kind = values.get("kind")
    if kind not in CONFIGS:
        raise ErsatzError(f"The kind of run is {kind!r}; expected one of {', '.join(CONFIGS)}.")
    return parse_training(values) if kind == "train" else CONFIGS[kind].build(values)
