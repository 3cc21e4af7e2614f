"""The Evaluate page in the states that a person can meet it in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.folds import make_folds
from engine.report.html import write_report
from engine.review.decisions import REJECT, decide
from engine.sampling.pools import Pool
from engine.store.errors import AlreadyActive
from engine.store.files import write_json
from engine.store.home import Home
from engine.store.runs import Run, State, create_run, list_runs
from engine.sweep.headline import Tone, headline
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from engine.sweep.verdict import Verdict
from pages.components.headlines import TONES
from pages.evaluate import report
from pages.evaluate.drilling import remember
from tests.fabricated import CLASSES, make_dataset, make_everything, make_pool_run, make_sweep, make_training
from tests.pages.conftest import OpenPage, press, said_in_order, texts


def plots(app: AppTest) -> dict[str, dict]:
    """The figures on the page by title."""
    found = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    return {figure["layout"]["title"]["text"]: figure for figure in found}


def single_trials(figure: dict) -> int:
    return sum(len(trace["customdata"]) for trace in figure["data"] if trace["name"].endswith(", trials"))


def view(app: AppTest, name: str) -> AppTest:
    app.get("button_group")[0].set_value(name).run()
    assert not app.exception, app.exception
    return app


@pytest.fixture
def pool(home: Home) -> Run:
    make_dataset(home)
    return make_pool_run(home, [make_training(home, name) for name in CLASSES])


def test_empty_home_says_what_is_missing(home: Home, open_page: OpenPage) -> None:
    app = open_page("evaluate")
    assert "there is no data set yet" in texts(app)
    assert not app.button
    make_dataset(home)
    assert "there is no pool yet" in texts(open_page("evaluate"))


def test_finished_shows_the_verdict_first_then_everything_behind_it(home: Home, open_page: OpenPage) -> None:
    run = make_everything(home)
    write_report(run)
    app = open_page("evaluate", run=run.id)
    told = headline(SweepSummary.read(run.path / SUMMARY_FILE), SweepConfig.build(run.config()))
    assert told.word in app.header[0].value
    said = [text.value for text in app.markdown]
    assert said.index(told.line) < min(place for place, text in enumerate(said) if text.startswith("**In full.**"))
    assert any(told.tallies[0] in caption.value for caption in app.caption)
    (details,) = (each for each in app.expander if each.label == "Details")
    assert told.tallies[1] in [caption.value for caption in details.caption]
    assert "p 0" in details.markdown[0].value and "8 paired repetitions" in details.markdown[0].value
    assert "Phantom data" in texts(app)
    figure = plots(app)["Accuracy on real test images"]
    assert single_trials(figure) == 80
    assert [len(table.value) for table in app.dataframe] == [10], "the first tab alone: two arms, and two at 4 shares"
    compared = open_page("evaluate", run=run.id, table="Comparisons")
    assert "Accuracy: paired differences of real + synthetic" in plots(compared)
    assert [len(table.value) for table in compared.dataframe] == [15], "4 shares and their mean, against three arms"
    labels = [button.label for button in app.get("download_button")]
    assert labels[:3] == ["Numbers (CSV)", "Report (HTML)", "Save as text"], "below the plot, above its tables"
    assert (run.path / "methods.txt").read_text().strip() == app.code[0].value.strip()
    assert {"cells.csv", "comparisons.csv", "trials.parquet"} < set(labels)
    assert "Stop" not in [button.label for button in app.button]


def test_the_metric_is_chosen_in_the_url(home: Home, open_page: OpenPage) -> None:
    run = make_everything(home)
    app = open_page("evaluate", run=run.id, metric="Brier score")
    assert "Brier score on real test images" in plots(app)
    box = next(box for box in app.selectbox if box.label == "Metric")
    box.set_value("auroc").run()
    assert "AUROC on real test images" in plots(app)
    assert app.query_params["run"] == run.id


def test_the_positive_class_stands_beside_what_depends_on_it(home: Home, pool: Run, open_page: OpenPage) -> None:
    """In the verdict, the figure, the tables and the report of a sweep that names it."""
    run = make_sweep(home, pool, settings={"metric": "sensitivity", "positive_class": "normal"})
    app = open_page("evaluate", run=run.id, metric="Sensitivity")
    said = texts(app)
    assert "sensitivity (positive: normal) was" in said
    assert "About Sensitivity (positive: normal) by image" in said
    assert "positive class normal (named for the sweep)" in said
    (choice,) = (box for box in app.selectbox if box.label == "Metric")
    assert choice.value == "sensitivity"
    assert "Specificity (positive: normal): share" in choice.help
    assert "AUROC: area" in choice.help, "which is the same for both classes"
    assert "Sensitivity (positive: normal) on real test images" in plots(app)
    page = write_report(run).read_text()
    assert "Sensitivity (positive: normal)" in page and "Specificity (positive: normal)" in page
    assert "The positive class was normal (named for the sweep)." in page


def test_running_shows_the_trials_so_far_and_new_ones(
    home: Home, pool: Run, hold: Callable[[Run], Run], open_page: OpenPage
) -> None:
    run = hold(make_sweep(home, pool, State.RUNNING))
    app = open_page("evaluate", run=run.id)
    title = "Accuracy on real test images"
    assert single_trials(plots(app)[title]) == 40
    assert "Stop" in [button.label for button in app.button]
    assert [button.label for button in app.get("download_button")] == ["Numbers (CSV)"]
    finished = make_sweep(home, pool)
    (run.path / "trials.parquet").write_bytes((finished.path / "trials.parquet").read_bytes())
    assert single_trials(plots(app.run())[title]) == 80
    assert not app.exception


def test_running_without_a_trial_yet(home: Home, pool: Run, hold: Callable[[Run], Run], open_page: OpenPage) -> None:
    run = hold(make_sweep(home, pool, State.RUNNING))
    (run.path / "trials.parquet").unlink()
    assert "first trials appear here" in texts(open_page("evaluate", run=run.id))


def test_ended_without_a_trial(home: Home, pool: Run, open_page: OpenPage) -> None:
    run = make_sweep(home, pool, State.FAILED)
    (run.path / "trials.parquet").unlink()
    assert "ended before its first trial" in texts(open_page("evaluate", run=run.id))


def test_failed_keeps_its_trials_and_says_why(home: Home, pool: Run, open_page: OpenPage) -> None:
    run = make_sweep(home, pool, State.FAILED, error="The memory ran out; choose a smaller batch.")
    app = open_page("evaluate", run=run.id)
    assert [error.value for error in app.error] == ["The memory ran out; choose a smaller batch."]
    assert {"Resume", "Again with changes"} <= {button.label for button in app.button}
    assert single_trials(plots(app)["Accuracy on real test images"]) == 40


@pytest.mark.parametrize(("seed", "count"), [(3, 1), (None, 8)])
def test_a_link_to_a_trial_shows_its_confusion_matrix(
    home: Home, open_page: OpenPage, seed: int | None, count: int
) -> None:
    run = make_everything(home)
    trial = "real+synthetic,0.5" + ("" if seed is None else f",{seed}")
    app = open_page("evaluate", run=run.id, trial=trial)
    title = next(title for title in plots(app) if title.startswith("Confusion matrix"))
    cells = [int(text.split("<br>")[0]) for row in plots(app)[title]["data"][0]["text"] for text in row]
    assert sum(cells) == 24 * count
    assert "Real + synthetic, 50 %" in texts(app)
    trials = pd.read_parquet(run.path / "trials.parquet").query("arm == 'real+synthetic' and ratio == 0.5")
    if seed is not None:
        wrong = round(24 * (1 - trials.set_index("seed")["accuracy"][seed]))
        assert f"**{wrong} test images got wrong**" in texts(app)
        assert sum(len(image.proto.imgs) for image in app.get("image")) == wrong
        press(app, "Close")
        assert not any(title.startswith("Confusion matrix") for title in plots(app))


def test_a_click_on_a_point_puts_its_trial_into_the_link(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AppTest cannot click into a chart: what a browser would send is put in its place."""
    points = [{"customdata": ["real+synthetic", 0.5, 3]}]
    session, query = {"plot": SimpleNamespace(selection=SimpleNamespace(points=points))}, {"trial": "old"}
    monkeypatch.setattr(st, "session_state", session)
    monkeypatch.setattr(st, "query_params", query)
    remember("plot")
    assert query == {"trial": "real+synthetic,0.5,3"}
    points[0]["customdata"][2] = None  # a mean
    remember("plot")
    assert query == {"trial": "real+synthetic,0.5"}
    points.clear()
    remember("plot")
    assert query == {}


