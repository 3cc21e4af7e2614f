"""The order of a journey's steps and what each is told of the others; nothing but the import is really done here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.configs import (
    Config,
    DcganConfig,
    ImportConfig,
    PipelineConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
)
from engine.datasets.importing import import_dataset
from engine.jobs import pipeline, submit
from engine.jobs.kinds import parse_config
from engine.jobs.pipeline import run_pipeline
from engine.jobs.prepare import prepare
from engine.publications.presets import PRESETS
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import never, silent
from engine.store.runs import Run, State, create_run
from tests.datasets.conftest import blobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 pictures of two classes, with the table of the head-CT set."""
    for number in range(24):
        Image.fromarray(blobs(number)).save(tmp_path / f"{number:03d}.png")
    (tmp_path / "labels.csv").write_text("id, hemorrhage\n" + "".join(f"{n},{n % 2}\n" for n in range(24)))
    return tmp_path


@pytest.fixture
def started(home: Home, monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs of the steps in the order in which they were started; each is finished at once."""
    configs: list[Config] = []

    def ensure(home: Home, config: Config, owner: str = "", beside: int = 1) -> Run:
        configs.append(config)
        if isinstance(config, ImportConfig):
            import_dataset(home, config)
        run = create_run(home, config.plain(), submit.default_label(config))
        result = {"verdict": "no evidence", "sentence": config.name} if isinstance(config, SweepConfig) else {}
        run.update(state=State.FINISHED, result=result)
        return run

    monkeypatch.setattr(pipeline, "ensure", ensure)
    return configs


@pytest.fixture
def go(home: Home, folder: Path) -> Callable[..., dict]:
    """Run a journey of the head-CT preset; its result."""

    def run(**settings: object) -> dict:
        overrides = {"import": {"size": 16, "split_counts": [12, 6, 6]}}
        overrides |= settings.pop("overrides", {})
        config = PipelineConfig.build(
            {"preset": "head-ct", "source": str(folder), "overrides": overrides, **settings},
        )
        made = create_run(home, config.plain(), "journey")
        assert run_pipeline(made, config, silent, never) == "finished"
        return made.status().result

    return run


def test_steps_follow_each_other_and_know_their_parents(home: Home, started: list[Config], go: Callable) -> None:
    result = go()
    kinds = [type(config) for config in started]
    assert kinds == [ImportConfig, DcganConfig, DcganConfig, PoolConfig, QualityConfig, SweepConfig, SweepConfig]
    pool, quality, published, sound = started[3:]
    assert [reference.run for reference in pool.generators] == result["train"]
    assert quality.pool == published.pool == sound.pool == result["pool"]
    assert quality.exclude == "copies"
    assert published.quality == sound.quality == result["quality"]
    assert (published.name, sound.name) == ("head-ct as published", "head-ct")
    assert (published.beside, sound.beside) == ("", result["published"])
    assert (published.claims, sound.claims) == (False, True)
    assert parse_config(Run(home, result["sweep"]).config()) == sound
    assert (result["dataset"], result["verdict"], result["sentence"]) == ("head-ct", "no evidence", "head-ct")


@pytest.mark.parametrize(("protocol", "name"), [("sound", "head-ct"), ("published", "head-ct as published")])
def test_one_protocol_alone(started: list[Config], go: Callable, protocol: str, name: str) -> None:
    result = go(protocol=protocol)
    sweeps = [config for config in started if isinstance(config, SweepConfig)]
    assert [(sweep.name, sweep.beside) for sweep in sweeps] == [(name, "")]
    assert result["sentence"] == name
    assert ("published" in result) == (protocol == "published")


def test_folds_have_generators_pools_and_checks_of_their_own(started: list[Config], go: Callable) -> None:
    result = go(folds=3)
    assert result["folds"] == ["head-ct-fold1", "head-ct-fold2", "head-ct-fold3"]
    pools = [config for config in started if isinstance(config, PoolConfig)]
    assert [pool.dataset for pool in pools] == result["folds"]
    references = [reference.run for pool in pools for reference in pool.generators]
    assert references == result["train"]
    assert len(set(references)) == 6
    checks = [config for config in started if isinstance(config, QualityConfig)]
    assert [(check.dataset, check.pool) for check in checks] == list(zip(result["folds"], result["pool"], strict=True))
    for sweep in (config for config in started if isinstance(config, SweepConfig)):
        assert [(fold.dataset, fold.pool) for fold in sweep.folds] == [(check.dataset, check.pool) for check in checks]
        assert (sweep.dataset, sweep.pool) == ("head-ct", "")


def test_a_pool_without_a_number_gets_what_the_sweeps_need(
    started: list[Config], go: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6 training images a class at ratio 1, and 3 for the published test set, with a quarter more."""
    monkeypatch.setitem(PRESETS, "head-ct", replace(PRESETS["head-ct"], pool={}))
    go()
    assert next(config for config in started if isinstance(config, PoolConfig)).images_per_class == 12


def test_too_small_a_pool_is_refused_before_any_training(started: list[Config], go: Callable) -> None:
    with pytest.raises(ErsatzError, match="to have 8 images of each class, but the sweeps need 9"):
        go(overrides={"import": {"size": 16, "split_counts": [12, 6, 6]}, "pool": {"images_per_class": 8}})
    assert [type(config) for config in started] == [ImportConfig]


def test_a_pool_has_only_the_classes_that_the_sweeps_need(started: list[Config], go: Callable) -> None:
    shared = {"import": {"size": 16, "split_counts": [12, 6, 6]}, "sweep": {"extra_classes": ["hemorrhage"]}}
    go(overrides=shared)  # the published sweep tests on synthetic images of both classes
    go(overrides=shared, protocol="sound")
    go(overrides={**shared, "pool": {"only_classes": ["normal", "hemorrhage"]}}, protocol="sound")
    pools = [config.only_classes for config in started if isinstance(config, PoolConfig)]
    assert pools == [(), ("hemorrhage",), ("normal", "hemorrhage")]
    with pytest.raises(ErsatzError, match="no images of the class hemorrhage"):
        go(overrides={**shared, "pool": {"only_classes": ["normal"]}}, protocol="sound")


def test_relative_paths_of_a_journey_are_those_of_where_it_began(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.pkl").touch()
    files = {"sweep": {"weights": "a.pth"}, "published": {"weights": "b.pth"}, "quality": {"weights": "c.pth"}}
    training = {"metric_weights": "d.pth", "start_from": "start.pkl", "kimg": 1.0}
    overrides = {**files, "import": {"csv": "labels.csv"}, "train": training}
    config = PipelineConfig.build(
        {"preset": "chest-ct", "source": "images", "gan": "stylegan2-ada", "overrides": overrides}
    )
    found = prepare(home, config)
    assert found.source == str(tmp_path / "images")
    assert found.overrides == {
        **{step: {"weights": str(tmp_path / file["weights"])} for step, file in files.items()},
        "import": {"csv": str(tmp_path / "labels.csv")},
        "train": {
            "metric_weights": str(tmp_path / "d.pth"),
            "start_from": str(tmp_path / "start.pkl"),
            "kimg": 1.0,
        },
    }
    assert prepare(home, found) == found
    training["start_from"] = "20260101-000000-train-faces"  # the id of a run stays one
    assert prepare(home, config.model_copy(update={"overrides": overrides})).overrides["train"] == {
        **training, "metric_weights": str(tmp_path / "d.pth")
    }  # fmt: skip
