"""Figures and tables of a quality run, of subgroups and of confidence show the numbers they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import recall_score

from engine.configs import SweepConfig
from engine.configs.evaluation import Arm
from engine.quality.quality_scores import PoolScore, QualityScores, rows_table
from engine.quality.snapshot_ranking import Ranking
from engine.report.detail_tables import class_table, readable_classes, readable_subgroups, reliability_table
from engine.report.figures import (
    figure_embedding,
    figure_neighbour_distances,
    figure_neighbour_map,
    figure_ranking,
    figure_reliability,
    figure_scores,
    figure_subgroups,
    figure_sweep,
)
from engine.report.quality_figures import MAX_POINTS, part_on_the_map
from engine.report.quality_tables import (
    SCORES,
    describe_pair,
    readable_memorisation,
    readable_scores,
    score_notes,
    worst_pairs,
)
from engine.report.style import ARMS
from engine.report.sweep_figures import share_note
from engine.report.tables import level_trials, mistakes, per_seed
from engine.store.home import Home
from tests.fabricated import make_dataset, make_pool_run, make_quality, make_ranking, make_training, make_trials

CLASSES = ["bleed", "normal"]
LABELS = np.repeat([0, 1], 20)
TEST_IMAGES = pd.DataFrame({"path": [f"p{i}" for i in range(40)], "class": np.array(CLASSES)[LABELS]})


@pytest.fixture(scope="module")
def quality(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = Home(tmp_path_factory.mktemp("quality") / "home")
    make_dataset(home)
    trainings = [make_training(home, name) for name in CLASSES]
    run = make_quality(home, make_pool_run(home, trainings))
    return {
        "scores": QualityScores.read(run.path / "scores.json"),
        "neighbours": pd.read_parquet(run.path / "neighbours.parquet"),
        "embedding": pd.read_parquet(run.path / "embedding.parquet"),
        "ranking": Ranking.read(make_ranking(home, trainings[0]).path / "ranking.json").snapshots,
    }


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    config = SweepConfig(name="s", dataset="d", pool="p", seeds=6, arms=tuple(ARMS), ratios=(0.5, 1.0))
    return make_trials(config, LABELS)


def test_every_score_stands_beside_its_floor(quality: dict[str, Any]) -> None:
    rows = rows_table(quality["scores"].scores)
    figure = figure_scores(rows)
    for metric, own in rows.groupby("metric", sort=False):
        scale = 100 if SCORES[str(metric)].percent else 1
        for field, place in (("floor", 0), ("value", 1)):
            index = 2 * list(dict.fromkeys(rows["metric"])).index(metric) + place
            trace = figure.data[index]
            shown = dict(zip(trace.y, trace.x, strict=True))
            expected = {name or "all": scale * v for name, v in zip(own["class"], own[field], strict=True)}
            assert shown == pytest.approx(expected)
    assert {trace.y[0] for trace in figure_scores(rows, "bleed").data} == {"bleed"}


def test_a_score_without_interval_or_floor_is_still_shown(quality: dict[str, Any]) -> None:
    row = PoolScore(metric="novel", value=0.5, n_real=3, n_synthetic=4, note="few")
    figure = figure_scores(rows_table([row]))
    assert figure.data[1].x[0] == 0.5
    table = readable_scores(quality["scores"].model_copy(update={"scores": (row,)}))
    assert table.iloc[0].tolist() == ["Novel", "0.500", "–", "–", "4 against 3", ""]
    assert score_notes([row]) == ["Novel: few"]


def test_readable_scores_have_units(quality: dict[str, Any]) -> None:
    table = readable_scores(quality["scores"]).set_index("Score")
    assert table.loc["Precision", "Synthetic"] == "71 %"
    assert table.loc["KID", "95 % interval"] == "0.0230 to 0.0390"
    measures = readable_memorisation(quality["scores"]).set_index("Measure")
    assert measures.loc["Nearer to training (DCR)", "Without copying"] == "50 %"
    assert measures.loc["Copies", "Found"] == "5.0 %"


def test_every_pool_image_is_a_dot_that_names_itself(quality: dict[str, Any]) -> None:
    neighbours = quality["neighbours"]
    figure = figure_neighbour_map(neighbours)
    shown = {data[0]: (x, y) for t in figure.data for data, x, y in zip(t.customdata, t.x, t.y, strict=True)}
    expected = neighbours.set_index("path")[["distance", "pixel_distance"]]
    assert shown == {path: tuple(row) for path, row in zip(expected.index, expected.to_numpy(), strict=True)}
    assert [t.name for t in figure.data] == ["not flagged", "repeat of another", "near copy", "copy"]
    distances = figure_neighbour_distances(neighbours)
    ends = distances.data[1].customdata
    for (begin, end), count in zip(ends[:-1], distances.data[1].y, strict=False):
        assert count == ((neighbours["distance"] >= begin) & (neighbours["distance"] < end)).sum()
    assert [sum(bars.y) for bars in distances.data] == [len(neighbours)] * 2


def test_the_worst_pairs_come_first(quality: dict[str, Any]) -> None:
    worst = worst_pairs(quality["neighbours"], 6)
    assert worst["flag"].tolist() == ["copy", "copy", "near-copy", "repeat", "", ""], "repeats do not crowd them out"
    assert worst["ratio"].iloc[0] <= worst["ratio"].iloc[1]
    unflagged = quality["neighbours"][quality["neighbours"]["flag"] == ""]
    assert worst["ratio"].iloc[4] == unflagged["ratio"].min()


def test_a_pair_says_what_ties_it() -> None:
    row = {"flag": "copy", "ratio": 0.1, "pixel_distance": 0.02, "shift_x": 1, "shift_y": 0, "mirrored": True}
    words = describe_pair(pd.Series({**row, "class": "a", "neighbour_class": "b"}))
    assert words == "copy, ratio 0.10, pixels 0.020, moved by 1, 0 px, mirrored, neighbour of class b"


def test_the_map_shows_reals_and_synthetic_ones_apart(quality: dict[str, Any]) -> None:
    embedding = quality["embedding"]
    figure = figure_embedding(embedding)
    assert sum(len(trace.x) for trace in figure.data) == len(embedding)
    assert {trace.name for trace in figure_embedding(embedding, "bleed").data} == {"bleed, real", "bleed, synthetic"}
    many = pd.concat([embedding] * 500, ignore_index=True)
    thinned = figure_embedding(many, "bleed").data
    assert all(len(trace.x) <= MAX_POINTS for trace in thinned)
    real = many[(many["class"] == "bleed") & (many["split"] != "synthetic")]
    assert thinned[0].name == f"bleed, real ({MAX_POINTS:,} of {len(real):,})", "it says that not all are drawn"


def test_what_is_left_off_the_map_is_said(quality: dict[str, Any]) -> None:
    embedding = quality["embedding"]
    synthetic = int((embedding["split"] == "synthetic").sum())
    real = len(embedding) - synthetic
    assert part_on_the_map(embedding, real, synthetic) == ""
    assert part_on_the_map(embedding, real, 10_000) == (
        f"On the map are {synthetic} of 10,000 synthetic images: flagged ones first, the others drawn by chance."
    )
    both = part_on_the_map(embedding, 2000, 10_000)
    assert f"{synthetic} of 10,000 synthetic images and {real} of 2,000 real images: flagged" in both


def test_the_best_snapshot_is_marked(quality: dict[str, Any]) -> None:
    trace = figure_ranking(Ranking(snapshots=quality["ranking"])).data[0]
    best = trace.marker.symbol.index("star")
    assert trace.customdata[best][0] == "network-000010000.safetensors"
    assert trace.y[best] == min(trace.y)


def test_all_arms_have_a_style_and_a_place(trials: pd.DataFrame) -> None:
    assert set(ARMS) == set(Arm.__args__)  # type: ignore[attr-defined]
    figure = figure_sweep(trials)
    dots = [tuple(data) for trace in figure.data for data in trace.customdata if data[2] is not None]
    shown = trials[trials["arm"] != "real-subset"]  # a figure of its own
    assert len(dots) == len(shown) == len(set(dots))
    means = [trace.name for trace in figure.data if trace.mode == "lines+markers"]
    assert means == [style.title for arm, style in ARMS.items() if arm != "real-subset"]
    some = figure_sweep(trials, arms=("real", "synthetic"))
    assert {data[0] for trace in some.data for data in trace.customdata} - {None} == {"real", "synthetic"}


def test_the_note_says_what_a_share_counts() -> None:
    def words(**settings: Any) -> str:
        config = SweepConfig(name="s", dataset="d", pool="p", **settings)
        return share_note(("real", "real+synthetic"), config)

    assert "one synthetic image for each real one" in words()
    assert "all that a class lacks to the largest one" in words(ratio_of="gap")
    assert "Only bleed gets images" in words(extra_classes=("bleed",))
    assert "equally many optimiser steps" in words()
    for settings in ({"epochs": 5}, {"patience": 3}, {"classifier": "resnet18", "head": "probe"}):
        assert "equally many" not in words(**settings)


def test_folds_of_a_seed_count_as_one(trials: pd.DataFrame) -> None:
    folded = pd.concat([trials, trials.assign(fold=1, accuracy=trials["accuracy"] - 0.1)])
    together = per_seed(folded).set_index(["arm", "ratio", "seed"])["accuracy"]
    alone = trials.set_index(["arm", "ratio", "seed"])["accuracy"]
    assert len(together) == len(alone)
    assert np.allclose(together, alone.loc[together.index] - 0.05)


def test_a_level_of_the_metric_table_looks_like_trials() -> None:
    row = {"arm": "real", "ratio": 0.0, "seed": 0, "n": 9}
    rows = [
        {**row, "level": level, "subgroup": column, "value": value, "metric": "accuracy", "score": score}
        for level, column, value, score in (
            ("image", "", "", 0.5),
            ("patient", "", "", 0.75),
            ("image", "sex", "male", 0.25),
        )
    ]
    table = pd.DataFrame(rows)
    assert level_trials(table)["accuracy"].tolist() == [0.5]
    assert level_trials(table, "patient")["accuracy"].tolist() == [0.75]
    assert level_trials(table, "image", "sex", "male")["accuracy"].tolist() == [0.25]


def test_recall_by_class_equals_scikit_learn(trials: pd.DataFrame) -> None:
    real = trials[trials["arm"] == "real"]
    table = class_table(real, CLASSES).set_index("class")
    named = np.concatenate([np.reshape(scores, (-1, 2)).argmax(1) for scores in real["scores"]])
    expected = recall_score(np.tile(LABELS, len(real)), named, average=None)
    assert table["recall"].tolist() == pytest.approx(list(expected))
    assert readable_classes(class_table(trials, CLASSES)).shape == (len(trials) // 6, 6)


def test_reliability_equals_scikit_learn(trials: pd.DataFrame) -> None:
    cell = trials[(trials["arm"] == "synthetic") & (trials["ratio"] == 1.0)]
    table = reliability_table(cell, TEST_IMAGES, CLASSES)
    scores = np.concatenate([np.reshape(scores, (-1, 2)) for scores in cell["scores"]])
    right = scores.argmax(1) == np.tile(LABELS, len(cell))
    accuracy, confidence = calibration_curve(right, scores.max(1), n_bins=15)
    assert table["accuracy"].tolist() == pytest.approx(list(accuracy))
    assert table["confidence"].tolist() == pytest.approx(list(confidence))
    assert table["n"].sum() == scores.shape[0]
    assert list(figure_reliability(table).data[1].x) == pytest.approx(list(100 * confidence))


def test_folds_are_judged_by_their_own_test_images() -> None:
    images = pd.DataFrame({"path": ["p0", "p1"], "class": CLASSES, "fold": ["0", "1"]})
    right = {"arm": "real", "ratio": 0.0, "seed": 0}
    folded = pd.DataFrame([{**right, "fold": 0, "scores": [0.9, 0.1]}, {**right, "fold": 1, "scores": [0.8, 0.2]}])
    table = reliability_table(folded, images, CLASSES)
    assert dict(zip(table["confidence"].round(1), table["accuracy"], strict=True)) == {0.9: 1.0, 0.8: 0.0}
    assert mistakes(folded, images, CLASSES).to_numpy().tolist() == [["p1", "normal", "bleed", 1]]


def test_subgroups_stand_beside_each_other() -> None:
    rows = [
        {"column": "sex", "value": value, "arm": arm, "ratio": ratio, "metric": "accuracy", "n": 10}
        | {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
        for value in ("female", "male")
        for arm, ratio, mean in (("real", 0.0, 0.7), ("real+synthetic", 0.5, 0.6), ("real+synthetic", 1.0, 0.8))
    ]
    table = pd.DataFrame(rows)
    figure = figure_subgroups(table)
    assert figure.layout.yaxis.ticktext == ("sex: male (10)", "sex: female (10)")
    synthetic = next(trace for trace in figure.data if trace.name == "Real + synthetic, 100 %")
    assert list(synthetic.x) == [80.0, 80.0]
    places = {trace.name: np.round(trace.y) for trace in figure.data}
    assert all(list(place) == [1, 0] for place in places.values()), "each dot lies beside its own label"
    assert readable_subgroups(table)["Mean"].tolist()[:2] == ["70.0 %", "60.0 %"]
