"""The next step of a data set in every state of its runs: what goes on is watched, what is wrong is looked at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.configs import PipelineConfig
from engine.store.home import Home
from engine.store.runs import Alarm, Run, State, create_run, list_runs
from pages.components.run_summary import summaries_of
from pages.overview.journeys import Journey, journeys
from pages.overview.next_steps import Next, next_step
from pages.overview.steps import STEPS
from tests import fabricated

COLLAPSE = Alarm(name="collapse", sentence="All images look alike.", time=1.0, kimg=6.0)
Hold = Callable[[Run], Run]
STEP = {step.kind: step for step in STEPS}


def journey_of(home: Home) -> Journey:
    return journeys(summaries_of(list_runs(home)))[0]


def way(home: Home) -> tuple[str, str, str]:
    """Words of the button, its page, and the run that it opens."""
    step: Next = next_step(journey_of(home))
    return step.label, step.page, step.query.get("run", "")


@pytest.fixture(autouse=True)
def dataset(home: Home) -> None:
    fabricated.make_dataset(home)


def test_a_running_class_is_watched_while_the_other_waits(home: Home, hold: Hold) -> None:
    """The waiting one is the newer run."""
    running = hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    waiting = hold(fabricated.make_training(home, "normal", State.QUEUED, done=0))
    assert way(home) == ("Watch the training", "train", running.id)
    journey = journey_of(home)
    assert journey.link(STEP["train"]) == {"run": running.id}
    assert journey.state(STEP["train"]).words == "1 running, 1 waiting"
    assert [seen.run.id for seen in journey.active()] == [running.id, waiting.id]


def test_what_only_waits_leads_to_the_queue(home: Home, hold: Hold) -> None:
    waiting = [hold(fabricated.make_training(home, name, State.QUEUED, done=0)) for name in fabricated.CLASSES]
    assert way(home) == ("See what it waits for", "runs", waiting[-1].id)


def test_a_class_without_any_training_is_still_asked_for(home: Home, hold: Hold) -> None:
    hold(fabricated.make_training(home, "bleed", State.RUNNING, done=3))
    step = next_step(journey_of(home))
    assert step.label == "Train a generator"
    assert "bleed is under way" in step.sentence and "Train a generator for normal" in step.sentence


@pytest.mark.parametrize("state", [State.FAILED, State.STOPPED, State.RUNNING])
def test_a_training_that_broke_is_looked_at_whatever_the_other_does(home: Home, hold: Hold, state: State) -> None:
    """Running without a holder of its lock: it was interrupted."""
    broken = fabricated.make_training(home, "bleed", state, done=3, error="The disk is full.")
    hold(fabricated.make_training(home, "normal", State.RUNNING, done=3))
    assert way(home) == ("Look at the training", "train", broken.id)
    again = hold(fabricated.make_training(home, "bleed", State.QUEUED, done=0))
    assert way(home)[0] == "Watch the training", f"{again.id} takes its place"


def test_a_finished_training_with_an_alarm_is_no_green_step(home: Home) -> None:
    bad = fabricated.make_training(home, "bleed", alarms=(COLLAPSE,))
    fabricated.make_training(home, "normal")
    journey = journey_of(home)
    assert journey.state(STEP["train"]) == ("collapsed", "alarm")
    step = next_step(journey)
    assert (step.label, step.query) == ("Look at the alarm", {"run": bad.id})
    assert step.other is not None and step.other[1] == "generate"
    fabricated.make_training(home, "bleed")
    assert way(home)[0] == "Look at its images", "trained again, without an alarm"
    assert journey_of(home).state(STEP["train"]).look == "done"


def test_a_notice_is_no_alarm(home: Home) -> None:
    notice = Alarm(name="ada-off", sentence="Augmentation is in effect off.", time=1.0)
    for name in fabricated.CLASSES:
        fabricated.make_training(home, name, alarms=(notice,))
    assert journey_of(home).state(STEP["train"]) == ("2 generators", "done")
    assert way(home)[0] == "Look at its images"


def test_one_generator_for_all_classes_takes_the_place_of_those_before(home: Home) -> None:
    fabricated.make_training(home, "bleed", State.FAILED, done=3, error="No memory.")
    whole = fabricated.make_stylegan(home)
    assert way(home) == ("Look at its images", "generate", whole.id)
    assert journey_of(home).state(STEP["train"]).look == "done"


def test_later_steps_are_watched_and_looked_at_alike(home: Home, hold: Hold) -> None:
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    pool = fabricated.make_pool_run(home, trainings)
    fabricated.set_state(pool, State.FAILED, error="No room.")
    assert way(home) == ("Look at the pool", "generate", pool.id)
    hold(fabricated.set_state(pool, State.RUNNING))
    assert way(home) == ("Watch the pool", "generate", pool.id)
    fabricated.set_state(pool, State.FINISHED)
    check = fabricated.make_quality(home, pool)
    hold(fabricated.set_state(check, State.RUNNING))
    assert way(home) == ("Watch the check", "quality", check.id)
    fabricated.set_state(check, State.FAILED, error="No room.")
    assert way(home) == ("Look at the check", "quality", check.id)
    fabricated.set_state(check, State.FINISHED)
    step = next_step(journey_of(home))
    assert (step.label, step.query) == ("Look at the check", {"run": check.id}), "it found copies"
    assert step.other is not None and step.other[0] == "Plan the sweep"
    sweep = fabricated.make_sweep(home, pool)
    hold(fabricated.set_state(sweep, State.RUNNING))
    assert way(home) == ("Watch the evaluation", "evaluate", sweep.id)
    fabricated.set_state(sweep, State.FINISHED)
    assert way(home) == ("Read the verdict", "evaluate", sweep.id)


def test_a_journey_between_two_steps_asks_for_nothing(home: Home, hold: Hold) -> None:
    for name in fabricated.CLASSES:
        fabricated.make_training(home, name)
    whole = create_run(home, PipelineConfig().plain(), "journey demo")
    hold(fabricated.set_state(whole, State.RUNNING, result={"dataset": "phantom"}))
    assert way(home) == ("Watch the journey", "runs", whole.id)


def test_of_a_quick_look_there_is_no_verdict_to_be_read(home: Home) -> None:
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    sweep = fabricated.make_sweep(home, fabricated.make_pool_run(home, trainings), seeds=3)
    assert way(home) == ("Read the quick look", "evaluate", sweep.id)
