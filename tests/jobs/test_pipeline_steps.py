"""The order of a journey's steps and what each is told of the others; nothing but the import is really done here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
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
from engine.datasets import editing
from engine.datasets.audit import blocking
from engine.datasets.dataset import Dataset
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

    def ensure(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
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

    def run(place: str = "here", **settings: object) -> dict:
        overrides = {"import": {"size": 16, "split_counts": [12, 6, 6]}}
        overrides |= settings.pop("overrides", {})
        config = PipelineConfig.build(
            {"preset": "head-ct", "source": str(folder), "overrides": overrides, **settings},
        )
        made = create_run(home, config.plain(), "journey", place=place)
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


def test_on_a_cluster_the_generators_of_all_folds_start_before_any_pool(started: list[Config], go: Callable) -> None:
    go(folds=3, place="slurm")
    first = [config.dataset for config in started[1:7] if isinstance(config, DcganConfig)]
    assert first == [f"head-ct-fold{number}" for number in (1, 1, 2, 2, 3, 3)]


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


@pytest.fixture
def leaky(folder: Path) -> Path:
    """The same, with one picture twice and two that are nearly alike, and the splits of its own tearing them apart."""
    for number in range(4, 24):
        (folder / f"{number:03d}.png").rename(folder / f"old{number:03d}.png")
    Image.fromarray(blobs(2)).save(folder / "024.png")
    Image.fromarray(np.clip(blobs(3) + 2.0, 0, 255).astype(np.uint8)).save(folder / "025.png")
    rows = [f"{n:03d},{n % 2},{('train', 'train', 'valid', 'test')[n]}" for n in range(4)]
    rows += [f"old{n:03d},{n % 2},{('train', 'valid', 'test')[n // 2 % 3]}" for n in range(4, 24)]
    rows += ["024,0,train", "025,1,train"]
    (folder / "labels.csv").write_text("id,hemorrhage,split\n" + "\n".join(rows) + "\n")
    return folder


OPEN = {"import": {"size": 16, "split": "auto", "split_counts": None, "split_column": "split"}}


def test_a_journey_goes_on_from_what_was_mended_by_hand(
    home: Home, started: list[Config], go: Callable, leaky: Path
) -> None:
    """Refused while copies stand in two splits, with the commands that mend it; afterwards the same journey runs."""
    for _ in range(2):  # the second time the data set is there already
        with pytest.raises(ErsatzError) as refused:
            go(overrides=OPEN)
        assert "`python -m engine dataset audit head-ct --fix drop-copies" in str(refused.value)
        assert "`python -m engine dataset freeze head-ct`" in str(refused.value)
        assert "the same journey goes on" in str(refused.value)
    dataset = Dataset.open(home, "head-ct")
    while grave := [found["remedy"] for found in blocking(dataset.info.audit.findings)]:
        dataset = editing.apply_remedies(dataset, grave)
    with pytest.raises(ErsatzError, match=r"not frozen.*or with `python -m engine dataset freeze head-ct`"):
        go(overrides=OPEN)
    dataset.freeze()
    result = go(overrides=OPEN)
    assert result["verdict"] == "no evidence"
    assert "remedies drop-copies" in result["mended"]
    assert [type(config) for config in started].count(ImportConfig) == 1


def test_a_journey_takes_another_split_moves_and_accepted_findings_as_they_are(
    home: Home, started: list[Config], go: Callable, leaky: Path
) -> None:
    with pytest.raises(ErsatzError, match="not frozen"):
        go(overrides=OPEN)
    dataset = editing.resplit(Dataset.open(home, "head-ct"), {"split": "random", "seed": 3})
    dataset = editing.move(dataset, list(dataset.rows("valid")["path"][:1]), "train")
    dataset.freeze(accept_findings=True)
    mended = go(overrides=OPEN)["mended"]
    assert "split random (asked for: auto)" in mended
    assert "seed 3 (asked for: 0)" in mended
    assert "moved by hand" in mended


def test_a_journey_refuses_the_data_set_of_another_import_and_says_what_differs(
    home: Home, started: list[Config], go: Callable
) -> None:
    go()
    with pytest.raises(ErsatzError, match=r"with other settings \(size 16 \(asked for: 32\)\).*import\.name=NAME"):
        go(overrides={"import": {"size": 32, "split_counts": [12, 6, 6]}})


def test_a_journey_takes_a_data_set_of_a_version_that_had_fewer_settings(
    home: Home, started: list[Config], go: Callable
) -> None:
    go()
    path = home.dataset("head-ct") / "dataset.json"
    values = json.loads(path.read_text())
    del values["config"]["frames"], values["config"]["keep_ids"]
    values["config"]["of_before"] = 1
    path.write_text(json.dumps(values))
    assert go()["mended"] == ""


def test_a_journey_keeps_the_notes_of_its_import(folder: Path, started: list[Config], go: Callable) -> None:
    (folder / "000.png").write_bytes(b"no picture")
    result = go(overrides={"import": {"size": 16, "split_counts": None, "skip_unreadable": True}})
    assert any("000.png" in note and "left out" in note for note in result["notes"])


@pytest.mark.usefixtures("started")
def test_a_journey_that_is_taken_up_again_knows_its_import(go: Callable) -> None:
    first = go()
    assert first["import"]
    assert go()["import"] == first["import"]
