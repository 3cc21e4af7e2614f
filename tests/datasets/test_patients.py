"""Only the source's own groups are patients; a remedy's groups stay together and are called otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.configs import ImportConfig
from engine.datasets import editing
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.datasets.patients import PATIENT, known_of, patients_in, with_patients
from engine.store.home import Home
from engine.sweep.analysis_units import units_of


@pytest.fixture
def copied(home: Home, make_tree: Callable[..., Path], config: Callable[..., ImportConfig]) -> Dataset:
    """12 images of two classes, the first two of each class also as exact copies; the split is open."""
    source = make_tree({"a": 12, "b": 12})
    for name in ("a", "b"):
        for number in range(2):
            (source / name / f"{100 + number}.png").write_bytes((source / name / f"{number:03d}.png").read_bytes())
    return import_dataset(home, config(source, freeze=False))


def test_sets_of_copies_are_units_and_no_patients(copied: Dataset) -> None:
    joined = editing.apply_remedies(copied, ["join-groups"])
    known = known_of([joined])
    assert (known.patients, known.named, known.sets, known.images_without) == (0, 0, 4, 28)
    assert not known.any
    rows = with_patients(joined)
    assert set(rows[PATIENT]) == {""}
    by_image = units_of(rows, joined.classes, 0, "image")
    assert (len(by_image), by_image.n_clusters) == (28, 24), "copies are drawn together"


def test_patients_stay_two_when_a_shared_picture_joins_them(copied: Dataset) -> None:
    names = [f"P{place // 2}" for place in range(len(copied.manifest))]
    copied.manifest.assign(group=names).to_csv(copied.path / "manifest.csv", index=False)
    joined = editing.apply_remedies(Dataset.open(copied.home, copied.name), ["join-groups"])
    assert joined.rows()["group"].nunique() < 14
    known = known_of([joined])
    assert (known.patients, known.sets, known.all) == (14, 0, True)
    units = units_of(with_patients(joined), joined.classes, 0, "patient")
    assert len(units) == 14
    assert units.n_clusters == joined.rows()["group"].nunique()
    assert np.isfinite(units.scores(np.ones((28, 2)))).all()


def test_tables_of_before_call_sets_of_copies_no_patients() -> None:
    table = pd.DataFrame({"group": ["P1", "copies-0a1b2c3d", "", "P1+P2"]})
    assert patients_in(table).tolist() == ["P1", "", "", "P1+P2"]
