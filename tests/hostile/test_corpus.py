"""Hostile files end in a sentence or a right read: a sample here, the whole by `python -m benchmarks.hostile`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.store.errors import LONGEST, ErsatzError
from engine.store.home import REPOSITORY

SHARE = 0.04


def test_a_sample_of_the_corpus_is_read_or_refused_in_a_sentence() -> None:
    """In a process of its own, which forks: none of this one's threads may be in the middle of something."""
    command = [sys.executable, "-m", "benchmarks.hostile", "--share", str(SHARE)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)
    assert found["files"] > 40 and found["bad"] == 0
    assert {"read", "refused"} == {outcome for counts in found["kinds"].values() for outcome in counts}


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("a\nb\r\nc", "a b c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("Größe – 3 µm", "Größe – 3 µm"),
    ],
)
def test_a_sentence_is_one_printable_line_whatever_it_quotes(quoted: str, shown: str) -> None:
    assert str(ErsatzError(f"{quoted} was found.")) == f"{shown} was found."


def test_a_sentence_has_an_end() -> None:
    assert len(str(ErsatzError("9" * 5000))) < 500
    assert len(str(ErsatzError("many words " * 5000))) <= LONGEST
