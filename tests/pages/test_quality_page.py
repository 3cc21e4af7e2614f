"""The Quality page in the states that a person can meet it in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from engine.configs import Config, QualityConfig, RankingConfig
from engine.publications.presets import PRESETS
from engine.quality.quality_scores import PoolScore
from engine.report.pool_verdict import score_level
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.files import write_json
from engine.store.home import Home
from engine.store.runs import Run, State, create_run, list_runs
from pages.quality import ranking as ranking_part
from pages.quality.clicked import remember
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts

IMAGES = 32


@pytest.fixture
def trainings(home: Home) -> list[Run]:
    fabricated.make_dataset(home)
    return [fabricated.make_training(home, name) for name in fabricated.CLASSES]


@pytest.fixture
def pool(home: Home, trainings: list[Run]) -> Run:
    return fabricated.make_pool_run(home, trainings, images=IMAGES // 2)


@pytest.fixture
def check(home: Home, pool: Run) -> Run:
    return fabricated.make_quality(home, pool)


def titles(app: AppTest) -> list[str]:
    return [json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in app.get("plotly_chart")]


def pictures(app: AppTest) -> list[Any]:
    """Those of pairs and clicks, without the twelve samples of the pool."""
    found = [picture for image in app.get("image") for picture in image.proto.imgs]
    return [picture for picture in found if not picture.alt.startswith("Synthetic picture of the class")]


def badges(app: AppTest) -> list[str]:
    """The flags on the pairs of the gallery."""
    known = ("copy]", "near-copy]", "repeat]", "not flagged]")
    found = [element.value for element in app.markdown if element.value.endswith(known)]
    return [text.split("[")[1].rstrip("]") for text in found if "badge" in text]


@pytest.fixture
def submitted(home: Home, monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """What the page would start; the runs stay queued."""
    configs: list[Config] = []

    def submit(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        configs.append(config)
        return create_run(home, config.plain(), "made")

    monkeypatch.setattr("pages.components.runs.submit", submit)
    return configs


def test_empty_home_says_what_is_missing(home: Home, open_page: OpenPage) -> None:
    app = open_page("quality")
    assert "there is no pool yet" in texts(app)
    assert not app.button


def test_finished_says_the_worst_first_then_scores_beside_floors(check: Run, open_page: OpenPage) -> None:
    app = open_page("quality", run=check.id)
    assert check.status().result["sentence"] in texts(app)
    assert {metric.label: metric.value for metric in app.metric} == {
        "Copies": f"2 of {IMAGES}",
        "Near copies": f"1 of {IMAGES}",
        "Repeats": f"2 of {IMAGES}",
        "In the pool now": f"{IMAGES} of {IMAGES}",
    }
    assert titles(app) == ["Scores beside their floors"]
    scores, measures = (table.value for table in app.dataframe)
    assert list(scores["Score"])[:2] == ["FID", "KID"]
    assert scores.loc[1, "Real against real"] == "0.0010"
    assert len(measures) == 5
    assert "not privacy guarantees" in texts(app)
    assert "Phantom data" in texts(app)


def test_the_first_press_on_another_view_counts(check: Run, open_page: OpenPage) -> None:
    app = open_page("quality")
    app.segmented_control(key="view").set_value("New check").run()
    assert "Start check" in [button.label for button in app.button]


def test_tables_of_one_class(check: Run, open_page: OpenPage) -> None:
    app = open_page("quality", run=check.id)
    app.segmented_control(key="of").set_value("bleed").run()
    assert set(app.dataframe[0].value["Images"]) == {"16 against 20"}


def test_the_gallery_shows_flagged_pairs_the_worst_first(check: Run, open_page: OpenPage) -> None:
    app = open_page("quality", run=check.id, part="Nearest neighbours")
    assert badges(app) == ["copy", "copy", "near-copy", "repeat", "repeat"]
    assert len(pictures(app)) == 10, "each beside its nearest real image"
    app.get("button_group")[1].set_value(["near-copy"]).run()
    assert badges(app) == ["near-copy"]


def test_a_repeat_is_shown_beside_its_twin(check: Run, open_page: OpenPage) -> None:
    app = open_page("quality", run=check.id, part="Nearest neighbours")
    app.get("button_group")[1].set_value(["repeat"]).run()
    captions = [picture.caption for picture in pictures(app)]
    assert captions == ["Synthetic", "Its twin in the pool"] * 2


def test_a_pool_without_flags_shows_its_nearest_pairs(home: Home, pool: Run, open_page: OpenPage) -> None:
    check = fabricated.make_quality(home, pool, flags=False)
    app = open_page("quality", run=check.id, part="Nearest neighbours")
    assert not app.warning
    assert len(badges(app)) == 12, "one page of them"
    assert not [button for button in app.button if button.label.startswith("Exclude these")], "nothing speaks for it"
    ratios = pd.read_parquet(check.path / "neighbours.parquet")["ratio"]
    assert f"ratio {ratios.min():.2f}" in next(caption.value for caption in app.caption if "ratio" in caption.value)


def test_a_copy_leaves_the_pool_and_comes_back(check: Run, pool: Run, open_page: OpenPage) -> None:
    copied = pd.read_parquet(check.path / "neighbours.parquet").query("flag == 'copy'")["path"].iloc[0]
    app = open_page("quality", run=check.id, part="Nearest neighbours")
    first = next(button for button in app.button if button.label == "Exclude")
    first.click().run()
    assert "Nothing is deleted" in texts(app)
    app.text_input[0].set_value("looks like P001")
    both(app, first.key, "exclude-now")
    manifest = Pool.open(pool).manifest.set_index("path")["excluded"]
    assert manifest[copied] == "looks like P001"
    assert (manifest != "").sum() == 1

    app = open_page("quality", run=check.id, part="Nearest neighbours")
    assert {metric.label: metric.value for metric in app.metric}["In the pool now"] == f"{IMAGES - 1} of {IMAGES}"
    assert "**excluded**: looks like P001" in texts(app)
    both(app, f"back-{check.id}-{copied}", "restore-now")
    assert (Pool.open(pool).manifest["excluded"] == "").all()


def test_all_that_the_filter_shows_leaves_at_once(check: Run, pool: Run, open_page: OpenPage) -> None:
    app = open_page("quality", run=check.id, part="Nearest neighbours")
    app.get("button_group")[1].set_value(["copy"]).run()
    app.button(key=f"exclude-{check.id}").click().run()
    both(app, f"exclude-{check.id}", "exclude-now")
    reasons = Pool.open(pool).manifest["excluded"]
    assert set(reasons) == {"", f"copies, seen by {check.id}"}
    assert (reasons != "").sum() == 2


def both(app: AppTest, opener: str, key: str) -> None:
    """Press a button of a dialog together with the one that opens it: AppTest knows whole runs only."""
    app.button(key=opener).click()
    if not _named(app, key):
        app.run()
        app.button(key=opener).click()
    _named(app, key)[0].click()
    app.run()
    assert not app.exception, app.exception


def _named(app: AppTest, action: str) -> list[Button]:
    """The buttons of an action, which is how their keys begin."""
    return [button for button in app.button if str(button.key).startswith(action)]


@pytest.mark.parametrize("part", ["Feature map", "Distances"])
def test_a_link_to_an_image_opens_it_beside_its_neighbour(check: Run, open_page: OpenPage, part: str) -> None:
    path = pd.read_parquet(check.path / "neighbours.parquet")["path"].iloc[0]
    app = open_page("quality", run=check.id, part=part, image=f"synthetic:{path}")
    captions = [picture.caption for picture in pictures(app)]
    assert captions == ["Synthetic", "Nearest real"]
    assert badges(app) == ["copy"]
    assert "Exclude" in [button.label for button in app.button]
    (check.home.root / "away.png").write_bytes((check.home.dataset("phantom") / "images/bleed/00000.png").read_bytes())
    app = open_page("quality", run=check.id, part=part, image="train:images/bleed/00000.png")
    assert len(pictures(app)) == 1
    assert "the file is gone" in texts(open_page("quality", run=check.id, part=part, image="train:manifest.csv"))
    app = open_page("quality", run=check.id, part=part, image="train:../../away.png")
    assert not pictures(app), "a link reaches no file outside of the data set"


def test_a_click_puts_the_image_into_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest cannot click into a chart: what a browser would send is put in its place."""
    points = [{"customdata": ["images/a.png", "train"]}]
    session, query = {"map": SimpleNamespace(selection=SimpleNamespace(points=points))}, {}
    monkeypatch.setattr(st, "session_state", session)
    monkeypatch.setattr(st, "query_params", query)
    remember("map")
    assert query == {"image": "train:images/a.png"}
    points[0]["customdata"] = ["images/b.png", "images/its-neighbour.png"]
    remember("map")
    assert query == {"image": "synthetic:images/b.png"}
    points.clear()
    remember("map")
    assert query == {}


