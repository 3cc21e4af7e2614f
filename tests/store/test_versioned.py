"""Typed results: written and read again they are the same, and what is not as expected is named in a sentence."""

from __future__ import annotations

import json
import math

import pytest

from engine.store.errors import ErsatzError
from engine.store.versioned import Number, Result, Versioned


class Part(Result):
    score: Number


class Whole(Versioned):
    name: str
    parts: tuple[Part, ...] = ()


def test_what_is_not_finite_is_null_in_the_file_and_nan_again(tmp_path):
    path = tmp_path / "whole.json"
    Whole(name="a", parts=(Part(score=math.nan), Part(score=0.5))).write_to(path)
    assert json.loads(path.read_text()) == {"version": 1, "name": "a", "parts": [{"score": None}, {"score": 0.5}]}
    found = Whole.read(path)
    assert math.isnan(found.parts[0].score) and found.parts[1].score == 0.5


def test_a_file_from_before_there_were_versions_opens(tmp_path):
    path = tmp_path / "whole.json"
    path.write_text('{"name": "a", "unknown": 1}')
    assert Whole.read(path) == Whole(name="a")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"version": 2, "name": "a"}', "is of version 2, and this program knows up to 1"),
        ('{"parts": []}', "name: Field required"),
        ("[]", "was changed by hand or damaged"),
        ("{", "is not readable as JSON"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "whole.json"
    path.write_text(content)
    with pytest.raises(ErsatzError, match=sentence):
        Whole.read(path)
