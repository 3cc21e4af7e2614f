"""submitit's local executor: jobs are processes of this machine."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.cluster import slurm
from engine.cluster.settings import Request
from engine.store.home import REPOSITORY

LOCAL = Request(executor="local", cpus=1, hours=1)
SECONDS = 60.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where jobs of the test write; those that are left are ended."""
    yield tmp_path / "run" / "slurm"
    slurm.cancel(LOCAL, [job.id for job in slurm.jobs(LOCAL).values() if job.name == str(tmp_path)])


def test_jobs_run_with_what_they_are_told(folder: Path, tmp_path: Path) -> None:
    tasks = [functools.partial(os.system, f"echo $ERSATZ_JOB_NAME > {tmp_path}/{i}") for i in range(2)]
    ids = slurm.submit(LOCAL, tasks, name=str(tmp_path), folder=folder)
    assert len(set(ids)) == 2
    until(lambda: not set(ids) & set(slurm.jobs(LOCAL)))
    assert [(tmp_path / str(i)).read_text() for i in range(2)] == [f"{tmp_path}\n"] * 2
    assert slurm.ended(LOCAL, ids[0]) is None
    assert "ERSATZ_JOB_NAME" not in os.environ


@pytest.mark.parametrize("setup", [(), ("export AHEAD=yes",)])
def test_a_job_is_seen_and_cancelled(setup: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    request = LOCAL.model_copy(update={"setup": setup})
    script = f"echo $AHEAD > {begun}; exec sleep 600"
    (number,) = slurm.submit(request, [functools.partial(os.system, script)], name=str(tmp_path), folder=folder)
    until(lambda: begun.exists() and begun.read_text() != "")
    assert begun.read_text().strip() == ("yes" if setup else "")
    job = slurm.jobs(LOCAL)[number]
    assert (job.name, job.state, job.is_pending) == (str(tmp_path), "RUNNING", False)
    assert [each.id for each in slurm.jobs(LOCAL).values() if each.name == str(tmp_path)] == [number]
    slurm.cancel(LOCAL, [number])
    until(lambda: number not in slurm.jobs(LOCAL))


def test_a_job_outlives_the_process_that_submitted_it(folder: Path, tmp_path: Path) -> None:
    code = f"""
import functools, os
from pathlib import Path
from engine.cluster import slurm
from engine.cluster.settings import Request
task = functools.partial(os.system, "exec sleep 600")
request = Request(executor="local", cpus=1, hours=1)
(number,) = slurm.submit(request, [task], name={str(tmp_path)!r}, folder=Path({str(folder)!r}))
Path({str(tmp_path / "id")!r}).write_text(number)
"""
    # no pipe: the job would keep it open
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    assert slurm.jobs(LOCAL)[(tmp_path / "id").read_text()].name == str(tmp_path)
