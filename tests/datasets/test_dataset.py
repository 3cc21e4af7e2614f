"""The handle on a data set: rows, pixels, freezing, and what it says of damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset, fingerprint_of, list_datasets
from engine.datasets.editing import apply_remedies, reaudit, resplit
from engine.datasets.importing import import_dataset
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json
from engine.store.home import Home
from tests.fabricated import make_dataset


@pytest.fixture
def open_set(home: Home, make_tree: Callable[..., Path], config: Callable[..., ImportConfig]) -> Dataset:
    """30 images in two classes, not frozen; one test image is a copy of a training image."""
    source = make_tree({"train/a": 11, "train/b": 12, "test/a": 3, "test/b": 3})
    (source / "test" / "a" / "copy.png").write_bytes((source / "train" / "a" / "000.png").read_bytes())
    return import_dataset(home, config(source))


@pytest.fixture
def frozen_set(open_set: Dataset) -> Dataset:
    dataset = apply_remedies(open_set, ["drop-copies"])
    dataset.freeze()
    return dataset


def test_rows_pixels_and_labels_go_together(frozen_set: Dataset):
    rows = frozen_set.rows("test")
    assert len(rows) == 7
    pixels, labels = frozen_set.pixels(rows), frozen_set.labels(rows)
    assert pixels.shape == (7, 16, 16, 1)
    assert pixels.dtype == np.uint8
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert labels.dtype == np.int64
    backwards = frozen_set.pixels(rows[::-1])
    assert np.array_equal(backwards, pixels[::-1])
    assert len(frozen_set.rows()) == 29
    assert len(frozen_set.manifest) == 30
    assert set(frozen_set.rows("train", "b")["class"]) == {"b"}


def test_unknown_class_is_refused(frozen_set: Dataset):
    with pytest.raises(ErsatzError, match="no class 'c'; expected one of a, b"):
        frozen_set.rows(class_name="c")


def test_freezing(open_set: Dataset):
    assert open_set.fingerprint == ""
    with pytest.raises(ErsatzError, match=r"cannot be frozen.*drop-copies"):
        open_set.freeze()
    mended = apply_remedies(open_set, ["drop-copies"])
    assert not mended.frozen
    fingerprint = mended.freeze()
    again = Dataset.open(mended.home, mended.name)
    assert again.fingerprint == fingerprint == again.freeze()
    again.require_frozen()


def test_grave_findings_may_be_accepted_knowingly(open_set: Dataset):
    open_set.freeze(accept_findings=True)
    assert Dataset.open(open_set.home, open_set.name).info.frozen.accepted == ("exact-copies-across-splits",)


def test_frozen_set_cannot_be_changed(frozen_set: Dataset):
    before = (frozen_set.path / "manifest.csv").read_bytes()
    for change in (lambda: apply_remedies(frozen_set, ["drop-blank"]), lambda: resplit(frozen_set, {"seed": 3})):
        with pytest.raises(ErsatzError, match=r"is frozen.*another name"):
            change()
    assert (frozen_set.path / "manifest.csv").read_bytes() == before
    assert reaudit(frozen_set) == frozen_set.info.audit.findings


def test_resplit_and_back_to_the_given_splits(open_set: Dataset):
    given = dict(zip(open_set.manifest["source"], open_set.manifest["split"], strict=True))
    drawn = resplit(open_set, {"split": "random", "train_share": 0.5, "valid_share": 0.25})
    counts = drawn.manifest["split"].value_counts()
    assert 13 <= counts["train"] <= 17
    test = set(drawn.manifest.loc[drawn.manifest["split"] == "test", "source"].str.split("/").str[0])
    assert test == {"train", "test"}  # now from both folders
    back = resplit(drawn, {"split": "given", "train_share": 0.7, "valid_share": 0.15})
    assert dict(zip(back.manifest["source"], back.manifest["split"], strict=True)) == given
    with pytest.raises(ErsatzError, match="size is no setting of the split"):
        resplit(back, {"size": 32})


def test_refused_change_leaves_the_set_as_it_was(open_set: Dataset):
    before = {path: path.read_bytes() for path in sorted(open_set.path.glob("*")) if path.is_file()}
    with pytest.raises(ErsatzError, match="burn"):
        apply_remedies(open_set, ["burn"])
    with pytest.raises(ErsatzError):
        resplit(open_set, {"split": "random", "split_counts": (1, 1, 1)})
    assert {path: path.read_bytes() for path in sorted(open_set.path.glob("*")) if path.is_file()} == before


def test_manifest_changed_after_the_freeze_is_noticed(frozen_set: Dataset):
    path = frozen_set.path / "manifest.csv"
    path.write_text(path.read_text().replace(",test,", ",train,", 1))
    with pytest.raises(ErsatzError, match="changed after its split was frozen"):
        Dataset.open(frozen_set.home, frozen_set.name).require_frozen()


def test_what_was_made_for_another_split_is_refused(frozen_set: Dataset, open_set: Dataset):
    for made_for in (frozen_set.fingerprint, ""):
        assert frozen_set.has_fingerprint(made_for)
        frozen_set.require_fingerprint(made_for, "The pool p")
    assert not frozen_set.has_fingerprint("e" * 64)
    now = frozen_set.fingerprint[:12]
    found = rf"^The pool p was made for the split e{{12}}\.\.\. of the data set set, which has the split {now}"
    with pytest.raises(ErsatzError, match=found + r"\.\.\. now; the same is expected. Make a new one"):
        frozen_set.require_fingerprint("e" * 64, "The pool p")
    with pytest.raises(ErsatzError, match="which has none that is frozen now"):
        open_set.require_fingerprint("e" * 64, "The pool p")


def test_missing_and_damaged_sets_are_told(frozen_set: Dataset):
    home = frozen_set.home
    with pytest.raises(ErsatzError, match=r"no data set other.*expected one of set"):
        Dataset.open(home, "other")
    first = frozen_set.rows().iloc[:1]
    (frozen_set.path / first["path"].iloc[0]).write_bytes(b"damaged")
    with pytest.raises(ErsatzError, match="missing or damaged"):
        frozen_set.pixels(first)
    (frozen_set.path / "manifest.csv").write_text("path,class\nx,y\n")
    with pytest.raises(ErsatzError, match=r"manifest\.csv"):
        _ = Dataset.open(home, "set").manifest
    (frozen_set.path / "dataset.json").write_text('{"name": "set"}')
    with pytest.raises(ErsatzError, match=r"dataset\.json is not as .* \(classes: Field required\)"):
        Dataset.open(home, "set")
    (frozen_set.path / "dataset.json").write_text("{")
    with pytest.raises(ErsatzError, match="not readable as JSON"):
        Dataset.open(home, "set")


def test_list_passes_over_what_is_no_data_set(frozen_set: Dataset):
    home = frozen_set.home
    (home.datasets / ".set.unfinished").mkdir()
    (home.datasets / "empty").mkdir()
    (home.datasets / "damaged").mkdir()
    (home.datasets / "damaged" / "dataset.json").write_text("{")
    assert [dataset.name for dataset in list_datasets(home)] == ["set"]
    assert list_datasets(Home(home.root / "nowhere")) == []


def test_fingerprint_depends_on_what_results_depend_on(frozen_set: Dataset):
    def changed(**columns: str) -> str:
        manifest = frozen_set.manifest.copy()
        for name, value in columns.items():
            manifest.loc[manifest.index[0], name] = value
        return fingerprint_of(manifest, frozen_set.info)

    assert changed(source="elsewhere.png") == frozen_set.fingerprint
    for column in ("class", "split", "group", "sha256", "excluded"):
        assert changed(**{column: "other"}) != frozen_set.fingerprint
    info = frozen_set.info.model_copy(deep=True)
    info.provenance.preprocessing["resize"] = "crop"
    assert fingerprint_of(frozen_set.manifest, info) != frozen_set.fingerprint


def test_fields_that_are_not_known_stay_when_the_file_is_written_again(home: Home) -> None:
    path = make_dataset(home, frozen=False).path / "dataset.json"
    values = read_json(path)
    write_json(path, {**values, "later": 1, "provenance": {**values["provenance"], "later": [2]}})
    Dataset.open(home, "phantom").freeze()
    again = read_json(path)
    assert (again["later"], again["provenance"]["later"], again["frozen"] is None) == (1, [2], False)
