"""Run folders and locks: what other processes may see at any moment."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.store import runs
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.files import disk_errors, new_folder, read_json, replacing, write_json, write_text
from engine.store.home import Home
from engine.store.locks import FileLock, is_held
from engine.store.runs import Run, State, Status, create_run
from engine.store.versioned import Result


@pytest.fixture
def run(home: Home) -> Run:
    return create_run(home, {"kind": "train"}, "Tiny run!")


def test_lock_tells_whether_a_run_is_alive(run: Run) -> None:
    assert "-tiny-run-" in run.id
    assert run.status().label == "Tiny run!"
    assert run.state() is State.INTERRUPTED
    with FileLock(run.lock_path):
        assert run.state() is State.QUEUED
        run.update(state=State.RUNNING)
        assert run.state() is State.RUNNING
        run.request_stop()
        assert run.state() is State.STOPPING
        run.update(state=State.STOPPED)
        assert run.state() is State.STOPPED
    run.update(state=State.RUNNING)
    assert run.state() is State.INTERRUPTED


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptors are inherited on Windows")
def test_children_hold_an_inherited_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor])
    lock.release()
    assert is_held(tmp_path / "lock")
    assert not FileLock(tmp_path / "lock").acquire(timeout=0.1)
    child.kill()
    child.wait()
    assert not is_held(tmp_path / "lock")


def test_probing_does_not_keep_others_from_the_lock(tmp_path: Path) -> None:
    """A probe takes a shared lock for a moment; whoever waits a little gets the lock all the same."""
    code = (
        f"from pathlib import Path; from engine.store.locks import is_held\nwhile True: is_held(Path('{tmp_path}/l'))"
    )
    lock = FileLock(tmp_path / "l")
    lock.acquire()
    lock.release()
    prober = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        for _ in range(50):
            assert lock.acquire(timeout=10)
            lock.release()
    finally:
        prober.kill()
        prober.wait()


def test_a_deleted_run_is_not_made_again(run: Run) -> None:
    run.delete()
    assert not run.path.exists()
    with pytest.raises(RunDeleted):
        run.update(done=1.0)
    with pytest.raises(RunDeleted):
        run.request_stop()
    with pytest.raises(ErsatzError, match="There is no run"):
        run.delete()
    write_text(run.path / "samples" / "late.txt", "written by a worker that has not noticed")
    run.remove_leftovers()
    assert not run.path.exists()


def test_the_end_of_a_run_is_told_on_a_full_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: object, flushed: bool) -> None:
        with disk_errors(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs, "write_json", full)
    with pytest.raises(ErsatzError, match="is full"):
        run.update(stage="training", done=1.0)
    run.update(state=State.FAILED, error="The disk is full.")
    assert run.status().state is State.FAILED
    assert run.status().error == "The disk is full."


def test_metrics_are_read_from_where_one_was(run: Run) -> None:
    for kimg in (1, 2):
        run.append_metrics({"kimg": kimg})
    rows, offset = run.read_metrics()
    assert [row["kimg"] for row in rows] == [1, 2]
    with run.metrics_path.open("a") as file:
        file.write('{"kimg": ')
    assert run.read_metrics(offset) == ([], offset)
    run.keep_metrics(lambda row: row["kimg"] < 2)
    with pytest.raises(ValueError):
        run.read_metrics(offset)
    run.append_metrics({"kimg": 2, "longer": "than the row that was there before"})
    with pytest.raises(ValueError):
        run.read_metrics(offset)
    rows, _ = run.read_metrics()
    assert [row["kimg"] for row in rows] == [1, 2]


def test_writes_leave_the_old_file_or_the_new(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="no umask on Windows")
def test_files_can_be_read_by_the_team(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "file", "")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_of_two_that_make_a_folder_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ErsatzError, match="exists already"), new_folder(tmp_path / "a") as mine:
        (mine / "x").touch()
        with new_folder(tmp_path / "a") as theirs:
            (theirs / "y").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "y"]


def test_a_status_is_read_as_it_was_written(run: Run) -> None:
    run.update(result={"verdict": "helps", "of": [1, 2]}, done=3)
    run.raise_alarm("odd", "It is odd. Look.")
    run.raise_alarm("explosion", "It explodes. Stop.", kimg=2.0, layer="w")
    run.raise_alarm("odd", "It is still odd.")
    odd, explosion = run.status().alarms
    assert (odd.sentence, odd.kimg) == ("It is odd. Look.", None)
    assert (explosion.kimg, explosion.plain()["layer"]) == (2.0, "w")
    written = read_json(run.path / "status.json")
    assert [set(alarm) for alarm in written["alarms"]] == [
        {"name", "sentence", "time"},
        {"name", "sentence", "time", "kimg", "layer"},
    ]
    assert written["result"] == run.status().result == {"verdict": "helps", "of": [1, 2]}
    assert Status.parse(written, "status.json") == run.status()


def test_a_status_of_a_later_version_adds_fields_that_are_passed_over(run: Run) -> None:
    path = run.path / "status.json"
    write_json(path, {**read_json(path), "mood": "good", "label": "Kept"})
    assert run.status().label == "Kept"
    write_json(path, {**read_json(path), "state": "asleep"})
    with pytest.raises(ErsatzError, match=r"status\.json is not as this program writes it \(state: "):
        run.status()


def test_a_result_is_the_model_that_is_asked_for(run: Run) -> None:
    class Counted(Result):
        number: int

    assert run.status().result_as(Counted) is None
    run.update(result={"number": 3, "later": True})
    assert run.status().result_as(Counted) == Counted(number=3)
    run.update(result={"number": "many"})
    with pytest.raises(ErsatzError, match="The result of Tiny run!"):
        run.status().result_as(Counted)


@pytest.mark.parametrize("damage", ["{torn", "[]", "null", "\x00\x00", "9" * 5000])
def test_metrics_count_up_to_the_first_damaged_row(run: Run, damage: str) -> None:
    run.metrics_path.write_text(f'{{"kimg": 1}}\n{{"kimg": 2}}\n{damage}\n{{"kimg": 4}}\n')
    assert run.read_metrics()[0] == [{"kimg": 1}, {"kimg": 2}]
    assert "line 3" in run.keep_metrics(lambda row: True)
    assert run.metrics_path.read_text() == '{"kimg": 1}\n{"kimg": 2}\n'
    assert run.keep_metrics(lambda row: row["kimg"] < 2) == ""
