"""Metadata columns: plain names in the manifest, counted in the preview, kept by every later change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.editing import apply_remedies, resplit
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.store.home import Home

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


@pytest.fixture
def table(make_tree: Callable[..., Path]) -> Path:
    """24 pictures with a sex, sometimes unknown, and an age."""
    source = make_tree({"pictures": 24})
    rows = [f"{n},{n % 2},{('f', 'm', '')[n % 3]},{50 + n % 2},P{n // 2}" for n in range(24)]
    (source / "labels.csv").write_text("image,label, Sex ,age,patient\n" + "\n".join(rows))
    return source


def test_chosen_columns_have_plain_names_and_the_others_a_prefix(home: Home, table: Path, config: Config) -> None:
    settings = {"label_column": "label", "group_column": "patient", "metadata_columns": ("sex",)}
    dataset = import_dataset(home, config(table, **settings))
    assert dataset.metadata == ["sex"]
    assert dataset.manifest["sex"].value_counts().to_dict() == {"f": 8, "m": 8, "": 8}
    assert {"meta_age"} == {name for name in dataset.manifest if name.startswith("meta_")}
    assert Dataset.open(home, "set").rows("train")["sex"].isin(("f", "m", "")).all()


def test_preview_counts_the_values(table: Path, config: Config) -> None:
    seen = preview(config(table, label_column="label", metadata_columns=("sex", "age")))
    assert seen.metadata == {"sex": {"f": 8, "m": 8, "": 8}, "age": {"50": 12, "51": 12}}
    assert "sex: f (8), m (8), unknown (8)." in seen.text()


def test_changes_to_an_open_split_keep_the_columns(home: Home, table: Path, config: Config) -> None:
    settings = {"label_column": "label", "metadata_columns": ("age",), "freeze": False}
    dataset = import_dataset(home, config(table, **settings))
    before = dataset.manifest.set_index("path")["age"]
    for changed in (resplit(dataset, {"seed": 7}), apply_remedies(dataset, ["drop-copies"])):
        assert changed.metadata == ["age"]
        assert changed.manifest.set_index("path")["age"].equals(before)


def test_columns_do_not_change_the_fingerprint(home: Home, table: Path, config: Config) -> None:
    plain = import_dataset(home, config(table, label_column="label"))
    kept = import_dataset(home, config(table, label_column="label", name="kept", metadata_columns=("age",)))
    assert plain.fingerprint == kept.fingerprint


def test_impossible_columns_are_refused(table: Path, make_tree: Callable[..., Path], refused: Refused) -> None:
    chosen = {"label_column": "label", "group_column": "patient"}
    refused(table, "no metadata column 'scanner'", "'Sex', 'age'", metadata_columns=("scanner",), **chosen)
    refused(table, "no metadata column 'patient'", "groups", metadata_columns=("patient",), **chosen)
    refused(table, "'age ' is named twice", metadata_columns=("age", "age "), **chosen)
    refused(table, "'group' has the name of a column", "Rename it", metadata_columns=("group",), **chosen)
    folders = make_tree({"a": 6, "b": 6}, root="folders")
    refused(folders, "only a CSV brings some", metadata_columns=("age",))
