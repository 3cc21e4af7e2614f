"""Overview in every state of a home, and the demo started by one press."""

from __future__ import annotations

import json

import pytest

from engine import gpus
from engine.configs import PipelineConfig
from engine.store.errors import AlreadyActive
from engine.store.home import Home
from engine.store.runs import Alarm, Run, State, create_run, list_runs
from pages.components import machine as parts_machine
from pages.components import runs as parts
from pages.components.format import plain_sentence
from pages.components.headlines import headline_of
from pages.components.machine import gpus_in_words
from tests import fabricated
from tests.pages.conftest import OpenPage, texts


def make_journey(home: Home, state: State, sweep: Run | None = None, **changes: object) -> Run:
    run = create_run(home, PipelineConfig().plain(), "journey demo")
    result = {"dataset": "phantom", **({"sweep": sweep.id} if sweep else {})}
    return fabricated.set_state(run, state, result=result, **changes)


def test_an_empty_home_offers_the_demo(open_page: OpenPage) -> None:
    app = open_page("overview")
    said = texts(app)
    assert "Try the demo" in [button.label for button in app.button]
    assert "Start with your own images" in said
    assert "0 running, 0 waiting" in said


def test_a_running_journey_shows_progress_and_its_runs(open_page: OpenPage, home: Home, hold) -> None:
    fabricated.make_dataset(home)
    training = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    journey = make_journey(home, State.RUNNING, done=3, total=12, unit="kimg", stage="Train generator 1 of 2")
    journey.update(result={"dataset": "phantom", "train": [training.id], "size_sentence": "The size is small."})
    hold(journey)
    app = open_page("overview")
    assert "Stop" in [button.label for button in app.button]
    assert "Try the demo" not in [button.label for button in app.button]
    assert any("Train phantom · bleed" in link.proto.label for link in app.get("page_link"))
    assert "Train generator 1 of 2" in app.get("progress")[0].proto.text
    assert "The size is small." in texts(app)


def test_a_journey_that_knows_its_time_says_what_is_left(open_page: OpenPage, home: Home, hold) -> None:
    fabricated.make_dataset(home)
    hold(make_journey(home, State.RUNNING, done=60, total=240, unit="s", stage="Sweep"))
    assert open_page("overview").get("progress")[0].proto.text == "Sweep · about 3 min 0 s left"


def test_a_finished_journey_says_the_verdict(open_page: OpenPage, home: Home) -> None:
    sweep = fabricated.make_everything(home)
    make_journey(home, State.FINISHED, sweep, done=80, total=80, unit="trials")
    app = open_page("overview")
    said = texts(app)
    told = headline_of(sweep)
    assert told is not None
    assert told.word in said and plain_sentence(told.line) in said and plain_sentence(told.tallies[0]) in said
    assert "Phantom" in said
    links = [link.proto for link in app.get("page_link")]
    assert any(link.page == "evaluate" and sweep.id in link.query_string for link in links)


def test_a_failed_journey_says_why_and_offers_to_resume(open_page: OpenPage, home: Home) -> None:
    make_journey(home, State.FAILED, error="The disk is full. Free some space and resume.")
    app = open_page("overview")
    assert "The disk is full. Free some space and resume." in texts(app)
    assert "Resume" in [button.label for button in app.button]


def test_an_interrupted_journey_offers_to_resume(open_page: OpenPage, home: Home) -> None:
    make_journey(home, State.RUNNING)
    app = open_page("overview")
    assert "ended without a word" in texts(app)
    assert "Resume" in [button.label for button in app.button]


def test_each_data_set_says_its_next_step(open_page: OpenPage, home: Home, hold) -> None:
    """From freezing to reading the verdict; the one that was worked on last comes first, unless the link says which."""

    def next_of(dataset: str = "") -> tuple[str, str]:
        app = open_page("overview", **({"dataset": dataset} if dataset else {}))
        step = next(button for button in app.button if button.proto.type == "primary")
        return app.selectbox[0].value if app.selectbox else "", step.label

    fabricated.make_dataset(home, "open", frozen=False)
    assert next_of() == ("", "Look at the findings")
    fabricated.make_dataset(home)
    assert next_of("phantom") == ("phantom", "Train a generator")
    trainings = [fabricated.make_training(home, "bleed")]
    assert next_of() == ("phantom", "Train a generator"), "the other class has none yet"
    trainings.append(fabricated.make_training(home, "normal"))
    set_stopped_with_its_generator(trainings[1])
    assert next_of() == ("phantom", "Look at its images"), "a stopped training has a generator too"
    pool = fabricated.make_pool_run(home, trainings)
    assert next_of() == ("phantom", "Check the pool")
    fabricated.make_quality(home, pool)
    assert next_of() == ("phantom", "Look at the check"), "it found copies"
    fabricated.make_sweep(home, pool)
    assert next_of() == ("phantom", "Read the verdict")
    assert next_of("open") == ("open", "Look at the findings")


