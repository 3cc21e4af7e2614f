"""One damaged file hides nothing else: every listing shows the others, and this one as damaged with its sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.api import Workspace
from engine.jobs import submit as jobs
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, damaged_runs, list_runs
from tests.cli.conftest import Ending
from tests.fabricated import make_everything

Command = Callable[..., Ending]


def _later(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "version": 99}).encode()


def _unknown_kind(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "kind": "telepathy", "state": "dreaming"}).encode()


def _unknown_field(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "telepathy": 1}).encode()


def _wrong_types(content: bytes) -> bytes:
    return json.dumps(
        {key: [1] if isinstance(value, str) else "x" for key, value in json.loads(content).items()}
    ).encode()


DAMAGES: dict[str, Callable[[bytes], bytes] | str] = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "list": lambda _: b"[]",
    "null": lambda _: b"null",
    "binary": lambda _: bytes(range(256)),
    "deep": lambda _: b"[" * 100_000,
    "digits": lambda _: b'{"created": ' + b"9" * 5000 + b"}",
    "later": _later,
    "unknown kind": _unknown_kind,
    "unknown field": _unknown_field,
    "wrong types": _wrong_types,
    "folder": "folder",
    "missing": "missing",
    "link to nowhere": "link",
}


OF_OBJECTS = frozenset({"later", "unknown kind", "unknown field", "wrong types"})


@contextmanager
def damaged(path: Path, damage: Callable[[bytes], bytes] | str) -> Iterator[None]:
    """The file in that state, and as it was afterwards."""
    content = path.read_bytes()
    path.unlink()
    try:
        match damage:
            case "folder":
                path.mkdir()
            case "missing":
                pass
            case "link":
                path.symlink_to(path.parent / "nowhere")
            case _:
                assert callable(damage)
                path.write_bytes(damage(content))
        yield
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(content)


def files_of(home: Home) -> list[Path]:
    """One file of each name in the runs, and those of the data set."""
    every = [path for folder in (home.runs, home.datasets) for path in sorted(folder.glob("*/*")) if path.is_file()]
    return list({(path.parents[1].name, path.name): path for path in every if path.name != "lock"}.values())


LISTS = ("runs --json", "dataset list --json")
OTHERS = ("runs", "dataset list", "plan list", "review list", "queue", "doctor --home --dry-run")
DESCRIBED = frozenset({"config.json", "status.json", "dataset.json"})
SHOWN = frozenset({"unknown kind", "unknown field"})
"""Of a kind of another package, which is listed as it is, or with a field more."""


def test_every_listing_outlives_every_damage(command: Command, home: Home) -> None:
    """All of them for files without which nothing is known of a run, and some for the others."""
    make_everything(home, quality=True)
    every = {run.id for run in list_runs(home)}
    for path in files_of(home):
        for name in DAMAGES if path.name in DESCRIBED else ("half", "folder"):
            if name in OF_OBJECTS and path.suffix != ".json":
                continue
            with damaged(path, DAMAGES[name]):
                _look(command, home, path, name, every)


def _look(command: Command, home: Home, path: Path, name: str, every: set[str]) -> None:
    of_run, case = home.runs in path.parents, (path.name, name)
    more = (*OTHERS, *([f"runs {path.parent.name}"] if of_run else [])) if name in ("empty", "half") else ()
    endings = {words: command(*words.split()) for words in (*LISTS, *more)}
    for words, ending in endings.items():
        assert ending.code == 0 or words.startswith("doctor"), (case, words, ending.err)
        assert "does not know" not in ending.err, (case, words, ending.err)
    listed = {values["run"]: values for values in endings["runs --json"].json}
    assert listed.keys() == every, case
    told = listed.pop(path.parent.name, {})
    assert all(values["state"] == "finished" for values in listed.values())
    if path.name not in DESCRIBED or (name in SHOWN and path.name != "status.json") or name == "unknown field":
        return
    if not of_run:
        (told,) = endings["dataset list --json"].json
    assert path.name in (told.get("damaged") or (told["error"] if told["state"] == "damaged" else "")), (case, told)


def test_a_damaged_run_is_named_refused_and_deleted(command: Command, home: Home) -> None:
    make_everything(home)
    for number, file in enumerate(["status.json", "config.json"]):
        run = list_runs(home, "train")[0]
        (run.path / file).write_text("")
        assert [run.id] == list(damaged_runs(home))
        assert [one.state() for one in Workspace(home.root).runs() if one.id == run.id] == [
            State.DAMAGED if file == "status.json" else State.FINISHED
        ]
        with pytest.raises(ErsatzError, match=rf"cannot be resumed: .*{file}"):
            jobs.resume(run)
        ending = command("resume", run.id)
        assert ending.code == 1 and file in ending.err
        assert command("delete", run.id, "--yes").code == 0
        assert not run.path.exists()
        assert len(list_runs(home, "train")) == 1 - number
    (home.dataset("phantom") / "dataset.json").write_text("{")
    assert command("dataset", "delete", "phantom", "--yes").code == 0
    assert not home.dataset("phantom").exists()
    assert [path.name for path in (*home.runs.iterdir(), *home.datasets.iterdir()) if path.name.startswith(".")] == []


def test_what_a_killed_deletion_left_goes_with_the_next(home: Home) -> None:
    make_everything(home)
    first, second = list_runs(home, "train")
    for old in (f".{first.id}.deleted", f".{first.id}.0123abcd.deleted"):
        (home.runs / old / "inside").mkdir(parents=True)
    second.delete()
    assert not [path for path in home.runs.iterdir() if path.name.startswith(".")]


def test_a_run_that_goes_between_two_looks_is_left_out(
    command: Command, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_everything(home)
    going = list_runs(home, "train")[0]
    read = Run.status

    def status(run: Run) -> object:
        if run.id == going.id:
            shutil.rmtree(run.path, ignore_errors=True)
        return read(run)

    monkeypatch.setattr(Run, "status", status)
    ending = command("runs", "--json")
    assert ending.code == 0
    assert len(ending.json) == 3 and going.id not in ending.out