def test_two_checks_side_by_side_from_a_link(home: Home, check: Run, pool: Run, open_page: OpenPage) -> None:
    other = fabricated.make_quality(home, pool, flags=False)
    app = open_page("quality", run=check.id, compare=other.id)
    assert "their scores can be compared" in app.success[0].value
    (figure,) = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    names = list(dict.fromkeys(trace["name"] for trace in figure["data"]))
    assert names == ["Real against real", "A: phantom-pool · pixels", "B: phantom-pool · pixels"]
    assert "| Recall |" in texts(app)
    found = json.loads((other.path / "scores.json").read_text())
    (other.path / "scores.json").write_text(json.dumps({**found, "dataset_fingerprint": "another"}))
    assert "cannot be compared" in app.run().warning[0].value


def test_colours_say_what_real_images_score() -> None:
    """A score is green where the intervals meet, and red more than half of the way to the worst value alone."""

    def status_of_score(metric: str, value: float, **ends: float) -> str:
        return score_level(PoolScore(metric=metric, value=value, n_real=20, n_synthetic=20, **ends))

    floor = {"floor": 0.9, "floor_low": 0.85, "floor_high": 0.95}
    assert status_of_score("recall", 0.8, low=0.7, high=0.86, **floor) == "good"
    assert status_of_score("recall", 0.99, low=0.98, high=1.0, **floor) == "good"
    assert status_of_score("recall", 0.7, low=0.6, high=0.8, **floor) == "worse"
    assert status_of_score("recall", 0.4, low=0.3, high=0.5, **floor) == "far"
    assert status_of_score("two_sample", 0.97, low=0.95, high=0.99, floor=0.5) == "far"
    assert status_of_score("diversity", 1.3, low=1.2, high=1.4, floor=1.0) == "worse"
    assert status_of_score("fid", 900.0, floor=30.0) == "worse"
    assert status_of_score("kid", 0.1) == ""


