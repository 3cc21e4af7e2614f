"""Configs are complete, frozen, and name the wrong field in their one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from engine.configs import DcganConfig, ImportConfig, JourneyConfig, PoolConfig, SweepConfig, parse_config
from engine.store.errors import ErsatzError

MINIMAL = [
    ImportConfig(name="a", source="/data", split_counts=(3, 2, 1), class_names={"0": "normal"}),
    DcganConfig(dataset="a", class_name="bleed"),
    PoolConfig(name="a", dataset="a", generators=({"run": "r"},)),  # type: ignore[arg-type]
    SweepConfig(name="a", dataset="a", pool="p"),
    JourneyConfig(overrides={"train": {"kimg": 1}}),
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
        (lambda: SweepConfig.build({"name": "a", "dataset": "b", "pool": "c", "ratios": (1, 0.5)}), "ratios is"),
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
