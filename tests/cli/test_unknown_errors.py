"""An error that nobody thought of: one sentence, an exit code of its own, and its trace in a file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import main
from engine.store.home import Home
from tests.cli.conftest import Ending
from tests.fabricated import make_dataset

SECRET = "Jane Roe, of /clinic/patients/roe.png"


def broken(*_: object, **__: object) -> None:
    raise KeyError(SECRET)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("runs", "engine.cli.runs.list_runs"),
        ("dataset list", "engine.cli.datasets.list_datasets"),
        ("train phantom", "engine.cli.main.jobs.submit"),
        ("doctor --home", "engine.cli.doctor.repair_home"),
    ],
)
def test_it_is_one_sentence_with_the_place_of_its_trace(
    command: Callable[..., Ending], home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, place: str
) -> None:
    make_dataset(home)
    monkeypatch.setattr(place, broken)
    ending = command(*words.split())
    assert ending.code == main.EXIT_UNKNOWN
    (kept,) = (home.root / "errors").iterdir()
    assert "does not know" in ending.err and str(kept) in ending.err and "Traceback" not in ending.err + ending.out
    assert len(ending.err.strip().splitlines()) == 1
    assert "broken" in kept.read_text()  # the trace
    packed = tmp_path / "report.zip"
    assert command("doctor", "--report", str(packed)).code == 0
    with zipfile.ZipFile(packed) as archive:
        every = b"".join(archive.read(name) for name in archive.namelist())
    assert b"KeyError" in every and b"phantom" not in every
