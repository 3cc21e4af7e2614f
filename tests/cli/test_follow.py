"""What is printed while runs go on: a line for each new stage, how far they are, and how they ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import typer

from engine.cli import follow as following
from engine.cli.follow import _Bars, follow_to_end
from engine.configs import PipelineConfig
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, State, Status, create_run


def journey(home: Home, **status: object) -> Run:
    run = create_run(home, PipelineConfig(size="auto").plain(), "journey demo")
    run.update(**status)
    return run


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Run, list[dict]], None]]:
    """Lets a run come to the next of these statuses whenever the command line waits; the last one is its end."""
    locks: list[FileLock] = []

    def play(run: Run, statuses: list[dict]) -> None:
        locks.append(FileLock(run.lock_path))
        assert locks[0].acquire()
        ahead = iter(statuses)
        run.update(**next(ahead))

        def turn(_: float) -> None:
            run.update(**next(ahead))

        monkeypatch.setattr(following.time, "sleep", turn)

    yield play
    for lock in locks:
        lock.release()


def test_a_journey_prints_each_step_once_and_its_size(
    home: Home, scenes: Callable[[Run, list[dict]], None], capfd: pytest.CaptureFixture[str]
) -> None:
    run = journey(home)
    training = {"state": State.RUNNING, "stage": "Train 2 generators", "unit": "s", "total": 200.0}
    sized = {"result": {"size": "small", "size_sentence": "The size is small."}}
    scenes(run, [{**training, "done": 10.0, **sized}, {**training, "done": 20.0}, {"state": State.FINISHED}])
    follow_to_end([run], ["demo"])
    printed = capfd.readouterr().err
    assert printed.count("demo: Train 2 generators\n") == 1
    assert printed.count("The size is small.\n") == 1
    assert "demo: finished\n" in printed


def test_how_far_it_is_in_words(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(following.time, "monotonic", lambda: now[0])
    bars = _Bars()
    run = journey(home)
    assert bars._told(run, Status(done=50.0, total=290.0, unit="s")) == "about 4 min left"
    assert bars._told(run, Status(done=2.5, total=6.0, unit="steps")) == "step 3 of 6"
    assert bars._told(run, Status()) == ""
    training = create_run(home, {"kind": "train"}, "train")
    assert bars._told(training, Status(stage="training", done=1.0, total=9.0, unit="kimg")) == "1 of 9 kimg"
    now[0] = 10.0
    told = bars._told(training, Status(stage="training", done=3.0, total=9.0, unit="kimg"))
    assert told == "3 of 9 kimg, about 30 s left"


def test_the_first_failure_is_the_sentence_and_a_stop_the_exit_code(home: Home) -> None:
    good, stopped, failed = (journey(home, state=state) for state in (State.FINISHED, State.STOPPED, State.FAILED))
    failed.update(error="Found a, expected b; do c.")
    follow_to_end([good], ["one"])
    with pytest.raises(ErsatzError, match="Found a"):
        follow_to_end([good, stopped, failed], ["one", "two", "three"])
    with pytest.raises(typer.Exit) as ending:
        follow_to_end([good, stopped], ["one", "two"])
    assert ending.value.exit_code == following.EXIT_STOPPED
    interrupted = journey(home, state=State.RUNNING)  # nobody holds its lock
    with pytest.raises(ErsatzError, match="was interrupted"):
        follow_to_end([interrupted], ["one"])
