"""A frozen data set without images, and the processes of runs that train on it by a script."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil

from engine.configs import DcganConfig
from engine.datasets.dataset import COLUMNS, frozen_now, write_manifest
from engine.datasets.dataset_info import Audit, DatasetInfo, Provenance
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs

SCRIPTED = Path(__file__).parent / "scripted"
BEHAVIOURS = ("patient", "deaf", "quick", "team")


def make_dataset(home: Home, name: str = "empty", frozen: bool = True) -> None:
    folder = home.dataset(name)
    folder.mkdir(parents=True)
    manifest = pd.DataFrame({column: [] for column in COLUMNS})
    write_manifest(folder / "manifest.csv", manifest)
    info = DatasetInfo(
        name=name,
        config={},
        classes=list(BEHAVIOURS),
        size=16,
        mode="L",
        audit=Audit(findings=[]),
        provenance=Provenance(preprocessing={}),
        frozen=None,
    )
    now = frozen_now(manifest, info, []) if frozen else None
    info.model_copy(update={"frozen": now}).write_to(folder / "dataset.json")


def training(behaviour: str, seed: int = 0, **settings: object) -> DcganConfig:
    return DcganConfig.build({"dataset": "empty", "class_name": behaviour, "seed": seed, **settings})


def processes_of(home: Home) -> list[psutil.Process]:
    """Supervisors and workers of this home, and what they started."""
    ids = {run.id for run in list_runs(home)}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if ids & set(process.cmdline()):
                found += [process, *process.children(recursive=True)]
    return found


def end_processes_of(home: Home) -> None:
    """Leave nothing of this home running; what ended by itself meanwhile is as well."""
    for process in processes_of(home):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def supervisor_of(run: Run) -> psutil.Process:
    return next(p for p in processes_of(run.home) if "engine.jobs.supervisor" in p.cmdline() and run.id in p.cmdline())


def worker_of(run: Run) -> psutil.Process:
    """The worker, once it has begun to train."""
    until((run.path / "worker.pid").exists)
    return psutil.Process(int((run.path / "worker.pid").read_text()))


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
        process.wait(10)


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended; one that nobody has waited for is no longer alive."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{condition} did not come true"
        time.sleep(0.03)


def ended(run: Run, seconds: float = 60.0) -> State:
    """The state of the run once it has ended."""
    until(lambda: not run.state().is_active, seconds)
    return run.state()


def finish(home: Home) -> None:
    """Tell all patient workers to finish."""
    (home.root / "finish").touch()
