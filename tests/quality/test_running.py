"""A quality run from folders to scores.json: what it leaves, what it never reads, what it takes out of the pool."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.configs import QualityConfig
from engine.datasets.dataset import Dataset
from engine.jobs.stages import CHECK
from engine.quality import running
from engine.quality.quality_scores import Counts, QualityScores, rows_table
from engine.quality.running import check_quality
from engine.quality.scores import METRICS
from engine.report.figures import figure_scores
from engine.report.quality_tables import readable_parts
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_pixels
from engine.store.home import Home
from engine.store.progress import Progress
from engine.store.runs import Run, create_run
from tests.sweep.conftest import make_dataset, make_pool

NewCheck = Callable[..., tuple[Run, QualityConfig]]


@pytest.fixture
def dataset(home: Home) -> Dataset:
    return make_dataset(home, {"train": 36, "valid": 16, "test": 6})


@pytest.fixture
def pool(dataset: Dataset) -> Pool:
    return make_pool(dataset, per_class=30)


@pytest.fixture
def new_check(home: Home, dataset: Dataset, pool: Pool) -> NewCheck:
    """Makes an empty run that checks the pool; settings can be changed by keyword."""

    def make(**changes: Any) -> tuple[Run, QualityConfig]:
        settings = {"dataset_fingerprint": dataset.fingerprint, "pool_sha256": pool.images_sha256}
        settings |= {"extractor": "pixels", "device": "cpu", **changes}
        config = QualityConfig(name="check", dataset=dataset.name, pool=pool.run.id, **settings)
        return create_run(home, config.plain(), "quality"), config

    return make


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without scores and map, where a test is about something else."""
    monkeypatch.setattr(running, "pool_scores", lambda *_: ([], []))
    monkeypatch.setattr(running, "tsne_projection", lambda features, seed: np.zeros((len(features), 2)))


def plant_copies(dataset: Dataset, pool: Pool, count: int) -> list[str]:
    """Overwrite images of the pool by training images of their class; returns their paths in the pool."""
    manifest = pd.read_csv(pool.path / "manifest.csv", dtype=str, keep_default_na=False)
    class_name = manifest["class"][0]
    originals = dataset.rows("train", class_name)["path"].iloc[:count]
    for row, original in enumerate(originals):
        pixels = np.asarray(Image.open(dataset.path / original))
        Image.fromarray(pixels).save(pool.path / manifest.loc[row, "path"])
        manifest.loc[row, "sha256"] = sha256_pixels(pixels)
    manifest.to_csv(pool.path / "manifest.csv", index=False)
    return list(manifest["path"][:count])


def scores_of(run: Run) -> QualityScores:
    return QualityScores.read(run.path / "scores.json")


def test_a_check_leaves_everything_that_report_and_page_read(new_check: NewCheck, dataset: Dataset, pool: Pool) -> None:
    run, config = new_check()
    seen: list[Progress] = []
    assert check_quality(run, config, seen.append) == "finished"
    found = scores_of(run)
    assert found.counts == Counts(train=72, valid=32, pool=60, excluded_before=0)
    assert (found.dataset_fingerprint, found.pool_sha256) == (dataset.fingerprint, pool.images_sha256)
    assert found.extractor.name == "pixels"
    assert [(row.class_name, row.metric) for row in found.scores] == [
        (class_name, metric) for class_name in ("", "bleed", "normal") for metric in METRICS
    ]
    assert {"authpct", "dcr_share", "c_t", "copy_ratio"} <= {row.measure for row in found.memorisation}
    assert found.flags.keys() == {"copy", "near-copy", "repeat"}
    assert found.excluded == 0
    assert len(found.sentences) > len(METRICS)
    assert "NaN" not in (run.path / "scores.json").read_text()

    neighbours = pd.read_parquet(run.path / "neighbours.parquet")
    assert neighbours["path"].tolist() == pool.rows()["path"].tolist()
    places = pd.read_parquet(run.path / "embedding.parquet")
    assert places["split"].value_counts().to_dict() == {"train": 72, "synthetic": 60, "valid": 32}
    assert np.isfinite(places[["x", "y"]].to_numpy()).all()
    assert set(places["path"]) == {*pool.rows()["path"], *dataset.rows("train")["path"], *dataset.rows("valid")["path"]}
    result = run.status().result
    assert result["sentence"] == found.sentences[0]
    assert result["flags"] == found.flags
    assert {"scores", "map"} <= {progress.stage for progress in seen}
    assert (seen[-1].done, seen[-1].total) == (1, 1)


def test_a_pool_of_one_class_has_scores_of_that_class_alone(
    new_check: NewCheck, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "tsne_projection", lambda features, seed: np.zeros((len(features), 2)))
    manifest = pd.read_csv(pool.path / "manifest.csv", dtype=str, keep_default_na=False)
    manifest[manifest["class"] == "bleed"].to_csv(pool.path / "manifest.csv", index=False)
    run, config = new_check(pool_sha256=Pool.open(pool.run).images_sha256)
    assert check_quality(run, config) == "finished"
    found = scores_of(run)
    assert [(row.class_name, row.metric) for row in found.scores] == [("bleed", metric) for metric in METRICS]
    assert "The pool has no image of class normal, and so no scores over all classes." in found.limits
    assert {row.class_name for row in found.memorisation} == {""}
    assert any("in class bleed" in sentence for sentence in found.sentences)
    assert "16 held-out real images would be called so" in found.sentences[0], "those of the class, of 32"
    table = readable_parts(found)
    assert set(table["Class"]) == {"bleed"}
    assert len(table) == len(METRICS)
    figure = figure_scores(rows_table(found.scores))
    assert set(figure.data[0].y) == {"bleed"}