def test_running_and_failed(home: Home, pool: Run, hold: Callable[[Run], Run], open_page: OpenPage) -> None:
    running = hold(fabricated.make_quality(home, pool, State.RUNNING))
    app = open_page("quality", run=running.id)
    assert "scores appear here" in texts(app)
    assert "Stop" in [button.label for button in app.button]
    failed = fabricated.make_quality(home, pool, State.FAILED, error="The disk is full; make room and resume.")
    app = open_page("quality", run=failed.id)
    assert [error.value for error in app.error] == ["The disk is full; make room and resume."]
    assert "Resume" in [button.label for button in app.button]


def test_numbers_stay_when_pool_and_data_are_deleted(check: Run, pool: Run, home: Home, open_page: OpenPage) -> None:
    shutil.rmtree(pool.path)
    shutil.rmtree(home.dataset("phantom"))
    app = open_page("quality", run=check.id)
    assert {metric.label: metric.value for metric in app.metric}["In the pool now"] == "–"
    assert "Scores beside their floors" in titles(app)
    assert "was deleted since" in texts(open_page("quality", run=check.id, part="Nearest neighbours"))
    open_page("quality", run=check.id, part="Feature map")


def test_a_link_to_a_pool_plans_its_check(pool: Run, submitted: list[Config], open_page: OpenPage) -> None:
    app = open_page("quality", run=pool.id)
    assert f"engine quality {pool.id}" in app.code[0].value
    press(app, "Start check")
    (config,) = submitted
    assert isinstance(config, QualityConfig)
    assert (config.pool, config.dataset, config.exclude) == (pool.id, "phantom", PRESETS["demo"].quality["exclude"])
    assert app.query_params["run"] == list_runs(pool.home, "quality")[0].id


