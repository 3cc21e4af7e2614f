"""The place of a run on the command line: chosen with --place, refused in a sentence, and told while it waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.follow import _Bars
from engine.cluster.settings import FILE
from engine.datasets.dataset import list_datasets
from engine.jobs.submit import wait
from engine.sampling.exported import has_generator, read_info
from engine.store import index
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, State, list_runs
from tests import fabricated
from tests.fabricated.clusters import break_cluster, make_cluster, on_cluster
from tests.jobs.scene import end_processes_of
from tests.sampling.test_export import trained

Command = Callable[..., Any]


@pytest.fixture
def chain(home: Home) -> dict[str, str]:
    """Ids of a training, a pool and a sweep, and a file that is a picture."""
    dataset = fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    pool = fabricated.make_pool_run(home, trainings)
    sweep = fabricated.make_sweep(home, pool)
    stopped = fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    picture = next(path for path in dataset.path.glob("images/**/*") if path.is_file())
    return {
        "TRAIN": trainings[0].id,
        "OTHER": trainings[1].id,
        "POOL": pool.id,
        "SWEEP": sweep.id,
        "STOPPED": stopped.id,
        "IMAGE": str(picture),
    }


@pytest.fixture
def alive() -> Any:
    """`alive(run)` keeps a run alive: its lock is the truth."""
    locks: list[FileLock] = []

    def take(run: Run) -> Run:
        locks.append(FileLock(run.lock_path))
        assert locks[-1].acquire()
        return run

    yield take
    for lock in locks:
        lock.release()


@pytest.mark.parametrize(
    "words",
    [
        "demo",
        "train phantom --kimg 1",
        "train phantom --kimg 1 --dry-run",
        "sample TRAIN OTHER --name p",
        "pool control c --control noise --dataset phantom",
        "pool control c --control held-back --dataset phantom --images-per-class 2",
        "quality POOL --k 3",
        "sweep POOL --seeds 2",
        "sweep extend SWEEP --seeds 20",
        "rank TRAIN",
        "dataset map phantom",
        "export TRAIN",
        "resume STOPPED",
        "submit train --set dataset=phantom --set class_name=bleed --set kimg=1",
    ],
)
def test_a_home_without_a_cluster_says_so_and_leaves_nothing(
    command: Command, home: Home, chain: dict[str, str], words: str
) -> None:
    before, sets = {run.id: run.status() for run in list_runs(home)}, [each.name for each in list_datasets(home)]
    ending = command(*(chain.get(word, word) for word in words.split()), "--place", "slurm")
    assert ending.code == 1
    assert f"There is no {home.root / FILE}" in ending.err and "cluster init" in ending.err
    assert {run.id: run.status() for run in list_runs(home)} == before
    assert [each.name for each in list_datasets(home)] == sets


def test_what_the_scheduler_refuses_leaves_nothing(
    command: Command, home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even the data set that a control of held-back images would have."""
    fabricated.make_dataset(home)
    make_cluster(home)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ("pool", "control", "c", "--control", "held-back", "--dataset", "phantom", "--images-per-class", "2")
    ending = command(*words, "--place", "slurm")
    assert ending.code == 1 and "sbatch" in ending.err
    assert list_runs(home) == [] and [each.name for each in list_datasets(home)] == ["phantom"]


def test_another_place_is_refused(command: Command, home: Home) -> None:
    fabricated.make_dataset(home)
    ending = command("train", "phantom", "--place", "mars")
    assert ending.code == 1 and "The place of a run is 'mars'; here or slurm is expected" in ending.err
    assert list_runs(home, "train") == []


def test_what_reads_files_of_this_machine_has_no_place(command: Command, home: Home) -> None:
    for words in (("dataset", "import", "--name", "x"), ("network", "import", "x.pkl", "--name", "x")):
        ending = command(*words, "--place", "slurm")
        assert ending.code == 2 and "No such option" in ending.err
    make_cluster(home)
    ending = command("submit", "import", "--set", "name=x", "--set", "layout=phantom", "--place", "slurm")
    assert ending.code == 1 and "Import runs are done here" in ending.err
    ending = command("sample", "RUN", "--out", "images", "--place", "slurm")
    assert ending.code == 1 and "Single images (--out) are made here" in ending.err


def test_a_broken_cluster_toml_leaves_what_is_done_here_alone(command: Command, home: Home) -> None:
    fabricated.make_dataset(home)
    break_cluster(home)
    words = ("pool", "control", "c", "--control", "noise", "--dataset", "phantom", "--images-per-class", "2")
    ending = command(*words, "--place", "slurm")
    assert ending.code == 1 and FILE in ending.err and "cpus" in ending.err
    assert command(*words, "--place", "here", "--json").json["place"] == "here"


