"""How a worker ends: each error a sentence in the status, the stack trace in the log alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import worker
from engine.jobs.hooks import REPORT_SECONDS, Hooks
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.progress import Outcome, Progress, ShouldStop
from engine.store.runs import Run, State, Status, create_run
from tests.jobs.scene import training


@pytest.fixture
def run(home: Home) -> Iterator[Run]:
    """A run whose lock this process holds, as its supervisor would."""
    made = create_run(home, training("patient").plain(), "train")
    with FileLock(made.lock_path):
        yield made


def end_with(run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Status:
    def do(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker, "do", do)
    worker.work(run.home, run.id)
    return run.status()


class OutOfMemoryError(RuntimeError):
    """torch's, by its name and message."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ErsatzError("Found a, expected b; do c."), "Found a, expected b; do c."),
        (MemoryError(), "The memory ran out"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "The memory ran out"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "The memory ran out"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "The memory ran out"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "does not know ended the run"),
        (KeyError("x"), "does not know ended the run (KeyError: 'x')"),
    ],
)
def test_every_error_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, sentence: str
) -> None:
    status = end_with(run, monkeypatch, error)
    assert status.state is State.FAILED
    assert status.ended is not None
    assert sentence in status.error
    assert "Traceback" not in status.error
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the error of a real full device, from the metrics and from any other file."""
    run.metrics_path.symlink_to("/dev/full")
    sentences = []
    for write in (lambda: run.append_metrics({"kimg": 1}), lambda: Path("/dev/full").write_text("x")):
        monkeypatch.setattr(worker, "do", lambda *_, write=write: write())
        worker.work(run.home, run.id)
        assert run.status().state is State.FAILED
        sentences.append(run.status().error)
    assert all("is full; nothing was half-written" in sentence for sentence in sentences)


def test_what_a_killed_worker_left_half_written_is_cleared_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "do", lambda *_: "finished")
    (run.path / "snapshots").mkdir()
    half = [run.path / ".status.json.0123abcd", run.path / "snapshots" / ".network-000000100.safetensors.89abcdef"]
    kept = [run.path / "snapshots" / "network-000000099.safetensors", run.path / ".keep"]
    for path in half + kept:
        path.touch()
    worker.work(run.home, run.id)
    assert not any(path.exists() for path in half)
    assert all(path.exists() for path in kept)


def test_what_breaks_while_stopping_is_no_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def do(_run: Run, _config: object, _report: object, should_stop: ShouldStop, _spread: bool) -> Outcome:
        run.request_stop()
        should_stop()
        raise RuntimeError("a helper process is gone")

    monkeypatch.setattr(worker, "do", do)
    worker.work(run.home, run.id)
    assert run.status().state is State.STOPPED
    assert "a helper process is gone" in run.status().error


def test_a_worker_without_a_supervisor_does_not_start(home: Home) -> None:
    orphan = create_run(home, training("patient").plain(), "train")
    with pytest.raises(ErsatzError, match="has no supervisor"):
        worker.work(home, orphan.id)
    assert orphan.status().state is State.QUEUED


def test_reports_are_thinned_out_but_stages_and_the_last_are_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float]] = []
    update = Run.update

    def counting(self: Run, **changes: object) -> Status:
        written.append((str(changes["stage"]), float(changes["done"])))  # type: ignore[arg-type]
        return update(self, **changes)

    monkeypatch.setattr(Run, "update", counting)
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock) * REPORT_SECONDS / 10)
    hooks = Hooks(run)
    for done in range(100):
        hooks.report(Progress("training", done, 100, "kimg"))
    hooks.report(Progress("exporting", 0, 1, ""))
    hooks.report(Progress("exporting", 1, 1, ""))
    hooks.flush()
    assert len(written) < 20
    assert written[0] == ("training", 0)
    assert ("exporting", 0) in written
    assert written[-1] == ("exporting", 1)
    assert run.status().done == 1


def test_hooks_notice_a_stop_and_a_deleted_folder(run: Run) -> None:
    assert not Hooks(run).should_stop()
    run.request_stop()
    assert Hooks(run).should_stop()
    run.clear_stop()
    asked_by_signal = Hooks(run)
    asked_by_signal.on_signal()
    assert asked_by_signal.should_stop()
    hooks = Hooks(run)
    shutil.rmtree(run.path)
    with pytest.raises(RunDeleted):
        hooks.should_stop()
    with pytest.raises(RunDeleted):
        hooks.report(Progress("training", 1, 2, "kimg"))