def set_stopped_with_its_generator(run: Run) -> None:
    fabricated.set_state(run, State.STOPPED)


def test_a_failed_run_of_the_data_set_is_shown_with_the_way_on(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    fabricated.make_training(home, "bleed", State.FAILED, done=3, error="The disk is full. Free some space and resume.")
    app = open_page("overview")
    assert "The disk is full. Free some space and resume." in texts(app)
    assert "Resume" in [button.label for button in app.button]


def test_one_press_submits_the_demo(open_page: OpenPage, home: Home, hold, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted = []

    def submit(home: Home, config: PipelineConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        submitted.append(config)
        return hold(make_journey(home, State.RUNNING))

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("overview")
    next(button for button in app.button if button.label == "Try the demo").click().run()
    assert submitted == [PipelineConfig(preset="demo", size="auto")]
    assert not app.exception
    assert "Stop" in [button.label for button in app.button]


def test_a_second_press_is_refused_in_a_sentence(
    open_page: OpenPage, home: Home, hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tab pressed first: this one still shows the button."""

    def submit(home: Home, config: PipelineConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        raise AlreadyActive(hold(make_journey(home, State.RUNNING)).id)

    app = open_page("overview")
    monkeypatch.setattr(parts, "submit", submit)
    next(button for button in app.button if button.label == "Try the demo").click().run()
    assert not app.exception
    assert "already in progress" in app.toast[0].value
    assert "Stop" in [button.label for button in app.button]


def test_every_gpu_of_the_machine_is_told() -> None:
    one, two = "NVIDIA T4, 512, 15360, 7\n", "NVIDIA H200, 1024, 144384, 0\n"
    assert gpus_in_words(one) == ("NVIDIA T4", "0.5 of 15.0 GiB, 7 % busy")
    words = gpus_in_words(two + one + two)
    assert words is not None
    assert words[0] == "2 × NVIDIA H200, NVIDIA T4"
    assert words[1].count("busy") == 3
    assert gpus_in_words("") is None


def test_a_gpu_is_told_where_the_driver_alone_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (gpus.Gpu(0, "", "NVIDIA T4", 15 * 2**30), gpus.Gpu(1, "", "", 0))
    monkeypatch.setattr(parts_machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(gpus, "installed", lambda: found)
    assert parts_machine._gpu() == ("NVIDIA T4, NVIDIA GPU", "15.0 GiB; memory not told")
    monkeypatch.setattr(gpus, "installed", lambda: ())
    assert parts_machine._gpu() is None


def test_train_opens_on_what_runs_and_overview_leads_there(open_page: OpenPage, home: Home, hold) -> None:
    """The waiting training is the newer one."""
    fabricated.make_dataset(home)
    running = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    hold(fabricated.make_training(home, "normal", State.QUEUED, done=0))
    assert open_page("train").selectbox(key="train").value == running.id
    app = open_page("overview")
    assert [button.label for button in app.button if button.proto.type == "primary"] == ["Watch the training"]


def test_an_alarm_is_seen_wherever_the_run_is_listed(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    alarm = Alarm(name="collapse", sentence="All images look alike.", time=1.0)
    bad = fabricated.make_training(home, "bleed", alarms=(alarm,))
    fabricated.make_training(home, "normal")
    app = open_page("overview")
    badges = [mark.value for mark in app.markdown if "-badge[" in mark.value]
    assert sum("orange-badge" in mark and "collapsed" in mark for mark in badges) == 2, "its step and its line"
    assert sum("orange-badge" in mark and "finished" in mark for mark in badges) == 1
    assert sum("green-badge" in mark and "finished" in mark for mark in badges) == 1, "the other one"
    shown = open_page("train", run=bad.id)
    assert next(button for button in shown.button if button.label == "Generate with it").proto.type == "secondary"


def test_the_latest_verdict_is_told_by_what_decides(open_page: OpenPage, home: Home) -> None:
    """Over all shares, against as many repeated real images; a quick look is called one, whatever its numbers."""
    sweep = fabricated.make_everything(home)
    rows = [
        row
        for row in json.loads((sweep.path / "summary.json").read_text())["comparisons"]
        if (row["arm"], row["against"], row["metric"]) == ("real+synthetic", "real+duplicates", "accuracy")
    ]
    values = [100 * row["mean_difference"] for row in rows]
    said = texts(open_page("overview"))
    assert f"Against the same number of repeated real images: higher at {sum(value > 0 for value in values)}" in said
    assert f"{min(values):+.1f} to {max(values):+.1f} points" in said
    quick = fabricated.make_sweep(home, list_runs(home, "pool")[0], seeds=3)
    assert "Quick look, no verdict" in texts(open_page("overview")), quick.id
