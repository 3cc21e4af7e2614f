"""Runs: the table, its filters, the queue, stop, resume and delete, log and settings."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from engine.store import index
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from pages.parts import runs as parts
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts


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
    assert (running["what"], running["progress"], running["dataset"]) == ("Train phantom · bleed", 25.0, "phantom")


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
    assert len(listed(app)) == 3


def test_a_failed_run_shows_sentence_alarm_log_and_settings(open_page: OpenPage, home: Home) -> None:
    alarm = {"name": "explosion", "sentence": "The loss became NaN at 3 kimg.", "time": 0.0}
    run = fabricated.make_training(
        home, "bleed", State.FAILED, done=3, error="Lower the learning rate.", alarms=[alarm]
    )
    run.log_path.write_text("first line\nlast line\n")
    app = open_page("runs", run=run.id)
    said = texts(app)
    assert "Lower the learning rate." in said
    assert "The loss became NaN at 3 kimg." in said
    assert "last line" in app.code[0].value
    assert '"class_name": "bleed"' in app.json[0].value or "'class_name': 'bleed'" in app.json[0].value
    assert {"Resume", "Delete"} <= {button.label for button in app.button}


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
    first, second = (hold(fabricated.make_training(home, name, State.QUEUED, done=0)) for name in fabricated.CLASSES)
    for run in (first, second):
        index.enqueue(home, run.id)
    app = open_page("runs")
    app.button(key=f"up-{second.id}").click().run()
    assert index.queue(home) == [second.id, first.id]
