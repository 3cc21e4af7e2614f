"""Configs are complete, frozen, and name the wrong field in their one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from engine.configs import (
    DcganConfig,
    DryRunConfig,
    ImportConfig,
    NetworkConfig,
    PipelineConfig,
    PoolConfig,
    ProjectionConfig,
    StyleganConfig,
    SweepConfig,
)
from engine.jobs.kinds import parse_config
from engine.store.errors import ErsatzError

MINIMAL = [
    ImportConfig(name="a", source="/data", split_counts=(3, 2, 1), class_names={"0": "normal"}),
    DcganConfig(dataset="a", class_name="bleed"),
    StyleganConfig(dataset="a", conditional=True, metrics=("kid",), cfg="paper256").completed(256),
    DryRunConfig(training={"gan": "stylegan2-ada", "dataset": "a"}),
    NetworkConfig(name="a", source="/a.pkl"),
    ProjectionConfig(generator="r", image="/a.png"),
    PoolConfig(name="a", dataset="a", generators=({"run": "r"},)),  # type: ignore[arg-type]
    SweepConfig(name="a", dataset="a", pool="p"),
    PipelineConfig(overrides={"train": {"kimg": 1}}),
]


@pytest.mark.parametrize("config", MINIMAL, ids=lambda config: config.kind)
def test_config_survives_its_file(config: DcganConfig) -> None:
    assert parse_config(json.loads(json.dumps(config.plain()))) == config


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: DcganConfig.build({"dataset": "a", "batch": 0}), "batch is 0"),
        (lambda: DcganConfig.build({"dataset": "a", "bach": 8}), "bach is 8"),
        (lambda: DcganConfig.build({}), "dataset: Field required"),
        (lambda: DcganConfig.build({"dataset": "a", "class_name": "b", "conditional": True}), "leave class_name empty"),
        (lambda: StyleganConfig.build({"dataset": "a", "batch": 6, "gpus": 4}), "shared evenly by 4 gpus"),
        (lambda: StyleganConfig.build({"dataset": "a", "batch": 6}), "groups of mbstd_group 4"),
        (lambda: StyleganConfig.build({"dataset": "a", "batch": 8, "batch_gpu": 3}), "pieces of batch_gpu 3"),
        (lambda: StyleganConfig.build({"dataset": "a", "aug": "fixed"}), "aug fixed needs aug_p"),
        (lambda: StyleganConfig.build({"dataset": "a", "aug_p": 0.5}), "aug_p is for aug fixed"),
        (lambda: DryRunConfig.build({"training": {"gan": "biggan"}}), "gan is 'biggan'"),
        (lambda: SweepConfig.build({"name": "a", "dataset": "b", "pool": "c", "ratios": (1, 0.5)}), "ratios is"),
        (
            lambda: SweepConfig.build({"name": "a", "dataset": "b", "pool": "c", "primary_ratio": 0.3}),
            "primary_ratio is 0.3, which is none of the ratios 0.25, 0.5, 0.75, 1 of real\\+synthetic",
        ),
        (lambda: SweepConfig.build({"name": "a", "dataset": "b", "pool": "c", "margin": 2}), "margin is"),
        (
            lambda: SweepConfig.build({"name": "a", "dataset": "b", "pool": "c", "arms": ("real+synthetic",)}),
            "contain real",
        ),
        (lambda: ImportConfig.build({"name": "a"}), "source is empty"),
        (lambda: ImportConfig.build({"name": "a", "source": "b", "train_share": 0.9}), "room for a test set"),
        (lambda: parse_config({"kind": "quiz"}), "kind of run is 'quiz'"),
    ],
)
def test_wrong_settings_are_named(build: Callable[[], object], expected: str) -> None:
    with pytest.raises(ErsatzError, match=expected):
        build()


def test_a_configuration_fills_in_what_is_not_set() -> None:
    """The table of the published configurations for one GPU, and the chest-CT run's own settings."""
    for size, batch, gamma in ((64, 32, 0.0256), (128, 32, 0.1024), (256, 16, 0.8192), (512, 8, 6.5536)):
        config = StyleganConfig(dataset="a").completed(size)
        assert (config.batch, config.batch_gpu) == (batch, batch)
        assert config.gamma == pytest.approx(gamma)
        assert (config.mapping_layers, config.ema_ramp) == (2, 0.05)
        assert config.channel_base == (32768 if size >= 512 else 16384)
    large = StyleganConfig(dataset="a").completed(1024)
    assert (large.batch, large.gamma, large.g_lr) == (4, pytest.approx(52.4288), 0.002)
    paper = StyleganConfig(dataset="a", cfg="paper512").completed(512)
    assert (paper.batch, paper.batch_gpu, paper.mbstd_group, paper.gamma) == (64, 8, 8, 0.5)
    cifar = StyleganConfig(dataset="a", cfg="cifar", gpus=2).completed(32)
    assert (cifar.batch_gpu, cifar.d_architecture, cifar.pl_weight, cifar.style_mixing) == (32, "orig", 0, 0)
    own = StyleganConfig(dataset="a", cfg="stylegan2", batch=8, gamma=50).completed(256)
    assert (own.batch, own.batch_gpu, own.gamma, own.channel_base, own.mapping_layers) == (8, 0, 50, 32768, 8)
    assert own.completed(1024) == own


def test_training_from_another_network_adapts_faster() -> None:
    config = StyleganConfig(dataset="a", start_from="r").completed(64)
    assert (config.ada_kimg, config.ema_ramp) == (100, 0)
    assert StyleganConfig(dataset="a", start_from="r", ada_kimg=300).completed(64).ada_kimg == 300
