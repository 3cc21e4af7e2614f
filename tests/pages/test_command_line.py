"""The command line that a page shows gives exactly the run that the page would start."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli import datasets, network
from engine.cli import main as cli
from engine.configs import (
    Config,
    DryRunConfig,
    ExportConfig,
    FeatureMapConfig,
    ImportConfig,
    NetworkConfig,
    PipelineConfig,
    PoolConfig,
    ProjectionConfig,
    QualityConfig,
    RankingConfig,
    StyleganConfig,
    SweepConfig,
    parse_training,
)
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig
from engine.datasets.dataset import Dataset
from engine.datasets.folds import make_folds
from engine.publications.presets import PRESETS
from engine.store.home import Home
from engine.store.runs import Run, create_run
from pages.components.command import command_line
from tests.fabricated import make_dataset


def read_back(line: str, monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs that the command line would submit."""
    submitted: list[Config] = []

    def submit(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        submitted.append(config)
        return create_run(home, config.plain(), "test")

    monkeypatch.setattr(cli.jobs, "submit", submit)
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "engine"]
    answer = CliRunner().invoke(cli.app, [*words[3:], "--detach"])
    assert answer.exit_code == 0, answer.output
    return submitted


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"class_name": "a b", "kimg": 2.5, "mirror": True, "g_lr": 1e-5},
        {"conditional": True, "precision": "bf16", "ema_kimg": 0.0},
        *[preset.train_settings(gan) for preset in PRESETS.values() for gan in preset.train],
    ],
)
def test_train(settings: dict[str, Any], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse_training({"class_name": "x", **settings, "dataset": "my-set"} | _no_class(settings))
    if not isinstance(config, StyleganConfig):
        assert read_back(command_line(config), monkeypatch) == [config]
        return
    for size in (0, 64, 256):  # what is left out is what the configuration says for the size
        complete = config.completed(size or 128)
        (read,) = read_back(command_line(complete, size), monkeypatch)
        assert isinstance(read, StyleganConfig)
        assert read.completed(size or 128) == complete


@pytest.mark.parametrize(
    "settings",
    [
        {"ratios": (0.1, 0.25, 2.0), "arms": ("real", "real+synthetic"), "seeds": 12},
        {"classifier": "resnet50", "weights": "/some where/weights.pth", "lr": 1e-4, "dropout": 0.0},
        *[preset.sweep for preset in PRESETS.values()],
    ],
)
def test_sweep(settings: dict[str, Any], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    generators = [{"run": "r"}]
    pool = create_run(home, PoolConfig.build({"name": "p", "dataset": "d", "generators": generators}).plain(), "pool")
    config = SweepConfig.build({**settings, "name": "my-sweep", "dataset": "d", "pool": pool.id})
    assert read_back(command_line(config), monkeypatch) == [config]


def test_pools_that_are_not_sampled(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = PoolConfig.build({"name": "p", "dataset": "d", "generators": [{"run": "r"}]}).plain()
    one, other = (create_run(home, sampled, "pool") for _ in range(2))
    classes = {"0": "bleed", "1": "-"}
    for config in (
        ImportedPoolConfig(name="x", dataset="d", source="/a b", classes=classes, made_by="v2, ours", trained_on="/h"),
        ControlPoolConfig(name="c d", dataset="d", control="held-back", images_per_class=20),
        ControlPoolConfig(name="c", dataset="d", control="shuffled", pool=one.id, seed=3),
        MixedPoolConfig.build(
            {"name": "m", "dataset": "d", "pools": [{"run": one.id}, {"run": other.id}], "shares": [0.25, 0.75]}
        ),
    ):
        assert read_back(command_line(config), monkeypatch) == [config]


def test_sweep_over_folds(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(home)
    folds = []
    for fold in make_folds(Dataset.open(home, "phantom"), 2):
        settings = {"name": "p", "dataset": fold.name, "generators": [{"run": "r"}]}
        folds.append({"dataset": fold.name, "pool": create_run(home, PoolConfig.build(settings).plain(), "pool").id})
    config = SweepConfig.build({"name": "crossed", "dataset": "phantom", "folds": folds})
    assert read_back(command_line(config), monkeypatch) == [config]


def test_quality_and_ranking(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"name": "p", "dataset": "d", "generators": [{"run": "r"}]}
    pool = create_run(home, PoolConfig.build(settings).plain(), "pool")
    training = create_run(home, parse_training({"dataset": "d", "class_name": "x"}).plain(), "train")
    for config in (
        QualityConfig(name="my check", dataset="d", pool=pool.id, extractor="pixels", exclude="copies", k=3),
        RankingConfig(run=training.id, images=100, extractor="dinov2"),
        FeatureMapConfig(dataset="d", images=100, extractor="pixels"),
    ):
        assert read_back(command_line(config), monkeypatch) == [config]


def _no_class(settings: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": ""} if settings.get("conditional") else {}


@pytest.mark.parametrize(
    "settings",
    [
        {"source": "/scans of/May", "name": "scans"},
        *[
            {"source": "" if preset.importing["layout"] == "phantom" else "/scans", **preset.importing}
            for preset in PRESETS.values()
        ],
        {"source": "/x", "name": "x", "metadata_columns": ["sex", "age group"], "window": [40, 80.5], "freeze": False},
    ],
)
def test_import(settings: dict[str, Any], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ImportConfig.build(settings)
    monkeypatch.setattr(datasets, "submit", lambda home, config: cli.jobs.submit(home, config))
    assert read_back(command_line(config), monkeypatch) == [config]


@pytest.mark.parametrize(
    "config",
    [
        PoolConfig.build({"name": "p", "dataset": "d", "generators": [{"run": "r"}], "first_seed": 7, "psi": 0.7}),
        PipelineConfig(preset="head-ct", source="/a b", overrides={"train": {"kimg": 5, "class_name": "12"}}, folds=3),
        PipelineConfig(preset="head-ct", source="/a b", gan="dcgan"),
        NetworkConfig(name="n", source="/a b.pkl", class_names=("x", "y z")),
        ProjectionConfig(generator="r", image="/a b.png", steps=20, video=False),
        ExportConfig(run="r", snapshot="network-000002000.safetensors", snapshot_sha256="0" * 64),
        DryRunConfig(training=parse_training({"dataset": "d", "class_name": "x", "kimg": 2.5}).plain()),
    ],
    ids=lambda config: config.kind,
)
def test_every_other_kind(config: Config, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool's generators are asked for their data set; a dry run prints what it measured, so that it stands apart."""
    line = command_line(config)
    if isinstance(config, DryRunConfig):
        assert line == command_line(parse_training(config.training)) + " --dry-run"
        return
    training = create_run(home, parse_training({"dataset": "d", "class_name": "x"}).plain(), "train")
    monkeypatch.setattr(network, "submit", lambda home, config: cli.jobs.submit(home, config))
    monkeypatch.setattr(cli.jobs, "ensure", lambda home, config, place: cli.jobs.submit(home, config, place=place))
    (read,) = read_back(line.replace(" r ", f" {training.id} "), monkeypatch)
    if isinstance(config, ExportConfig):
        config = config.model_copy(update={"snapshot_sha256": ""})  # filled in when it is submitted
    assert read.plain() == json.loads(json.dumps(config.plain()).replace('"r"', f'"{training.id}"'))
