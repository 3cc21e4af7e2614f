"""The methods paragraph takes its numbers from the policies and heads that were used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.publications.table import AUGMENTATIONS, HEADS
from engine.report.sweep_words import augmentation_in_words, head_in_words


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("head-ct", "rotation up to 40 degrees, shifts, shear and zoom up to 20 %, horizontal flip"),
        ("skin-lesions", "rotation up to 30 degrees, horizontal and vertical flip"),
        ("mild", "rotation up to 10 degrees, shifts up to 5 %, zoom up to 10 %, no flip"),
    ],
)
def test_policies_in_words(policy: str, words: str) -> None:
    assert augmentation_in_words(AUGMENTATIONS[policy]) == words


def test_words_follow_the_numbers_of_a_policy() -> None:
    other = replace(AUGMENTATIONS["head-ct"], rotation=12.5, shear=0.05, mirror=False, flip=True)
    words = "rotation up to 12.5 degrees, shifts and zoom up to 20 %, shear up to 5 %, vertical flip"
    assert augmentation_in_words(other) == words


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("linear", "dropout and one dense layer"),
        ("probe", "a logistic regression fitted to convergence"),
        ("head-ct", "the head published with da-dcgan (dropout 0.4, dense layer of 2)"),
        (
            "chest-ct",
            "the published chest-CT head (batch normalisation, dense layers of 50176, 500, 200, 50 and 1)",
        ),
        ("skin-lesions", "the published skin-lesion head (dense layers of 500 and 1)"),
    ],
)
def test_heads_in_words(head: str, words: str) -> None:
    assert head_in_words(head) == words


def test_words_follow_the_layers_of_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HEADS, "chest-ct", replace(HEADS["chest-ct"], widths=(12, 7), batch_norm=False))
    assert head_in_words("chest-ct") == "the published chest-CT head (dense layers of 12, 7 and 1)"