def test_a_check_again_starts_from_its_settings(
    check: Run, pool: Run, submitted: list[Config], open_page: OpenPage
) -> None:
    write_json(check.path / "config.json", {**check.config(), "k": 7})
    app = open_page("quality", again=check.id)
    assert "Starts from the settings of Quality phantom-pool" in texts(app)
    press(app, "Start check")
    (config,) = submitted
    assert isinstance(config, QualityConfig)
    assert (config.pool, config.k, config.extractor) == (pool.id, 7, "pixels")
    assert "again" not in app.query_params


@pytest.fixture
def ranked(home: Home, trainings: list[Run]) -> Run:
    """A training with ranked snapshots."""
    run = trainings[0]
    (run.path / "snapshots").mkdir()
    for images in range(2000, 12001, 2000):
        (run.path / "snapshots" / f"network-{images:09d}.safetensors").touch()
    fabricated.make_ranking(home, run)
    return run


def test_a_training_without_ranking_offers_one(
    trainings: list[Run], submitted: list[Config], open_page: OpenPage
) -> None:
    (trainings[1].path / "snapshots").mkdir()
    (trainings[1].path / "snapshots" / "network-000002000.safetensors").touch()
    app = press(open_page("quality", run=trainings[1].id), "Rank the snapshots")
    (config,) = submitted
    assert isinstance(config, RankingConfig)
    assert config.run == trainings[1].id
    assert list_runs(trainings[1].home, "ranking")[0].id == app.query_params["run"]


def test_the_best_snapshot_is_exported_after_asking(
    ranked: Run, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[str] = []
    monkeypatch.setattr(ranking_part, "run_export", lambda training, snapshot: exported.append(snapshot))
    app = open_page("quality", run=list_runs(ranked.home, "ranking")[0].id)
    assert "Snapshots by their distance to the validation images" in titles(app)
    remarks = app.dataframe[0].value.set_index("Snapshot")[""]
    assert remarks["network-000010000.safetensors"] == "lowest KID"
    assert remarks["network-000012000.safetensors"] == "not told apart, exported"
    assert "does not show that they are equally good" in app.info[0].value
    press(app, "Export this one…")
    assert "takes the place of network-000012000" in texts(app)
    assert not exported
    press(app, "Export this one…", "Export")
    assert exported == ["network-000010000.safetensors"]


def test_a_failed_export_is_one_sentence(home: Home, ranked: Run) -> None:
    """The snapshots are empty files, which the command line refuses."""
    with pytest.raises(ErsatzError, match=r"network-000010000\.safetensors") as refused:
        ranking_part.run_export(ranked, "network-000010000.safetensors")
    assert "Traceback" not in str(refused.value)
    assert ranking_part.exported_snapshot(ranked) == "network-000012000.safetensors"


def test_a_ranking_is_repeated_with_its_own_settings(home: Home, ranked: Run, open_page: OpenPage) -> None:
    ranking = list_runs(home, "ranking")[0]
    write_json(ranking.path / "config.json", {**ranking.config(), "images": 777})
    app = open_page("quality", again=ranking.id)
    assert 777 in [number.value for number in app.number_input]
    assert 777 not in [number.value for number in open_page("quality", view="Snapshots").number_input]