def to_change(app: AppTest, opened: bool = True, again: str = "") -> AppTest:
    """The form of a new sweep with its settings opened, or closed again."""
    app.session_state[f"change-settings-{again}"] = opened
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("settings", [{}, {"arms": ("real", "real+synthetic"), "looks": (8, 10), "seeds": 10}])
@pytest.mark.parametrize("thorough", ["Standard (recommended)", "Quick look"])
def test_to_open_the_settings_changes_nothing(
    home: Home, pool: Run, open_page: OpenPage, settings: dict[str, Any], thorough: str
) -> None:
    again = make_sweep(home, pool, settings=settings).id if settings else ""
    app = open_page("evaluate", **({"again": again} if again else {"view": "New sweep"}))
    if again:
        before = app.code[0].value
        assert "Start from the settings of" in [chosen.label for chosen in app.selectbox], "opened: it is to be changed"
        assert "--looks 8,10" in before
    else:
        next(group for group in app.get("button_group") if "thorough" in group.key).set_value(thorough).run()
        before = app.code[0].value
        assert "Start from the settings of" not in [chosen.label for chosen in app.selectbox]
        assert to_change(app).code[0].value == before
    box(app.number_input, "Repetitions (seeds)").set_value(12).run()
    changed = app.code[0].value
    assert "--seeds 12" in changed
    assert to_change(app, opened=False, again=again).code[0].value == changed, "closed, it keeps what was chosen"


