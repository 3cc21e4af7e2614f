"""`pool` and `sweep rank`: what they refuse, each in one sentence and without a run left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli.pools import class_map
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import list_runs
from tests.cli.conftest import Ending
from tests.sweep.conftest import make_dataset, make_pool

Command = Callable[..., Ending]


def test_what_is_missing_or_wrong_is_said_before_there_is_a_run(home: Home, command: Command, tmp_path: Path) -> None:
    spots = make_dataset(home, {"train": 6, "valid": 4, "test": 4})
    pool = make_pool(spots, 3).run.id
    empty, control = tmp_path / "empty", ("pool", "control", "c", "--dataset", "spots")
    empty.mkdir()
    for words, why in (
        (("pool", "import", str(empty)), "Name it with --dataset."),
        (("pool", "import", str(tmp_path / "none"), "--dataset", "spots"), "There is no"),
        (("pool", "import", str(empty), "--dataset", "spots"), "holds no image"),
        (control, "held-back, noise or shuffled is expected"),
        ((*control, "--control", "noise", "--of", pool), "name a pool for shuffled"),
        ((*control, "--control", "held-back", "--images-per-class", "5"), "at least 2"),
        (("pool", "mix", pool), "at least 2"),
        (("sweep", "rank", pool), "is a pool run"),
        (("sweep", "nothing"), "There is no run nothing"),
    ):
        ending = command(*words)
        assert ending.code == 1, words
        assert why in " ".join(ending.err.split()), words
    assert [run.id for run in list_runs(home)] == [pool]
    assert [path.name for path in home.datasets.iterdir()] == ["spots"]


def test_classes_are_named_one_by_one_or_together() -> None:
    assert class_map(["0=bleed,1=normal", "a, b=-"]) == {"0": "bleed", "1": "normal", "a, b": "-"}
    with pytest.raises(ErsatzError, match="expected FOUND=CLASS"):
        class_map(["bleed"])
