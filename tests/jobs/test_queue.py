"""Runs wait for their device in order, and the same run is never started twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from engine import gpus
from engine.configs import (
    Config,
    DcganConfig,
    DryRunConfig,
    ImportConfig,
    PoolConfig,
    QualityConfig,
    RankingConfig,
    SweepConfig,
)
from engine.gpus import Gpu
from engine.jobs import slots
from engine.jobs import submit as jobs
from engine.jobs.kinds import parse_config
from engine.jobs.queue import take_slots, waiting
from engine.jobs.slots import Slot, cpu_slots, slots_for
from engine.store import index
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.locks import FileLock
from engine.store.read_only import READ_ONLY
from engine.store.runs import State, create_run, list_runs
from tests import fabricated
from tests.jobs.scene import ended, finish, kill, make_dataset, supervisor_of, training, until, worker_of


def test_queue_keeps_its_order_and_can_be_changed(scripted: Home) -> None:
    first = jobs.submit(scripted, training("patient"))
    worker_of(first)
    queued = [jobs.submit(scripted, training("quick", seed)) for seed in range(4)]
    assert waiting(scripted) == queued
    jobs.move(queued[2], 0)
    assert waiting(scripted) == [queued[2], queued[0], queued[1], queued[3]]
    jobs.cancel(queued[0])
    assert ended(queued[0]) is State.CANCELLED
    kill(supervisor_of(queued[1]))
    assert queued[1].state() is State.INTERRUPTED
    assert waiting(scripted) == [queued[2], queued[3]]
    jobs.resume(queued[0])  # at the end of the queue
    assert waiting(scripted) == [queued[2], queued[3], queued[0]]
    with pytest.raises(ErsatzError, match="only a queued run can be moved"):
        jobs.move(first, 0)
    with pytest.raises(ErsatzError, match="only a queued run can be cancelled"):
        jobs.cancel(first)

    finish(scripted)
    assert all(ended(run) is State.FINISHED for run in (first, queued[2], queued[3], queued[0]))
    lines = (scripted.root / "order").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [queued[2].id, queued[3].id, queued[0].id]
    assert waiting(scripted) == []


def test_only_the_first_in_the_queue_takes_a_slot(scripted: Home) -> None:
    runs = [create_run(scripted, training("quick", seed).plain(), "train") for seed in range(3)]
    with ExitStack() as supervisors:
        for run in runs:
            supervisors.enter_context(FileLock(run.lock_path))
            index.enqueue(scripted, run.id)
        assert take_slots(runs[1], [slots.CPU]) is None
        other_device = slots.Slot("cuda:0")
        assert take_slots(runs[1], [other_device]) is not None  # nobody before it waits for that one
        taken = take_slots(runs[0], [slots.CPU])
        assert taken is not None
        assert waiting(scripted) == [runs[2]]
        assert take_slots(runs[2], [slots.CPU]) is None  # it is busy
        taken[1][0].release()
        assert take_slots(runs[2], [slots.CPU]) is not None


def test_two_people_pressing_train_at_once_start_one_run(scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[object] = []
    look = jobs._refuse_twin

    def look_long(home: Home, config: Config) -> None:
        look(home, config)
        time.sleep(0.5)  # time enough for the other one to look too

    monkeypatch.setattr(jobs, "_refuse_twin", look_long)

    def press() -> None:
        try:
            outcomes.append(jobs.submit(scripted, training("patient")))
        except AlreadyActive as error:
            outcomes.append(error)

    buttons = [threading.Thread(target=press) for _ in range(2)]
    code = (
        "from engine.jobs.submit import submit; from engine.store.home import Home; "
        "from tests.jobs.scene import training; submit(Home.from_environment(), training('patient'))"
    )
    elsewhere = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.PIPE)
    for button in buttons:
        button.start()
    for button in buttons:
        button.join()
    _, answer = elsewhere.communicate()
    (run,) = list_runs(scripted)
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyActive)]
    assert len(refused) + (b"AlreadyActive" in answer) == 2
    assert all(error.run_id == run.id for error in refused)
    finish(scripted)
    assert ended(run) is State.FINISHED


def test_ensure_attaches_to_what_is_on_its_way(scripted: Home) -> None:
    run = jobs.ensure(scripted, training("patient"))
    assert run.config()["dataset_fingerprint"] != ""
    assert jobs.ensure(scripted, training("patient")) == run
    other = jobs.ensure(scripted, training("patient", seed=1))
    assert other != run
    jobs.stop(other)
    assert ended(other) is State.CANCELLED
    finish(scripted)
    assert ended(run) is State.FINISHED


def test_a_run_that_asks_for_a_missing_gpu_fails_with_a_sentence(scripted: Home) -> None:
    run = jobs.submit(scripted, training("quick", device="cuda"))
    assert ended(run) is State.FAILED
    assert "asks for a CUDA GPU" in run.status().error


def test_a_supervisor_that_cannot_start_is_a_sentence(scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ErsatzError, match="could not start"):
        jobs.submit(scripted, training("quick"))
    (run,) = list_runs(scripted)
    assert run.state() is State.FAILED


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["cuda:0", "cuda:1"]),
        ("1", ["cuda:1"]),
        ("GPU-bb", ["cuda:1"]),
        ("1,0", ["cuda:1", "cuda:0"]),
        ("0,-1,1", ["cuda:0"]),
        ("", []),
    ],
)
def test_one_slot_per_visible_gpu(visible: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    two = tuple(Gpu(index, uuid, "Card", 2**30) for index, uuid in enumerate(("GPU-aa-1", "GPU-bb-2")))
    monkeypatch.setattr(gpus, "installed", lambda: two)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = slots.cuda_slots.__wrapped__()
    assert [slot.name for slot in found] == names
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in found] == [name[5:] for name in names]


@pytest.mark.parametrize("found", [(), (Gpu(0, "GPU-aa-1", "Card", 2**30),)])
def test_a_run_gets_the_gpu_that_was_found_and_else_a_sentence(
    found: tuple[Gpu, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "installed", lambda: found)
    monkeypatch.setattr(slots, "cuda_slots", slots.cuda_slots.__wrapped__)
    asking = {device: DcganConfig(dataset="d", device=device).plain() for device in ("auto", "cuda", "cpu")}
    assert slots_for(asking["cpu"]) == cpu_slots()
    assert slots_for(asking["auto"])[0].name == ("cuda:0" if found else "cpu")
    if found:
        assert [slot.name for slot in slots_for(asking["cuda"])] == ["cuda:0"]
        return
    with pytest.raises(ErsatzError, match="neither nvidia-smi nor the CUDA driver shows one"):
        slots_for(asking["cuda"])


def test_parents_that_are_missing_or_unfinished_are_refused(scripted: Home) -> None:
    make_dataset(scripted, "open", frozen=False)
    generator = create_run(scripted, training("patient").plain(), "train")
    pool_of = {"name": "p", "dataset": "empty"}
    cases = [
        (training("patient", dataset="nowhere"), "There is no data set nowhere"),
        (training("patient", dataset="open"), "not frozen"),
        (training("absent"), "has no class 'absent'"),
        (training("patient", dataset_fingerprint="0" * 64), "This run was made for the split 0{12}... of the data"),
        (PoolConfig.build({**pool_of, "generators": [{"run": "nobody"}]}), "There is no run nobody"),
        (PoolConfig.build({**pool_of, "generators": [{"run": generator.id}]}), "is interrupted and has no exported"),
        (SweepConfig(name="s", dataset="empty", pool=generator.id), "is a train run and interrupted; a finished pool"),
        (ImportConfig(name="empty", layout="phantom"), "There is a data set empty already"),
        (ImportConfig(name="../out", layout="phantom"), "cannot be the name of a data set"),
    ]
    for config, sentence in cases:
        with pytest.raises(ErsatzError, match=sentence):
            jobs.submit(scripted, config)
    assert list_runs(scripted) == [generator]
    until(lambda: not any(scripted.locks.glob("slot-*")))


def test_folds_of_another_data_set_are_refused(home: Home) -> None:
    config = parse_config(fabricated.make_folded(home, seeds=1).config())
    fabricated.make_dataset(home, "other")
    changes = {"dataset": "other", "dataset_fingerprint": ""}
    with pytest.raises(ErsatzError, match="of the data set other, and its folds are those of phantom"):
        jobs.prepare(home, config.model_copy(update=changes))
    assert jobs.prepare(home, config).dataset == "phantom"


def test_relative_paths_are_settled_where_they_were_typed(
    scripted: Home, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = jobs.prepare(scripted, ImportConfig(name="new", source="images"))
    assert config.source == str(tmp_path / "images")
    assert jobs.prepare(scripted, ImportConfig(name="new", source="medmnist:x")).source == "medmnist:x"


@pytest.mark.parametrize(
    "config",
    [
        SweepConfig(name="s", dataset="d", pool="p", device="cpu"),
        QualityConfig(name="q", dataset="d", pool="p", device="cpu"),
        RankingConfig(run="r", device="cpu"),
        DryRunConfig(training=DcganConfig(dataset="d", device="cpu").plain()),
    ],
    ids=lambda config: config.kind,
)
def test_a_run_of_every_kind_that_computes_takes_the_slot_of_its_device(config: Config) -> None:
    assert slots_for(config.plain()) == cpu_slots()


def test_a_gpu_is_borrowed_only_from_nobody_and_for_a_while(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [Slot(f"cuda:{i}", {"CUDA_VISIBLE_DEVICES": str(i)}) for i in (3, 5)]
    monkeypatch.setattr(slots, "cuda_slots", lambda: two)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    first, last = (slot.lock(home) for slot in two)
    with slots.borrowed_gpu(home) as number:
        assert number == 1  # as CUDA counts here; runs take the first
        assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
        assert not last.acquire()
        with slots.borrowed_gpu(home) as other, slots.borrowed_gpu(home) as none:
            assert (other, none) == (0, None)
    assert first.acquire()
    assert last.acquire()
    with slots.borrowed_gpu(home) as number:
        assert number is None
    first.release()
    with pytest.raises(ZeroDivisionError), slots.borrowed_gpu(home) as number:
        assert number == 0
        raise ZeroDivisionError
    assert first.acquire()


def test_nothing_is_borrowed_in_a_demo_or_from_a_home_that_is_only_read(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "cuda_slots", lambda: [Slot("cuda:0", {"CUDA_VISIBLE_DEVICES": "0"})])
    home.root.mkdir()
    home.locks.write_text("")  # no folder can be made there
    with slots.borrowed_gpu(home) as number:
        assert number is None
    home.locks.unlink()
    monkeypatch.setenv(READ_ONLY, "1")
    with slots.borrowed_gpu(home) as number:
        assert number is None
    assert not home.locks.exists()
    monkeypatch.delenv(READ_ONLY)
    with slots.borrowed_gpu(home) as number:
        assert number == 0
