"""The typed configs of every kind of run: one source for the command line, the pages and `config.json`."""

from __future__ import annotations

from engine.configs.base import Config
from engine.configs.dry_run import DryRunConfig
from engine.configs.gans import parse_training
from engine.configs.importing import ImportConfig
from engine.configs.network import NetworkConfig
from engine.configs.pipeline import PipelineConfig
from engine.configs.pool import GeneratorReference, PoolConfig
from engine.configs.projection import ProjectionConfig
from engine.configs.quality import QualityConfig, RankingConfig
from engine.configs.stylegan2 import StyleganConfig
from engine.configs.sweep import Fold, SweepConfig
from engine.configs.train import DcganConfig, TrainConfig

__all__ = [
    "Config",
    "DcganConfig",
    "DryRunConfig",
    "Fold",
    "GeneratorReference",
    "ImportConfig",
    "NetworkConfig",
    "PipelineConfig",
    "PoolConfig",
    "ProjectionConfig",
    "QualityConfig",
    "RankingConfig",
    "StyleganConfig",
    "SweepConfig",
    "TrainConfig",
    "parse_training",
]
