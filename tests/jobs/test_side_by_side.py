"""Runs that were started together share the cores of the processor; all others have them alone."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from engine.configs import DcganConfig, StyleganConfig
from engine.jobs import pipeline, slots
from engine.jobs import submit as jobs
from engine.jobs.slots import CPU, Slot, combined, cpu_slots, slots_needed, usable_cores
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.progress import Progress
from engine.store.runs import Run, State, create_run
from tests.jobs.scene import ended, finish, training, worker_of

needs_two_cores = pytest.mark.skipif(usable_cores() < 2, reason="one core cannot be shared by two runs")


@pytest.mark.parametrize(("cores", "names"), [(1, ["cpu"]), (3, ["cpu", "cpu 2", "cpu 3"])])
def test_a_slot_for_each_core(cores: int, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: cores)
    found = cpu_slots()
    assert [slot.name for slot in found] == names
    assert combined(found) == combined(found[-1:]) == CPU
    config = training("quick").plain()
    assert [slots_needed(config, found, beside) for beside in (1, 2, 5)] == [cores, max(1, cores // 2), 1]


def test_who_trains_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: 4)
    monkeypatch.setattr(slots, "cuda_slots", list)
    monkeypatch.setattr(jobs, "slots_for", slots.slots_for)
    dcgans = [DcganConfig(dataset="d", class_name=name) for name in "abcdefg"]
    stylegans = [StyleganConfig(dataset="d", class_name=name) for name in "ab"]
    assert [jobs.side_by_side(dcgans[:count]) for count in (1, 2, 4, 7)] == [1, 2, 4, 4]
    assert jobs.side_by_side(stylegans) == jobs.side_by_side([dcgans[0], stylegans[0]]) == 1
    assert jobs.side_by_side([config.model_copy(update={"device": "cuda"}) for config in dcgans]) == 1
    monkeypatch.setattr(slots, "cuda_slots", lambda: [Slot("cuda:0", {"CUDA_VISIBLE_DEVICES": "0"})])
    assert jobs.side_by_side(dcgans) == 1


def test_a_training_for_each_class_or_the_one_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: 4)
    monkeypatch.setattr(slots, "cuda_slots", list)
    monkeypatch.setattr(jobs, "slots_for", slots.slots_for)
    both = ["bleed", "normal"]
    for values, class_names, made, beside in (
        ({}, both, both, 2),
        ({"class_name": ""}, both, both, 2),
        ({"class_name": "normal"}, both, ["normal"], 1),
        ({"conditional": True}, both, [""], 1),
        ({}, [""], [""], 1),
        ({"gan": "stylegan2-ada"}, both, both, 1),
    ):
        configs, together = jobs.trainings_by_class({"dataset": "d", **values}, lambda names=class_names: names)
        assert ([config.class_name for config in configs], together) == (made, beside)


@needs_two_cores
def test_two_share_the_cores_and_a_third_waits_for_all_of_them(scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    configs = [training("patient", seed) for seed in range(2)]
    beside = jobs.side_by_side(configs)
    assert beside == 2
    first, second = (jobs.submit(scripted, config, beside=beside) for config in configs)
    workers = [worker_of(run) for run in (first, second)]
    alone = jobs.submit(scripted, training("quick", seed=2))
    assert [run.state() for run in (first, second, alone)] == [State.RUNNING, State.RUNNING, State.QUEUED]
    threads = {psutil.Process(worker.pid).environ()["OMP_NUM_THREADS"] for worker in workers}
    assert threads == {str(max(1, usable_cores() // 2))} or usable_cores() > 3  # bf16 spares a core of several

    jobs.stop(first)
    assert ended(first) is State.STOPPED
    assert alone.state() is State.QUEUED  # one core is free, and it wants both
    jobs.resume(first)
    assert first.status().beside == 2  # on as many threads as before
    finish(scripted)
    assert [ended(run) for run in (first, second, alone)] == [State.FINISHED] * 3
    assert alone.status().beside == 1


@pytest.fixture
def journey(home: Home) -> Callable[..., pipeline._Pipeline]:
    """A journey that tells `told` what it reports."""

    def make(should_stop: Callable[[], bool] = lambda: False, told: list[Progress] | None = None) -> pipeline._Pipeline:
        run = create_run(home, {"kind": "journey"}, "journey")
        return pipeline._Pipeline(run, (told if told is not None else []).append, should_stop)

    return make


@needs_two_cores
def test_one_that_fails_stops_the_other(scripted: Home, journey: Callable[..., pipeline._Pipeline]) -> None:
    runs = [jobs.submit(scripted, training(name), beside=2) for name in ("patient", "team")]  # there is no team
    with pytest.raises(ErsatzError, match=r"The step 'Train' did not finish\."):
        journey().follow(runs, "Train")
    assert [run.state() for run in runs] == [State.STOPPED, State.FAILED]


@needs_two_cores
def test_a_stop_reaches_all(scripted: Home, journey: Callable[..., pipeline._Pipeline]) -> None:
    runs = [jobs.submit(scripted, training("patient", seed), beside=2) for seed in range(2)]
    with pytest.raises(pipeline._StopRequested):
        journey(should_stop=lambda: all((run.path / "worker.pid").exists() for run in runs)).follow(runs, "Train")
    assert [run.state() for run in runs] == [State.STOPPED] * 2


def ongoing(home: Home, done: float, total: float = 10.0) -> tuple[Run, FileLock]:
    """A training that has come so far, and its lock."""
    run = create_run(home, training("patient").plain(), "train")
    lock = FileLock(run.lock_path)
    assert lock.acquire()
    run.update(state=State.RUNNING, done=done, total=total, unit="kimg")
    return run, lock


def test_time_left_goes_from_what_was_expected_to_what_is_seen(
    home: Home, journey: Callable[..., pipeline._Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(pipeline.time, "monotonic", lambda: now[0])
    told: list[Progress] = []
    walk = journey(told=told)
    walk.began, walk.done, walk.expected = -20.0, 1, [20.0, 100.0, 30.0]
    walk._tell("Train", 0.0, 0.0, 0.0)
    walk._tell("Train", 10.0, 0.0, 0.0)
    now[0] = 50.0
    walk._tell("Train", 50.0, 0.0, 0.25)  # four times as slow
    walk._tell("Train", 50.0, 0.5, 0.75)  # resumed in the middle
    left = [progress.total - progress.done for progress in told]
    assert left == pytest.approx([130, 120, 150 + 30, 50 + 30])
    assert {(progress.stage, progress.unit) for progress in told} == {("Train", "s")}
    assert [progress.done for progress in told] == [20, 20, 70, 70]


def test_without_expectations_steps_are_counted(home: Home, journey: Callable[..., pipeline._Pipeline]) -> None:
    told: list[Progress] = []
    walk = journey(told=told)
    walk.steps, walk.done = 6, 2
    (one, lock), (other, other_lock) = ongoing(home, 10), ongoing(home, 5)
    walk._tell("Train", 3.0, 0.0, pipeline._share([one, other]))
    assert told == [Progress("Train", 2.75, 6, "steps")]
    for held in (lock, other_lock):
        held.release()


def test_the_share_of_a_step(home: Home) -> None:
    (half, lock), (unknown, other) = ongoing(home, 5), ongoing(home, 1, total=0)
    done = create_run(home, training("quick").plain(), "train")
    done.update(state=State.FINISHED)
    assert pipeline._share([half, unknown, done]) == pytest.approx(0.5)
    half.update(unit="images", stage="reading images")  # not its course
    assert pipeline._share([half, unknown, done]) == pytest.approx(1 / 3)
    lock.release()
    other.release()
