"""The typed configs of every kind of run: one source for the command line, the pages and `config.json`."""

from __future__ import annotations

from engine.configs.base import Config
from engine.configs.evaluation import FeatureMapConfig, Fold, QualityConfig, RankingConfig, SweepConfig
from engine.configs.gans import parse_training
from engine.configs.importing import ImportConfig
from engine.configs.pipeline import DryRunConfig, PipelineConfig
from engine.configs.sampling import ExportConfig, GeneratorReference, PoolConfig, ProjectionConfig
from engine.configs.stylegan2 import StyleganConfig
from engine.configs.training import DcganConfig, NetworkConfig, TrainConfig

__all__ = [
    "Config",
    "DcganConfig",
    "DryRunConfig",
    "ExportConfig",
    "FeatureMapConfig",
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