@pytest.mark.usefixtures("quick")
def test_test_images_are_never_looked_at(new_check: NewCheck, dataset: Dataset) -> None:
    for path in dataset.rows("test")["path"]:
        (dataset.path / path).unlink()
    run, config = new_check()
    assert check_quality(run, config) == "finished"
    places = pd.read_parquet(run.path / "embedding.parquet")
    assert not set(places["path"]) & set(dataset.rows("test")["path"])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("exclude", ["nothing", "copies"])
def test_copies_leave_the_pool_when_asked(new_check: NewCheck, dataset: Dataset, pool: Pool, exclude: str) -> None:
    copies = plant_copies(dataset, pool, 3)
    run, config = new_check(pool_sha256=Pool.open(pool.run).images_sha256, exclude=exclude)
    assert check_quality(run, config) == "finished"
    found = scores_of(run)
    flags = pd.read_parquet(run.path / "neighbours.parquet").set_index("path")["flag"]
    assert set(flags[copies]) == {"copy"}
    flagged = set(flags.index[flags == "copy"])
    manifest = Pool.open(pool.run).manifest.set_index("path")["excluded"]
    assert set(manifest.index[manifest != ""]) == (flagged if exclude == "copies" else set())
    assert found.excluded == (len(flagged) if exclude == "copies" else 0)
    assert found.flags["copy"] == len(flagged)
    if exclude == "copies":
        assert set(manifest[copies]) == {f"copy of a training image ({run.id})"}
    places = pd.read_parquet(run.path / "embedding.parquet").set_index("path")["flag"]
    assert set(places[copies]) == {"copy"}


@pytest.mark.usefixtures("quick")
def test_a_check_killed_before_the_exclusion_makes_up_for_it(
    new_check: NewCheck, dataset: Dataset, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = plant_copies(dataset, pool, 2)
    run, config = new_check(pool_sha256=Pool.open(pool.run).images_sha256, exclude="copies")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "exclude", killed)
        with pytest.raises(KeyboardInterrupt):
            check_quality(run, config)
    monkeypatch.setattr(running, "find_copies", lambda *_: pytest.fail("computed again"))
    for _ in range(2):  # also when it was killed right after it
        assert check_quality(run, config) == "finished"
        assert set(copies) <= set(Pool.open(pool.run).manifest.query("excluded != ''")["path"])


@pytest.mark.usefixtures("quick")
def test_excluded_images_take_no_part(new_check: NewCheck, pool: Pool) -> None:
    out = list(pool.rows()["path"][:7])
    pool.exclude(out, "blurred")
    run, config = new_check()
    assert check_quality(run, config) == "finished"
    assert scores_of(run).counts == Counts(train=72, valid=32, pool=53, excluded_before=7)
    assert not set(out) & set(pd.read_parquet(run.path / "neighbours.parquet")["path"])


def test_a_stopped_check_computes_no_feature_twice_and_ends_like_one_never_stopped(new_check: NewCheck) -> None:
    cut, config = new_check()
    stages: list[str] = []
    stopped = check_quality(cut, config, lambda at: stages.append(at.stage), lambda: "scores" in stages)
    assert stopped == "stopped"
    assert not (cut.path / "scores.json").exists()
    stages.clear()
    assert check_quality(cut, config, lambda at: stages.append(at.stage)) == "finished"
    assert not [stage for stage in stages if stage.startswith("features")]
    shutil.rmtree(cut.home.cache)
    whole, _ = new_check()
    stages.clear()
    assert check_quality(whole, config, lambda at: stages.append(at.stage)) == "finished"
    steps = [CHECK.index(stage) for stage in stages]  # one that is not listed would leave the run's bar where it was
    assert steps == sorted(steps), "its progress never goes back"
    assert len(set(steps)) > 10
    assert scores_of(cut).plain() == scores_of(whole).plain()


def test_unsound_checks_are_refused(new_check: NewCheck, dataset: Dataset, pool: Pool) -> None:
    run, config = new_check(dataset_fingerprint="0" * 64)
    with pytest.raises(ErsatzError, match=r"This quality check was made for the split 0{12}\.\.\. of the data set"):
        check_quality(run, config)
    run, config = new_check(pool_sha256="0" * 64)
    with pytest.raises(ErsatzError, match="were made again since this check was set up"):
        check_quality(run, config)
    run, config = new_check()
    seen = dataset.rows("valid")["sha256"].iloc[:3]
    (pool.path / "training_images.txt").write_text("\n".join(seen) + "\n")
    with pytest.raises(ErsatzError, match="were trained on 3 validation images"):
        check_quality(run, config)
