"""A public demo reads everything and writes nothing, not even the index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.jobs import submit as jobs
from engine.store import index
from engine.store.about import change_about
from engine.store.errors import ErsatzError
from engine.store.files import new_folder, write_json
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.read_only import READ_ONLY
from engine.store.runs import Run, create_run, list_runs

CONFIG = {"kind": "train", "dataset": "phantom", "class_name": "bleed"}


def tree(home: Home) -> dict[Path, bytes | None]:
    """Everything below the home with its content."""
    return {path: path.read_bytes() if path.is_file() else None for path in home.root.rglob("*")}


@pytest.mark.parametrize(
    "write",
    [
        lambda run: write_json(run.home.root / "new.json", {}),
        lambda run: new_folder(run.home.datasets / "new").__enter__(),
        lambda run: FileLock(run.home.locks / "new").acquire(),
        lambda run: create_run(run.home, CONFIG, "new"),
        lambda run: run.update(stage="new"),
        lambda run: run.append_metrics({"kimg": 1}),
        lambda run: run.request_stop(),
        lambda run: run.delete(),
        lambda run: jobs.move(run, 0),
        lambda run: change_about(run, title="new"),
        lambda run: index.enqueue(run.home, run.id),
        lambda run: index.reindex(run.home),
    ],
)
def test_nothing_is_written_in_a_demo(
    write: Callable[[Run], object], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(home, CONFIG, "Train")
    index.enqueue(home, run.id)
    before = tree(home)
    monkeypatch.setenv(READ_ONLY, "1")
    with pytest.raises(ErsatzError, match="read-only demo"):
        write(run)
    assert [listed.id for listed in list_runs(home)] == [run.id]
    assert index.queue(home) == [run.id]
    assert tree(home) == before


def test_a_demo_lists_runs_without_an_index_and_makes_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(home, CONFIG, "Train")
    monkeypatch.setenv(READ_ONLY, "1")
    assert [listed.id for listed in list_runs(home)] == [run.id]
    assert not home.database.exists()


def test_files_elsewhere_are_written_in_a_demo(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    write_json(tmp_path / "walk.json", {})
    assert (tmp_path / "walk.json").exists()