def test_a_pool_and_an_export_run_to_their_end_elsewhere(command: Command, home: Home) -> None:
    """By submitit's local executor: jobs are processes of their own, submitted and followed by the supervisor."""
    make_cluster(home, executor="local", partition="", gpus="")
    fabricated.make_dataset(home)
    try:
        made = command(
            *("pool", "control", "c", "--control", "noise", "--dataset", "phantom", "--images-per-class", "2"),
            *("--place", "slurm", "--json"),
        ).json
        assert (made["state"], made["place"], made["images"]) == ("finished", "slurm", {"bleed": 2, "normal": 2})
        assert made["job"] and list((Path(made["path"]) / "slurm").glob("*_log.out"))

        training, _ = trained(home, class_name="bleed")
        ending = command("export", training.id, "--place", "slurm", "--json")
        (run,) = list_runs(home, "export")
        assert (ending.json["run"], ending.json["state"], ending.json["place"]) == (run.id, "finished", "slurm")
        assert read_info(training.path).snapshot == ending.json["result"]["snapshot"]
    finally:
        end_processes_of(home)


def test_an_export_is_done_at_once_unless_somebody_says_otherwise(command: Command, home: Home) -> None:
    training, _ = trained(home, class_name="bleed")
    assert command("export", training.id, "--json").json["path"] == str(training.path / "generator.json")
    make_cluster(home, executor="local", partition="", gpus="")
    assert command("export", training.id, "--json").json["path"] == str(training.path / "generator.json")
    assert list_runs(home, "export") == []
    make_cluster(home, executor="local", partition="", gpus="", places={"export": "slurm"})
    (training.path / "generator.json").unlink()
    try:
        assert command("export", training.id, "--detach", "--json").json["place"] == "slurm"
        (run,) = list_runs(home, "export")
        assert wait(run) is State.FINISHED and has_generator(training.path)
        assert command("export", training.id, "--place", "here", "--json").json["path"]
    finally:
        end_processes_of(home)


def test_resume_moves_a_run(command: Command, home: Home) -> None:
    """A pool that was stopped here goes on elsewhere, and is there from then on."""
    make_cluster(home, executor="local", partition="", gpus="")
    fabricated.make_dataset(home)
    words = ("pool", "control", "c", "--control", "noise", "--dataset", "phantom", "--images-per-class", "2")
    try:
        made = command(*words, "--place", "here", "--json").json
        run = Run(home, made["run"])
        run.update(state=State.STOPPED)
        moved = command("resume", run.id, "--place", "slurm", "--json").json
        assert (moved["state"], moved["place"], run.status().place) == ("finished", "slurm", "slurm")
    finally:
        end_processes_of(home)


def test_a_run_that_waits_says_for_what(command: Command, home: Home, alive: Callable[[Run], Run]) -> None:
    fabricated.make_dataset(home)
    make_cluster(home)
    here = alive(fabricated.make_training(home, "bleed", State.QUEUED, done=0))
    index.enqueue(home, here.id)
    assert "where" not in command("runs").out and "place:" not in command("runs", here.id).out
    assert command("runs", here.id, "--json").json["place"] == "here"

    run = on_cluster(alive(fabricated.make_training(home, "normal", State.QUEUED, done=0)))
    told = "Job 123 waits for a GPU of partition gpu."
    found = command("runs", run.id, "--json").json
    assert (found["place"], found["job"], found["node"], found["waits"]) == ("slurm", "123", "", told)
    assert f"waits: {told}" in command("runs", run.id).out
    assert "where" in command("runs").out and "Job 123 waits" in " ".join(command("runs").out.split())
    assert command("queue", "--json").json == [here.id], "the scheduler orders the others"
    listed = command("queue").out
    assert here.id in listed and f"{run.id} waits on the cluster. {told}" in listed

    on_cluster(run, State.RUNNING, state="RUNNING", node="n7", words="", running=1, waiting=0)
    found = command("runs", run.id, "--json").json
    assert (found["job"], found["node"], found["waits"]) == ("123", "n7", "")


def test_the_bar_says_what_a_run_waits_for(
    home: Home, alive: Callable[[Run], Run], capfd: pytest.CaptureFixture[str]
) -> None:
    fabricated.make_dataset(home)
    run = on_cluster(alive(fabricated.make_training(home, "normal", State.QUEUED, done=0)))
    _Bars().show(run, "train normal")
    assert "train normal: Job 123 waits for a GPU of partition gpu." in capfd.readouterr().err
