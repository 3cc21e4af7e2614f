"""A training shared by two processes on the processor: however it ends, it says so and leaves nobody behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.configs import ImportConfig, StyleganConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.jobs import slots
from engine.jobs import submit as jobs
from engine.jobs.queue import take_slots
from engine.jobs.slots import Slot, combined, slots_for, slots_needed
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import is_held
from engine.store.runs import Run, State, create_run
from tests.gans.conftest import write_pictures
from tests.jobs.scene import end_processes_of, ended, kill, supervisor_of, until


def shared_training(**settings: object) -> StyleganConfig:
    return StyleganConfig.build(
        {"dataset": "empty", "class_name": "team", "gpus": 2, "batch": 4, "device": "cpu", **settings}
    )


def start(run: Run) -> list[psutil.Process]:
    """Resume the run; its ranks, once both are at work, and their parents up to the worker."""
    for path in run.path.glob("rank-*.pid"):
        path.unlink()
    if not run.state().is_active:
        jobs.resume(run)
    pids = [run.path / f"rank-{rank}.pid" for rank in range(2)]
    until(lambda: all(path.exists() for path in pids), 120)
    ranks = [psutil.Process(int(path.read_text())) for path in pids]
    worker = ranks[0].parent()
    assert worker is not None and "engine.jobs.worker" in worker.cmdline()
    return [worker, *ranks]


def listening(processes: list[psutil.Process]) -> list[str]:
    """The addresses at which they and all that they started wait for connections."""
    everybody = {one for process in processes for one in (process, *process.children(recursive=True))}
    sockets = [socket for one in everybody for socket in one.net_connections("all")]
    return [socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN]


def all_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, 10)
    assert alive == []


@pytest.mark.slow
def test_two_ranks_stop_and_fail_as_one_process_does(scripted: Home) -> None:
    run = jobs.submit(scripted, shared_training())
    processes = start(run)
    until(lambda: run.status().done > 3)
    addresses = listening([supervisor_of(run), *processes])
    assert set(addresses) == {"127.0.0.1"}  # gloo's; the meeting itself is a file
    os.killpg(processes[0].pid, signal.SIGTERM)
    assert ended(run, 60) is State.STOPPED
    assert (run.status().error, run.status().done) == ("", int((run.path / "steps").read_text()))
    all_gone(processes)

    (scripted.root / "fail").touch()
    processes = start(run)
    assert ended(run, 60) is State.FAILED
    assert run.status().error == "Rank 1 found a, expected b; do c."
    all_gone(processes)
    assert [path.name for path in run.path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_nobody_outlives_a_killed_process(scripted: Home) -> None:
    run = jobs.submit(scripted, shared_training())
    processes = start(run)
    kill(processes[2])
    assert ended(run, 60) is State.FAILED
    assert "1 of the 2 processes of this training ended without a word" in run.status().error
    all_gone(processes)

    processes = start(run)
    os.killpg(processes[0].pid, signal.SIGKILL)
    assert ended(run, 60) is State.FAILED
    assert "SIGKILL" in run.status().error
    all_gone(processes)

    processes = start(run)
    kill(supervisor_of(run))  # alone: the worker notices, and its ranks stop with it
    assert jobs.wait(run) is State.INTERRUPTED
    all_gone(processes)
    assert run.status().done == int((run.path / "steps").read_text())

    processes = start(run)
    kill(supervisor_of(run))
    kill(processes[0])
    all_gone(processes)
    assert run.state() is State.INTERRUPTED
    assert not is_held(run.lock_path)


@pytest.fixture
def discs(home: Home, tmp_path: Path) -> Iterator[Home]:
    """A home with the frozen data set "discs" of 16 px, whose workers train in earnest; nothing is left running."""
    source = str(write_pictures(tmp_path / "source", 16))
    import_dataset(
        home, ImportConfig(name="discs", source=source, layout="folder", size=16, mode="L", split="given", positive="b")
    )
    Dataset.open(home, "discs").freeze(accept_findings=True)
    yield home
    end_processes_of(home)


@pytest.mark.slow
def test_two_ranks_train_in_earnest_through_a_stop(discs: Home) -> None:
    """From the submission to the exported generator, by the real workers."""
    small = {"dataset": "discs", "class_name": "a", "channel_base": 128, "channel_max": 8, "z_dim": 8, "w_dim": 8}
    small |= {"kimg": 0.512, "batch": 8, "tick_kimg": 0.008, "precision": "fp32", "grid": 4}
    run = jobs.submit(discs, shared_training(**small))
    until(lambda: len(run.read_metrics()[0]) > 0, 120)
    jobs.stop(run)
    assert ended(run, 60) is State.STOPPED
    assert run.status().error == ""
    stopped_at = run.read_metrics()[0][-1]["kimg"]
    jobs.resume(run)
    assert ended(run, 120) is State.FINISHED, run.status().error
    assert [row["kimg"] for row in run.read_metrics()[0]] == pytest.approx([0.008 * i for i in range(1, 65)])
    assert f"from {stopped_at:g} to 0.512 kimg" in run.log_path.read_text()
    assert run.status().done == pytest.approx(0.512)
    assert (run.path / "generator.json").is_file()
    assert len((run.path / "training_images.txt").read_text().split()) == 12


def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[Slot]:
    gpus = [Slot(f"cuda:{i}", {"CUDA_VISIBLE_DEVICES": str(i), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) for i in range(2)]
    monkeypatch.setattr(slots, "cuda_slots", lambda: gpus)
    return gpus


def test_a_run_on_two_gpus_holds_two_slots(scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = two_gpus(monkeypatch)
    run = create_run(scripted, shared_training(device="auto").plain(), "train")
    assert slots_for(run.config()) == gpus
    assert slots_needed(run.config(), gpus) == 2
    with gpus[1].lock(scripted):
        assert take_slots(run, gpus, 2) is None
        assert gpus[0].lock(scripted).acquire()  # it holds none while it waits for both
    taken = take_slots(run, gpus, 2)
    assert taken is not None and len(taken[1]) == 2
    both = combined(taken[0])
    assert both.name == "cuda:0, cuda:1"
    assert both.environment == {"CUDA_VISIBLE_DEVICES": "0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    alone = shared_training(device="auto", gpus=1).plain()
    assert slots_needed(alone, gpus) == 1
    on_processor = shared_training().plain()
    assert slots_needed(on_processor, slots_for(on_processor)) == len(slots.cpu_slots())  # its ranks share them


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_too_few_gpus_are_one_sentence(device: str, scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = jobs.submit(scripted, shared_training(device=device))
    assert ended(run) is State.FAILED
    assert "asks for 2 GPUs, and 0 can be used here; train with --gpus 1" in run.status().error
    two_gpus(monkeypatch)
    with pytest.raises(ErsatzError, match="asks for 4 GPUs, and 2 can be used here; train with --gpus 2"):
        slots_for(shared_training(device=device, gpus=4).plain())
