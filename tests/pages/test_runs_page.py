"""Runs: the table, its filters, the queue, stop, resume and delete, log and settings."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from streamlit.testing.v1 import AppTest

from engine.configs import Config, PipelineConfig
from engine.jobs.kinds import parse_config
from engine.store import index
from engine.store.about import About, about, change_about
from engine.store.home import Home
from engine.store.roles import machine_user
from engine.store.run_views import run_views, save_view
from engine.store.runs import Alarm, Run, State, create_run, list_runs
from pages.components import query_params
from pages.components import runs as parts
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts, words


@pytest.fixture(autouse=True)
def dataset(home: Home, request: pytest.FixtureRequest) -> None:
    """Every run is of the data set phantom."""
    if "empty" not in request.node.name:
        fabricated.make_dataset(home)


def make_chain(home: Home) -> Run:
    """Two trainings, their pool and its sweep, all finished; returns the sweep."""
    trainings = [fabricated.make_training(home, class_name) for class_name in fabricated.CLASSES]
    return fabricated.make_sweep(home, fabricated.make_pool_run(home, trainings))


def listed(app: AppTest) -> list[str]:
    """Ids of the runs in the table."""
    return list(app.dataframe[0].value["run"]) if app.dataframe else []


def test_an_empty_home_says_where_to_begin(open_page: OpenPage) -> None:
    assert "Nothing has run here yet" in texts(open_page("runs"))


def test_every_run_is_listed_with_its_state(open_page: OpenPage, home: Home, hold) -> None:
    make_chain(home)
    alive = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    fabricated.make_training(home, "bleed", State.FAILED, done=3, error="no")
    fabricated.make_training(home, "bleed", State.RUNNING, done=3)
    table = open_page("runs").dataframe[0].value
    assert sorted(state[0] for state in table["state"]) == ["failed", *["finished"] * 4, "interrupted", "running"]
    running = table[table["run"] == alive.id].iloc[0]
    page, _, shown = unquote(running["what"]).partition("#")
    assert (page, shown) == (f"train?run={alive.id}", "Train phantom · bleed")
    assert (running["progress"], running["dataset"]) == (25.0, "phantom")


def test_filters_narrow_the_table(open_page: OpenPage, home: Home) -> None:
    sweep = make_chain(home)
    failed = fabricated.make_training(home, "bleed", State.FAILED, done=3)
    app = open_page("runs")
    app.multiselect(key="state").set_value(["failed"]).run()
    assert listed(app) == [failed.id]
    app.multiselect(key="state").set_value([])
    app.multiselect(key="kind").set_value(["sweep"]).run()
    assert listed(app) == [sweep.id]
    app.text_input(key="search").set_value("nothing like it").run()
    assert listed(app) == []
    assert "No run passes this filter" in texts(app)


def test_a_damaged_run_does_not_hide_the_others(open_page: OpenPage, home: Home) -> None:
    sweep = make_chain(home)
    (sweep.path / "status.json").write_text("{torn")
    app = open_page("runs")
    states = dict(zip(listed(app), app.dataframe[0].value["state"], strict=True))
    assert len(states) == 4 and [name for name, state in states.items() if list(state) == ["damaged"]] == [sweep.id]


def test_a_failed_run_shows_sentence_alarm_log_and_settings(open_page: OpenPage, home: Home) -> None:
    alarm = Alarm(name="explosion", sentence="The loss became NaN at 3 kimg.", time=0.0)
    run = fabricated.make_training(
        home, "bleed", State.FAILED, done=3, error="Lower the learning rate.", alarms=(alarm,)
    )
    run.log_path.write_text("first line\nlast line\n")
    app = open_page("runs", run=run.id)
    said = texts(app)
    assert "Lower the learning rate." in said
    assert "The loss became NaN at 3 kimg." in said
    assert "last line" in app.code[0].value
    assert '"class_name": "bleed"' in app.json[0].value or "'class_name': 'bleed'" in app.json[0].value
    assert {"Resume", "Delete"} <= {words(button.label) for button in app.button}


def test_an_unknown_run_in_the_link_is_said(open_page: OpenPage, home: Home) -> None:
    make_chain(home)
    assert "There is no run 20200101-gone here" in texts(open_page("runs", run="20200101-gone"))
    assert "There is no run ../../etc here" in texts(open_page("runs", run="../../etc"))


def test_stop_asks_first(open_page: OpenPage, home: Home, hold) -> None:
    run = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    app = open_page("runs", run=run.id)
    assert next(button for button in app.button if button.label == "Delete").disabled
    press(app, "Stop")
    assert not run.stop_requested()
    assert "It can be resumed later from there." in texts(app)
    press(app, "Stop", "Stop the run")
    assert run.stop_requested()
    stop = next(button for button in app.button if button.label == "Stop")
    assert stop.disabled, "a second press is refused"


def test_resume_starts_once(open_page: OpenPage, home: Home, hold, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    resumed: list[str] = []

    def resume(run: Run) -> None:
        resumed.append(run.id)
        hold(fabricated.set_state(run, State.RUNNING))

    monkeypatch.setattr(parts, "resume", resume)
    app = press(open_page("runs", run=run.id), "Resume")
    assert resumed == [run.id]
    assert "Resume" not in [button.label for button in app.button]


def test_delete_lists_what_depends_on_the_run(open_page: OpenPage, home: Home) -> None:
    make_chain(home)
    training = list_runs(home, "train")[0]
    app = press(open_page("runs", run=training.id), "Delete")
    assert "Pool phantom-pool" in texts(app)
    assert training.exists()
    press(app, "Delete", "Delete it")
    assert not training.exists()
    assert "Mark a run in the table" in texts(app)


def test_the_queue_can_be_reordered(open_page: OpenPage, home: Home, hold) -> None:
    running = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    queued = [hold(fabricated.make_training(home, "normal", State.QUEUED, done=0)).id for _ in range(3)]
    for run_id in queued:
        index.enqueue(home, run_id)
    first, second, third = queued
    app = open_page("runs")
    assert f"which has: {parts.title(running)}" in texts(app)
    app.button(key=f"up-{second}").click().run()
    assert index.queue(home) == [second, first, third]
    app.button(key=f"first-{third}").click().run()
    assert index.queue(home) == [third, second, first]
    app.button(key=f"down-{third}").click().run()
    assert index.queue(home) == [second, third, first]
    app.button(key=f"cancel-{first}").click().run()
    app.button(key=f"cancel-{first}").click()
    press(app, "Cancel the run")
    assert Run(home, first).stop_requested()


def test_links_filter_and_mark(open_page: OpenPage, home: Home) -> None:
    """What was chosen is in the link, and the link chooses it again: for filters, one run, and several."""
    sweep = make_chain(home)
    trainings = list_runs(home, "train")
    change_about(trainings[0], tags=("best",), title="The good one", owner="ada")
    change_about(trainings[1], archived=True, owner="grace")
    app = open_page("runs")
    assert set(listed(app)) == {run.id for run in list_runs(home)} - {trainings[1].id}, "archived runs are out of sight"
    assert listed(open_page("runs", archived="true"))[-1] in {run.id for run in trainings}
    assert listed(open_page("runs", tag="best")) == [trainings[0].id]
    assert listed(open_page("runs", owner="ada", search="GOOD one")) == [trainings[0].id]
    assert listed(open_page("runs", kind="Sweep")) == [sweep.id]

    picker = next(box for box in open_page("train").selectbox if box.label == "Run")
    assert len(picker.options) == 1, "no choice either"
    app = open_page("train", run=trainings[1].id)
    assert next(box for box in app.selectbox if box.label == "Run").value == trainings[1].id, "but a link opens it"

    app = open_page("runs", run=trainings[0].id, compare=f"{trainings[1].id},gone")
    said = texts(app)
    assert "There is no run gone here" in said
    assert "2 runs" in said
    facts, settings = (frame.value for frame in app.dataframe[1:3])
    assert list(facts.columns) == ["The good one", "Train phantom · bleed"]
    assert list(settings.index) == ["class_name"], "only what differs"
    assert any("with=" + trainings[1].id in link.proto.query_string for link in app.get("page_link"))


def test_title_tags_and_archive_of_one_and_of_several(open_page: OpenPage, home: Home) -> None:
    make_chain(home)
    one, other = list_runs(home, "train")
    app = open_page("runs", run=one.id)
    next(field for field in app.text_input if field.label == "Title").set_value("The good one")
    next(field for field in app.multiselect if field.label == "Tags").set_value(["best", "paper"])
    press(app, "Save")
    assert about(one) == About("The good one", ("best", "paper"))
    assert app.subheader[0].value == "The good one"
    press(app, "Archive")
    assert about(one).archived
    press(app, "Put back")
    assert not about(one).archived

    app = open_page("runs", run=one.id, compare=other.id)
    next(field for field in app.multiselect if field.label == "Add").set_value(["best"])
    next(field for field in app.multiselect if field.label == "Take off").set_value(["paper"])
    press(app, "Save")
    assert [about(run).tags for run in (one, other)] == [("best",), ("best",)]
    press(app, "Archive")
    assert about(one).archived
    assert about(other).archived


def test_several_runs_are_stopped_and_deleted_together(open_page: OpenPage, home: Home, hold) -> None:
    pool = fabricated.make_pool_run(home, [fabricated.make_training(home, name) for name in fabricated.CLASSES])
    alive = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    one, other = [run for run in list_runs(home, "train") if run != alive]
    app = open_page("runs", run=one.id, compare=alive.id)
    assert next(button for button in app.button if button.label == "Delete 2").disabled
    press(app, "Stop 1")
    press(app, "Stop 1", "Stop them")
    assert alive.stop_requested()
    app = press(open_page("runs", run=one.id, compare=other.id), "Delete 2")
    assert "nobody can make images with it any more" in texts(app)
    press(app, "Delete 2", "Delete these 2")
    assert not one.exists()
    assert not other.exists()
    assert pool.exists()


def test_run_again(open_page: OpenPage, home: Home, hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings as a new run; with changes, the form of its page is filled in from it."""
    run = fabricated.make_training(home, "bleed", State.FAILED, done=3)
    submitted = []

    def submit(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        submitted.append((config, owner))
        return hold(fabricated.make_training(home, "bleed", State.RUNNING, done=0))

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("runs", run=run.id)
    assert any(
        link.proto.page == "train" and f"again={run.id}" in link.proto.query_string for link in app.get("page_link")
    )
    assert any("python -m engine train phantom" in code.value for code in app.code)
    press(app, "Run again")
    assert submitted == [(parse_config(run.config()), machine_user())]
    assert app.query_params["run"] == list_runs(home)[0].id


def test_what_a_browser_asks_with_an_old_address_does_not_bring_the_old_run_back(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not heard yet that the page shows another run; tests/e2e holds the real messages up."""
    old = fabricated.make_training(home, "bleed", State.FAILED, done=3)
    new = fabricated.make_training(home, "normal", State.STOPPED, done=3)
    monkeypatch.setattr(parts, "submit", lambda home, config, owner="", beside=1, place="": new)
    app = press(open_page("runs", run=old.id), "Run again")
    assert app.query_params["run"] in (new.id, [new.id])
    app.query_params["run"] = old.id
    app.run()
    assert app.query_params["run"] in (new.id, [new.id])
    assert new.id in texts(app)
    monkeypatch.setattr(query_params, "MEMORY_SECONDS", 0.0)
    app.query_params["run"] = old.id
    assert old.id in texts(app.run())


COLLAPSE = Alarm(name="collapse", sentence="All images look alike.", time=1.0)


def shown_names(app: AppTest) -> list[str]:
    return [unquote(link).partition("#")[2] for link in app.dataframe[0].value["what"]]


def test_results_stand_in_columns(open_page: OpenPage, home: Home) -> None:
    """The difference is that on which the verdict rests, with the verdict's own interval."""
    sweep = make_chain(home)
    fabricated.make_training(home, "bleed", alarms=(COLLAPSE,))
    table = open_page("runs").dataframe[0].value.set_index("run")
    summary = json.loads((sweep.path / "summary.json").read_text())
    mean = next(
        row
        for row in summary["averages"]
        if (row["arm"], row["against"], row["metric"]) == ("real+synthetic", "real+duplicates", "accuracy")
    )
    assert table.loc[sweep.id, "difference"] == pytest.approx(100 * mean["mean_difference"])
    low, high = 100 * mean["low_total"], 100 * mean["high_total"]
    assert table.loc[sweep.id, "interval"] == f"{low:+.1f} to {high:+.1f} points"
    alarmed = table[table["alarm"] != ""].iloc[0]
    assert (alarmed["alarm"], list(alarmed["state"])) == ("collapsed", ["finished", "alarm"])
    app = open_page("runs", state="alarm")
    assert len(listed(app)) == 1


def test_runs_stand_with_their_journey(open_page: OpenPage, home: Home) -> None:
    sweep = make_chain(home)
    trainings = [run.id for run in reversed(list_runs(home, "train"))]
    journey = create_run(home, PipelineConfig().plain(), "journey demo")
    made = {"dataset": "phantom", "train": trainings, "sweep": sweep.id}
    fabricated.set_state(journey, State.FINISHED, result=made)
    other = fabricated.make_training(home, "bleed")
    app = open_page("runs", grouped="true")
    pool = list_runs(home, "pool")[0].id
    assert listed(app) == [other.id, pool, journey.id, *trainings, sweep.id]
    assert shown_names(app)[2:4] == ["Journey demo", "↳ Train phantom · bleed"]


def test_a_view_is_kept_recalled_and_in_the_link(open_page: OpenPage, home: Home) -> None:
    sweep = make_chain(home)
    app = open_page("runs", kind="Sweep", columns=["Run", "Difference"])
    app.text_input(key="view-name").set_value("Only <b>sweeps</b>")
    next(button for button in app.button if button.label == "Keep what is shown").click().run()
    assert run_views(home) == {"Only b sweeps /b": {"kind": ["sweep"], "columns": ["what", "difference"]}}
    linked = open_page("runs", saved="Only b sweeps /b")
    assert listed(linked) == [sweep.id]
    assert list(linked.dataframe[0].proto.column_order) == ["what", "difference"]
    fresh = open_page("runs")
    assert len(listed(fresh)) == 4
    press(fresh, "Only b sweeps /b")
    assert listed(fresh) == [sweep.id]
    assert fresh.query_params["saved"] in ("Only b sweeps /b", ["Only b sweeps /b"])
    press(fresh, "Delete")
    assert run_views(home) == {}


def test_a_view_of_what_is_gone_shows_the_rest(open_page: OpenPage, home: Home) -> None:
    make_chain(home)
    save_view(home, "old", {"kind": ["ranking"], "tag": ["gone"], "columns": ["what", "nothing"], "grouped": True})
    (home.root / "views.json").write_text(
        (home.root / "views.json").read_text().replace('"views": {', '"views": {"bad": 3, "worse": {"kind": [1]}, ')
    )
    assert list(run_views(home)) == ["old"]
    app = open_page("runs", saved="old")
    assert not app.exception and len(listed(app)) == 4


def test_a_run_is_taken_away_with_what_it_rests_on(open_page: OpenPage, home: Home) -> None:
    sweep = make_chain(home)
    app = open_page("runs", run=sweep.id)
    assert not app.get("download_button")[1:], "nothing is looked for before the popover is open"
    app.session_state[f"take-{sweep.id}"] = True
    app.run()
    assert not app.exception
    assert "with the 3 others that it rests on" in texts(app)
    assert {"ZIP", "Notebook that repeats it"} <= {button.proto.label for button in app.get("download_button")}