def test_the_plan_shows_what_it_can_detect_before_it_starts(home: Home, pool: Run, open_page: OpenPage) -> None:
    app = open_page("evaluate")
    assert "24 test images. So few cannot show any difference of accuracy four times in five" in texts(app)
    to_change(app)
    box(app.number_input, "Expected to be right").set_value(0.52).run()
    assert "finds it four times in five" in texts(app)
    assert "if 52 % of each class are named right" in texts(app)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics.pop("Smallest difference").endswith(" points")
    assert metrics == {"Test images": "24", "Repetitions": "8", "Trials": "96"}
    order = said_in_order(app)
    start = order.index("Start sweep")
    assert order.index("**What this can show, and what it takes**") < start, "honest before anything is started"
    assert start < order.index("**The plan in numbers**"), "details do not push the start out of sight"


def test_the_plan_follows_what_is_chosen(home: Home, pool: Run, open_page: OpenPage) -> None:
    app = to_change(open_page("evaluate"))
    box(app.number_input, "Repetitions (seeds)").set_value(3)
    box(app.multiselect, "Only for the classes").set_value(["bleed"])
    next(arm for arm in app.checkbox if arm.key.endswith("-replaced+synthetic")).check()
    next(arm for arm in app.checkbox if arm.key.endswith("-real+duplicates")).uncheck().run()
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Smallest difference"] == "none"
    assert metrics["Trials"] == str(3 * (1 + 1 + 4 + 3 + 2)), "at 100 % no real image would be left to replace"
    said = texts(app)
    assert "this is a quick look that claims nothing" in said
    assert "Real + synthetic has no control" in said
    assert "Real replaced by synthetic has no control" in said
    assert "--extra-classes bleed" in app.code[0].value


