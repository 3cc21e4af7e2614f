"""Who outlives whom: pages, supervisors and workers are killed, and the lock tells the truth."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from engine.jobs import submit as jobs
from engine.store.errors import ErsatzError
from engine.store.files import write_text
from engine.store.home import REPOSITORY, Home
from engine.store.locks import is_held
from engine.store.runs import Run, State
from tests.jobs.scene import ended, finish, kill, lives, supervisor_of, training, until, worker_of

SUBMIT_AND_WAIT = """
import sys, time
from engine.jobs.submit import submit
from engine.store.home import Home
from tests.jobs.scene import training
print(submit(Home.from_environment(), training("patient")).id, flush=True)
time.sleep(600)
"""


def test_a_run_outlives_the_process_that_submitted_it(scripted: Home) -> None:
    command = [sys.executable, "-c", SUBMIT_AND_WAIT]
    page = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert page.stdout is not None
    run = Run(scripted, page.stdout.readline().strip())
    worker_of(run)
    psutil.Process(page.pid).send_signal(signal.SIGINT)  # Ctrl-C of a terminal, then the hard way
    page.kill()
    page.wait()
    page.stdout.close()
    before = run.status().done
    until(lambda: run.status().done > before)
    finish(scripted)
    assert ended(run) is State.FINISHED


def test_a_worker_logs_its_beginning_and_its_end(scripted: Home) -> None:
    run = jobs.submit(scripted, training("quick"))
    assert ended(run) is State.FINISHED
    until(lambda: len(run.log_path.read_text().splitlines()) == 2)  # its last line follows its last state
    first, last = run.log_path.read_text().splitlines()
    at = r"=== \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{at} train {run.id}", first)
    assert re.fullmatch(rf"{at} finished", last)


def test_a_worker_stops_when_its_supervisor_is_killed(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    worker = worker_of(run)
    other = jobs.submit(scripted, training("quick"))  # waits for the same device
    kill(supervisor_of(run))
    assert jobs.wait(run) is State.INTERRUPTED
    until(lambda: not is_held(run.lock_path))
    assert not lives(worker)
    status = run.status()
    assert "ended from outside" in status.error and status.ended
    assert ended(other) is State.FINISHED  # the device is free again
    done = int((run.path / "steps").read_text())
    assert status.done == done  # it stopped at its next safe point, with all that it had done
    jobs.resume(run)
    until(lambda: int((run.path / "steps").read_text()) > done)
    finish(scripted)
    assert ended(run) is State.FINISHED
    assert run.status().error == ""


def test_an_orphan_that_reaches_no_safe_point_is_ended_with_what_it_started(
    scripted: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERSATZ_STOP_GRACE", "0.3")
    run = jobs.submit(scripted, training("deaf"))
    worker = worker_of(run)
    child = psutil.Process(int((run.path / "child.pid").read_text()))
    kill(supervisor_of(run))
    assert jobs.wait(run) is State.INTERRUPTED
    until(lambda: not lives(worker) and not lives(child))
    assert not is_held(run.lock_path)


def test_a_killed_worker_is_a_failed_run_that_says_so(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    kill(worker_of(run))
    assert ended(run) is State.FAILED
    error = run.status().error
    assert "SIGKILL" in error
    assert "out of memory" in error
    assert f"train {run.id}" in error  # the last line of the log
    until(lambda: not is_held(run.lock_path))


def test_both_killed_is_interrupted_and_resumes_to_the_end(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    worker = worker_of(run)
    until(lambda: run.status().done > 3)
    kill(supervisor_of(run))
    kill(worker)
    assert run.state() is State.INTERRUPTED
    done = int((run.path / "steps").read_text())
    assert jobs.ensure(scripted, training("patient")) == run
    until(lambda: int((run.path / "steps").read_text()) > done)
    finish(scripted)
    assert ended(run) is State.FINISHED
    assert int((run.path / "steps").read_text()) > done
    assert jobs.ensure(scripted, training("patient")) == run
    assert run.state() is State.FINISHED


def test_a_stopped_run_keeps_its_place_and_resumes(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    worker_of(run)
    jobs.stop(run)
    assert run.state() in (State.STOPPING, State.STOPPED)
    assert ended(run) is State.STOPPED
    assert run.status().error == ""
    done = run.status().done
    assert done == int((run.path / "steps").read_text())  # the last report is never dropped
    jobs.resume(run)
    assert run.state().is_active
    assert not run.stop_requested()
    until(lambda: run.status().done > done)
    finish(scripted)
    assert ended(run) is State.FINISHED
    with pytest.raises(ErsatzError, match="is finished; only a stopped"):
        jobs.resume(run)


def test_sigterm_is_a_stop_request(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    worker_of(run).terminate()
    assert ended(run) is State.STOPPED


def test_a_worker_that_does_not_heed_is_ended_by_force(scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERSATZ_STOP_GRACE", "0.5")
    run = jobs.submit(scripted, training("deaf"))
    worker = worker_of(run)
    child = psutil.Process(int((run.path / "child.pid").read_text()))
    jobs.stop(run)
    assert run.state() is State.STOPPING
    assert ended(run) is State.STOPPED
    assert "ended by force" in run.status().error
    until(lambda: not lives(worker) and not lives(child))


@pytest.mark.parametrize("behaviour", ["patient", "deaf"])
def test_a_deleted_folder_ends_the_run_and_stays_deleted(
    behaviour: str, scripted: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERSATZ_STOP_GRACE", "0.5")
    run = jobs.submit(scripted, training(behaviour))
    worker_of(run)
    shutil.rmtree(run.path, ignore_errors=True)  # the worker writes meanwhile
    shutil.rmtree(run.path, ignore_errors=True)
    write_text(run.path / "samples" / "late.txt", "from a worker that has not noticed")
    until(lambda: not any(run.id in p.cmdline() for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"]))
    assert list(scripted.runs.iterdir()) == []


def test_only_a_dead_run_can_be_deleted(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    worker_of(run)
    with pytest.raises(ErsatzError, match="still alive"):
        jobs.delete(run)
    finish(scripted)
    assert jobs.wait(run) is State.FINISHED
    jobs.delete(run)
    assert list(scripted.runs.iterdir()) == []


def test_waiting_sees_every_state_up_to_the_last(scripted: Home) -> None:
    run = jobs.submit(scripted, training("patient"))
    seen = []
    finish(scripted)
    assert jobs.wait(run, lambda state, status: seen.append(state)) is State.FINISHED
    assert list(dict.fromkeys(seen))[-1] is State.FINISHED
    assert State.INTERRUPTED not in seen


def test_the_lock_is_held_without_a_gap(scripted: Home) -> None:
    """From `submit` to the end, handed from one process to the next, the run never looks dead."""
    run = jobs.submit(scripted, training("patient"))
    seen = set()
    started = time.monotonic()
    while (state := run.state()).is_active:
        seen.add(state)
        if run.status().done > 2 and time.monotonic() - started > 1:
            finish(scripted)
    assert state is State.FINISHED
    assert seen <= {State.QUEUED, State.RUNNING}


def test_supervisor_never_imports_torch() -> None:
    code = "import sys, engine.jobs.supervisor; print(sorted({'torch', 'pandas', 'onnxruntime'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
