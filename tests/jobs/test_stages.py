"""The progress of a run is that of the whole run, whatever stage it is in."""

from __future__ import annotations

import pytest

from engine.configs import DcganConfig
from engine.jobs.hooks import Hooks
from engine.store.home import Home
from engine.store.progress import Progress
from engine.store.runs import Run, create_run


@pytest.fixture
def run(home: Home) -> Run:
    return create_run(home, DcganConfig(dataset="phantom", class_name="bleed").plain(), "a run")


def shares(run: Run, stages: tuple[str, ...], *told: Progress) -> list[float | None]:
    """How much of the run is done after each report."""
    hooks, found = Hooks(run, stages), []
    for progress in told:
        hooks.report(progress)
        hooks.flush()
        found.append(run.status().share)
    return found


def test_each_stage_is_a_step_of_the_run(run: Run) -> None:
    told = [Progress("look", 5, 10, "files"), Progress("look", 10, 10, "files"), Progress("write", 1, 4, "images")]
    assert shares(run, ("look", "write"), *told) == [0.25, 0.5, 0.625]
    status = run.status()
    assert (status.stage, status.step, status.steps, status.done, status.unit) == ("write", 2, 2, 1, "images")
    assert shares(run, (), *told) == [0.5, 1.0, 0.25], "of a run of one step only its own count is known"


def test_what_is_no_step_is_named_and_moves_nothing(run: Run) -> None:
    told = [Progress("training", 6, 12, "kimg"), Progress("real features", 512, 4682, "images")]
    assert shares(run, ("training",), Progress("reading", 0, 1, "kimg"), *told) == [None, 0.5, 0.5]
    status = run.status()
    assert status.stage == "real features, 512 of 4,682 images"
    assert (status.done, status.total, status.unit, status.steps) == (6, 12, "kimg", 0)
    shares(run, ("training",), told[0], Progress("exporting", 12, 12, "kimg"))
    assert run.status().stage == "exporting", "the same count is not said twice"


def test_a_count_that_was_still_waiting_is_written_with_what_comes_after_it(run: Run) -> None:
    """Counts are written a few times a second at most; the last one before an export must not be lost."""
    hooks = Hooks(run, ("training",))
    for done in (0, 6, 12):
        hooks.report(Progress("training", done, 12, "kimg"))
    hooks.report(Progress("exporting", 12, 12, "kimg"))
    hooks.flush()
    assert (run.status().stage, run.status().done) == ("exporting", 12)
