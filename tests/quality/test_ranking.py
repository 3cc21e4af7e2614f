"""Snapshots by KID: which images are compared, resuming, and what is said of the best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from engine.configs import RankingConfig, StyleganConfig
from engine.datasets.dataset import Dataset
from engine.features.extractors import open_extractor
from engine.gans.checkpoints import load_generator
from engine.gans.grids import to_bytes
from engine.gans.snapshots import list_snapshots
from engine.gans.training import train
from engine.quality import ranking
from engine.quality.fid_kid import kernel_distance
from engine.quality.ranking import conclude, rank_snapshots
from engine.quality.snapshot_ranking import RankedSnapshot, Ranking, remark
from engine.sampling.latents import latents
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Progress
from engine.store.runs import Run, create_run
from tests.float32 import EXACT, Arithmetic, arithmetic, fast  # noqa: F401  (fixture)
from tests.gans.conftest import MakeRun, discs, make_run  # noqa: F401  (fixtures)
from tests.gans.stylegan2.conftest import TINY

CPU = torch.device("cpu")


@pytest.fixture
def new_ranking(home: Home, make_run: MakeRun) -> Callable[..., tuple[Run, RankingConfig, Run]]:  # noqa: F811
    """Makes a training with three snapshots and an empty run that ranks them."""

    def make(training: dict[str, Any] | None = None, **changes: Any) -> tuple[Run, RankingConfig, Run]:
        trained, settings = make_run(**(training or {}))
        assert train(trained, settings) == "finished"
        config = RankingConfig(run=trained.id, images=24, extractor="pixels", device="cpu", **changes)
        return create_run(home, config.plain(), "ranking"), config, trained

    return make


NewRanking = Callable[..., tuple[Run, RankingConfig, Run]]


def table(run: Run) -> tuple[RankedSnapshot, ...]:
    return Ranking.read(run.path / "ranking.json").snapshots


def test_every_snapshot_is_compared_with_the_validation_images_of_its_class(new_ranking: NewRanking) -> None:
    run, config, trained = new_ranking()
    seen: list[Progress] = []
    assert rank_snapshots(run, config, seen.append) == "finished"
    rows = table(run)
    snapshots = list_snapshots(trained.path)[::-1]
    assert [row.snapshot for row in rows] == [path.name for path in snapshots]
    assert [row.kimg for row in rows] == [0.016, 0.032, 0.048]

    dataset = Dataset.open(run.home, "discs")
    valid = dataset.rows("valid", "a")
    extractor = open_extractor("pixels", CPU)
    generator, _ = load_generator(snapshots[1])
    with torch.no_grad():
        fakes = to_bytes(generator(torch.from_numpy(latents(range(24), 16))))
    expected = kernel_distance(extractor.features(dataset.pixels(valid)), extractor.features(fakes)).value
    assert rows[1].kid == pytest.approx(expected, rel=1e-4)
    assert all(row.low <= row.kid <= row.high for row in rows)

    result = run.status().result
    assert result["best"] == min(rows, key=lambda row: row.kid).snapshot
    assert (result["n_real"], result["n_synthetic"], result["extractor"]) == (len(valid), 24, "pixels")
    assert (seen[-1].done, seen[-1].total, seen[-1].unit) == (3, 3, "snapshots")


def test_training_and_test_images_are_not_looked_at(new_ranking: NewRanking) -> None:
    run, config, _ = new_ranking()
    dataset = Dataset.open(run.home, "discs")
    for split in ("train", "test"):
        for path in dataset.rows(split)["path"]:
            (dataset.path / path).unlink()
    assert rank_snapshots(run, config) == "finished"


def test_a_stopped_ranking_repeats_nothing(new_ranking: NewRanking, monkeypatch: pytest.MonkeyPatch) -> None:
    run, config, _ = new_ranking()
    ranked: list[float] = []
    assert rank_snapshots(run, config, lambda at: ranked.append(at.done), lambda: 1.0 in ranked) == "stopped"
    assert len(table(run)) == 2
    first = table(run)[0]
    moved = pd.read_parquet(run.path / "influences.parquet")
    opened: list[str] = []

    def load(path: Path) -> Any:
        opened.append(path.name)
        return load_generator(path)

    monkeypatch.setattr(ranking, "load_generator", load)
    assert rank_snapshots(run, config) == "finished"
    assert len(opened) == 1
    assert table(run)[0].kid == first.kid
    assert pd.read_parquet(run.path / "influences.parquet")[moved.columns].equals(moved)
    rows = table(run)
    assert sum(np.isnan(row.behind) for row in rows) == 1, "all but the best are held against it"
    assert all(row.behind_low <= row.behind <= row.behind_high for row in rows if row.behind > 0)


def test_a_conditional_generator_is_asked_for_the_classes_of_the_validation_images(new_ranking: NewRanking) -> None:
    run, config, _ = new_ranking({"class_name": "", "conditional": True}, snapshots=1)
    assert rank_snapshots(run, config) == "finished"
    assert len(table(run)) == 1
    assert run.status().result["n_real"] == 4


@pytest.mark.parametrize("conditional", [False, True])
def test_stylegan_snapshots_are_ranked_too(home: Home, discs: Dataset, conditional: bool) -> None:  # noqa: F811

    settings = {"conditional": True} if conditional else {"class_name": "a"}
    training = StyleganConfig.build({"dataset": "discs", **TINY, **settings, "metrics": []}).completed(32)
    trained = create_run(home, training.plain(), "train")
    assert train(trained, training) == "finished"
    config = RankingConfig(run=trained.id, images=12, extractor="pixels", device="cpu", snapshots=1)
    run = create_run(home, config.plain(), "ranking")
    assert rank_snapshots(run, config) == "finished"
    assert np.isfinite(table(run)[0].kid)


def test_what_cannot_be_ranked_is_refused(home: Home, new_ranking: NewRanking) -> None:
    run, config, trained = new_ranking()
    dataset = Dataset.open(home, "discs")
    manifest = dataset.manifest.copy()
    manifest.loc[manifest["split"] == "valid", "split"] = "train"
    manifest.to_csv(dataset.path / "manifest.csv", index=False)
    with pytest.raises(ErsatzError, match="was changed after its split was frozen"):
        rank_snapshots(run, config)
    for path in list_snapshots(trained.path):
        path.unlink()
    with pytest.raises(ErsatzError, match="no snapshot to rank"):
        rank_snapshots(run, config)


def ranked(*kids: float, reach: float = 0.02, tested: bool = True) -> Ranking:
    """Snapshots of 1, 2, 3... kimg; differences to the lowest KID have an interval of +- reach."""
    rows = []
    for kimg, kid in enumerate(kids, 1):
        row = RankedSnapshot(snapshot=f"n{kimg}", kimg=kimg, kid=kid, low=kid - 0.01, high=kid + 0.01)
        behind = kid - min(kids)
        if tested and behind:
            told = {"behind": behind, "behind_low": behind - reach, "behind_high": behind + reach, "behind_p": 0.03}
            row = row.model_copy(update=told)
        rows.append(row)
    return Ranking(snapshots=tuple(rows))


def test_the_best_is_better_only_where_the_paired_difference_says_so() -> None:
    open_ = ranked(0.2, 0.05, 0.06)
    said = conclude(open_)
    assert (said["best"], said["last"], said["clear"]) == ("n2", "n3", False)
    assert "not told apart, which does not show that they are equally good" in said["sentence"]
    assert [remark(open_, row) for row in open_.snapshots] == ["worse", "lowest KID", "not told apart"]
    near = conclude(ranked(0.2, 0.05, 0.055, reach=0.001))
    assert near["clear"], "the intervals of the two meet, but not that of their difference"
    assert "better than the last" in near["sentence"]
    last = conclude(ranked(0.2, 0.05))
    assert last["best"] == last["last"]
    assert last["sentence"].startswith("The last snapshot, of 2 kimg")
    assert last["sentence"].endswith("The other one is shown to be worse.")


def test_only_a_margin_set_beforehand_makes_two_snapshots_alike() -> None:
    found = ranked(0.2, 0.05, 0.055, reach=0.02)
    assert "no relevant difference" not in conclude(found)["sentence"]
    assert "no relevant difference" not in conclude(found, margin=0.02)["sentence"]
    assert "within the margin of 0.03 that was set beforehand" in conclude(found, margin=0.03)["sentence"]
    assert remark(found, found.last, 0.03) == "no relevant difference"


def test_a_ranking_from_before_the_test_says_that_nothing_was_tested(new_ranking: NewRanking) -> None:
    old = ranked(0.2, 0.05, 0.09, tested=False)
    assert "was not tested" in conclude(old)["sentence"] and not conclude(old)["clear"]
    assert remark(old, old.last) == "not tested"
    run, config, _ = new_ranking(snapshots=2)
    rank_snapshots(run, config)
    (run.path / "influences.parquet").unlink()
    assert rank_snapshots(run, config) == "finished"
    assert Ranking.read(run.path / "ranking.json").tested, "what has no influences is scored again"


def test_images_and_features_are_exact_float32(
    new_ranking: NewRanking,
    fast: Arithmetic,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, config, _ = new_ranking()
    seen: list[Arithmetic] = []

    def look(x: torch.Tensor) -> np.ndarray:
        seen.append(arithmetic())
        return to_bytes(x)

    monkeypatch.setattr(ranking, "to_bytes", look)
    assert rank_snapshots(run, config) == "finished"
    assert set(seen) == {EXACT}