def test_a_published_protocol_says_that_it_claims_nothing(home: Home, pool: Run, open_page: OpenPage) -> None:
    app = to_change(open_page("evaluate"))
    options = box(app.selectbox, "Start from the settings of").options
    published = next(option for option in options if option.startswith("Head CT") and option.endswith("published"))
    box(app.selectbox, "Start from the settings of").set_value(published).run()
    assert not app.exception
    assert "claims nothing" in texts(app)
    assert box(app.selectbox, "Head").value == "head-ct"
    assert "--repeats head-ct" in app.code[0].value


def test_what_cannot_be_planned_is_one_sentence(home: Home, pool: Run, open_page: OpenPage) -> None:
    app = to_change(open_page("evaluate"))
    box(app.text_input, "Shares of synthetic images").set_value("0.5, 0.25").run()
    assert not app.exception
    assert "growing, different shares" in app.error[0].value
    assert "Start sweep" not in [button.label for button in app.button]


def box(elements: Any, label: str) -> Any:
    return next(element for element in elements if element.label == label)


@pytest.fixture
def submitted(home: Home, monkeypatch: pytest.MonkeyPatch) -> list[SweepConfig]:
    """What the page would start; the runs stay queued."""
    configs: list[SweepConfig] = []

    def submit(home: Home, config: SweepConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        configs.append(config)
        return create_run(home, config.plain(), "sweep")

    monkeypatch.setattr("pages.components.runs.submit", submit)
    return configs


def test_start_submits_the_plan_and_shows_the_run(
    home: Home, pool: Run, open_page: OpenPage, submitted: list[SweepConfig]
) -> None:
    app = to_change(open_page("evaluate"))
    box(app.number_input, "Repetitions (seeds)").set_value(10)
    box(app.text_input, "Looks on the way").set_value("8")
    box(app.number_input, "Difference that would not matter").set_value(0.02)
    press(app, "Start sweep")
    assert [(config.margin, config.primary_ratio) for config in submitted] == [(0.02, None)]
    assert [(config.looks, "real-subset" in config.arms) for config in submitted] == [((8, 10), True)]
    assert [(config.pool, config.seeds, config.steps) for config in submitted] == [(pool.id, 10, 200)]
    assert app.query_params["run"] == list_runs(home, "sweep")[0].id
    assert app.get("button_group")[0].value == "Results"


def test_a_second_press_finds_the_first_run(
    home: Home, pool: Run, hold: Callable[[Run], Run], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = hold(make_sweep(home, pool, State.RUNNING))

    def submit(home: Home, config: SweepConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        raise AlreadyActive(run.id)

    monkeypatch.setattr("pages.components.runs.submit", submit)
    app = view(open_page("evaluate", run=run.id), "New sweep")
    next(button for button in app.button if button.label == "Start sweep").click().run()
    assert app.get("button_group")[0].value == "Results"
    assert any("already in progress" in toast.value for toast in app.toast)


@pytest.fixture
def folds(home: Home, pool: Run) -> list[Run]:
    """The pools of two folds of the phantom."""
    made = []
    for fold in make_folds(Dataset.open(home, "phantom"), 2):
        run = Run(home, f"{pool.id}-{fold.name}")
        shutil.copytree(pool.path, run.path)
        changes = {"dataset": fold.name, "dataset_fingerprint": fold.fingerprint}
        write_json(run.path / "config.json", {**pool.config(), **changes})
        made.append(run)
    return made


def test_a_cross_validation_is_offered_once_every_fold_has_a_pool(
    home: Home, folds: list[Run], submitted: list[SweepConfig], open_page: OpenPage
) -> None:
    app = open_page("evaluate")
    pools = box(app.selectbox, "Pool of synthetic images")
    assert pools.value == ""
    assert pools.options[0] == "Cross-validation: 2 folds with a pool each"
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Test images"], metrics["Trials"]) == ("76", "192"), "every image is tested once"
    assert app.code[0].value.startswith(f"python -m engine sweep {folds[0].id} {folds[1].id} ")
    press(app, "Start sweep")
    (config,) = submitted
    assert [(fold.dataset, fold.pool) for fold in config.folds] == [
        ("phantom-fold1", folds[0].id),
        ("phantom-fold2", folds[1].id),
    ]
    assert (config.dataset, config.pool) == ("phantom", "")


def test_two_sweeps_side_by_side_from_a_link(home: Home, pool: Run, open_page: OpenPage) -> None:
    """Verdicts, settings, one figure over both, and differences that know they are of the same test images."""
    other, run = make_sweep(home, pool, seeds=6), make_sweep(home, pool)
    app = open_page("evaluate", view="Compare", run=run.id, compare=other.id)
    assert [box.value for box in app.success] == [
        "All were tested on the same images, so that their results can be compared image by image."
    ]
    settings, differences = (table.value for table in app.dataframe)
    assert settings["Setting"].tolist() == ["Seeds"]
    assert len(differences) == 12
    assert set(differences["Difference"]) != {"+0.0 points"}
    assert "Accuracy of real + synthetic, sweep beside sweep" in plots(app)
    assert "Pools are ranked by sweeps that differ in the pool alone" in texts(app)
    assert "differ in seeds (8 and 6)" in texts(app)
    table = pd.read_csv(other.path / "test_images.csv", dtype=str)
    table.assign(sha256="other").to_csv(other.path / "test_images.csv", index=False)
    st.cache_data.clear()
    st.cache_resource.clear()
    app.run()
    assert "tested on other images" in app.warning[0].value
    assert "–" not in set(app.dataframe[1].value["95 % interval"])  # Welch's, for other test images
    press(app, "Open it")
    assert app.get("button_group")[0].value == "Results"
    assert app.query_params["run"] == run.id


def test_a_sweep_again_starts_from_its_settings(
    home: Home, pool: Run, open_page: OpenPage, submitted: list[SweepConfig]
) -> None:
    run = make_sweep(home, pool, settings={"ratios": (0.3,), "metric": "auroc", "seeds": 9})
    app = open_page("evaluate", again=run.id)
    assert "Starts from the settings of Sweep phantom-sweep" in texts(app)
    assert "if arms differ by as much luck as in the sweep phantom-sweep" in texts(app), "the finished sweep is a pilot"
    press(app, "Start sweep")
    assert [(config.ratios, config.metric, config.seeds) for config in submitted] == [((0.3,), "auroc", 9)]
    assert "again" not in app.query_params


def test_a_quick_look_says_that_it_claims_nothing(home: Home, pool: Run, open_page: OpenPage) -> None:
    app = open_page("evaluate")
    next(group for group in app.get("button_group") if "thorough" in group.key).set_value("Quick look").run()
    assert not app.exception
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Smallest difference"], metrics["Trials"]) == ("none", "15")
    assert "cannot show any difference" in texts(app)


def test_a_sweep_beside_the_published_one(home: Home, pool: Run, open_page: OpenPage) -> None:
    """One figure, both tables, what the authors reported with the rows that cannot be, and what differs."""
    other, run = make_sweep(home, pool, seeds=3), make_sweep(home, pool)
    write_json(run.path / "config.json", {**run.config(), "beside": other.id, "repeats": "head-ct"})
    app = open_page("evaluate", run=run.id, table="As published")
    *shown, changed = (table.value for table in app.dataframe)
    assert [len(table) for table in shown] == [10, 10, 3]
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    (drawn,) = [figure["data"] for figure in figures if "as published, and sound" in str(figure["layout"]["title"])]
    assert drawn[0]["name"].startswith("As reported")
    assert len(drawn) == 5, "what was reported, and both sweeps with the control of each"
    assert changed.set_index("Setting").loc["Sweep: classifier"].tolist() == ["resnet50", "small-cnn"]
    said = texts(app)
    assert "This sweep: sound" in said
    assert "this row is impossible" in said
    assert "What differs, and why it matters" in said


def test_dropped_runs_are_compared_by_image_even_where_patients_are_judged(
    home: Home, pool: Run, open_page: OpenPage
) -> None:
    run = make_sweep(home, pool, settings={"flaws": ("dropped-runs",), "level": "patient"})
    app = open_page("evaluate", run=run.id, table="Departures")
    table = app.dataframe[0].value
    trials = pd.read_parquet(run.path / "trials.parquet")
    mean = trials.loc[trials["arm"] == "real", "accuracy"].mean()
    assert table.loc[table["Arm"] == "Real only", "Accuracy of all runs"].tolist() == [f"{100 * mean:.1f} %"]
    assert "Accuracy by image." in texts(app)


def test_self_checks_and_confidence_have_tabs_of_their_own(home: Home, open_page: OpenPage) -> None:
    run = make_everything(home)
    summary = json.loads((run.path / "summary.json").read_text())
    app = open_page("evaluate", run=run.id, table="Self-checks")
    assert texts(app).count(":green[:material/check_circle:]") == sum(check["ok"] for check in summary["checks"]) > 5
    app = open_page("evaluate", run=run.id, table="Confidence")
    assert "Confidence of the classifier, and how often it is right" in plots(app)


def test_looks_and_the_learning_curve_have_tabs_of_their_own(home: Home, pool: Run, open_page: OpenPage) -> None:
    run = make_sweep(home, pool, settings={"looks": (8, 16)})
    app = open_page("evaluate", run=run.id, table="Looks")
    assert [table.value["Look"].tolist() for table in app.dataframe] == [["1 of 2"]]
    assert "ook 1 of 2 at 8 repetitions (nominal " in texts(app)
    assert "16 is a look that was planned: its verdict counts." in texts(app)
    app = open_page("evaluate", run=run.id, table="Learning curve")
    (table,) = (each.value for each in app.dataframe)
    assert table["Share of the real images"].tolist() == ["50 %", "75 %", "100 %", "200 %"]
    assert "Accuracy against the number of real images" in plots(app)
    write_report(run)
    report = (run.path / "report.html").read_text()
    assert "Could more images have helped?" in report
    assert "spending function of O&#39;Brien-Fleming type" in report


def test_outcomes_beside_the_metric_have_tabs(home: Home, open_page: OpenPage) -> None:
    run = make_everything(home)
    said = {}
    for tab in ("Curves", "Decisions", "Threshold", "Confidence"):
        page = open_page("evaluate", run=run.id, table=tab)
        assert not page.exception
        said[tab] = " ".join(caption.value for caption in page.caption)
    assert "seeds and whole patients drawn anew" in said["Curves"]
    assert "Net benefit" in said["Decisions"]
    assert (
        "was fixed on the validation images, where it reaches a sensitivity (positive: bleed) of 90 %"
        in said["Threshold"]
    )
    assert "has no interval" in said["Confidence"]
    (run.path / "valid_images.csv").unlink()
    st.cache_resource.clear()
    page = open_page("evaluate", run=run.id, table="Threshold")
    assert any("before the scores of the validation images were kept" in caption.value for caption in page.caption)


def test_a_report_learns_what_reviewers_said_since(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_everything(home)
    if not (run.path / "report.html").is_file():
        write_report(run)
    assert "Write the report again" not in texts(open_page("evaluate", run=run.id))
    pool = Pool.open(list_runs(home, "pool")[0])
    decide(pool, [pool.manifest["path"].iloc[0]], "Ann", REJECT, "wrong anatomy")
    app = open_page("evaluate", run=run.id)
    assert "Reviewers have judged" in texts(app)
    asked = []

    def answer(*words: str, seconds: float) -> None:
        asked.append(words)
        write_report(run)

    monkeypatch.setattr(report, "run_cli", answer)
    press(app, "Write the report again")
    assert asked == [("report", run.id)]
    assert "Reviewers have judged" not in texts(app)
    assert "What reviewers saw" in (run.path / "report.html").read_text()


def test_every_verdict_has_its_mark() -> None:
    assert set(TONES) == set(get_args(Tone))
    assert set(get_args(get_type_hints(Verdict)["verdict"])) < set(TONES)
