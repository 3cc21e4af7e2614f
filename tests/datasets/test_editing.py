"""Changes before the freeze: remedies and their undoing, moves by hand, what a remedy would do; and deletion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.configs import DcganConfig, ImportConfig
from engine.datasets import copies, editing
from engine.datasets.audit import affected
from engine.datasets.dataset import Dataset
from engine.datasets.folds import make_folds
from engine.datasets.image_stats import MEASURES_FILE, measured
from engine.datasets.importing import import_dataset
from engine.datasets.remedy_preview import effect_of
from engine.datasets.split_units import units_of
from engine.jobs.dataset_removal import remove, uses_of
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import State, create_run


@pytest.fixture
def open_set(home: Home, tmp_path: Path, blobs: Callable[..., np.ndarray]) -> Dataset:
    """Two classes of ten patients with three slices each; the first slice of `ill/P0` is there twice more."""
    seed = 0
    for number, name in enumerate(("ill", "well")):
        (tmp_path / "source" / name).mkdir(parents=True)
        for patient in range(10):
            for piece in range(3):
                image = Image.fromarray(blobs(seed))
                image.save(tmp_path / "source" / name / f"P{10 * number + patient}_{piece}.png")
                seed += 1
    for copy in range(2):
        Image.fromarray(blobs(0)).save(tmp_path / "source" / "ill" / f"again{copy}.png")
    config = ImportConfig(name="set", source=str(tmp_path / "source"), size=16, freeze=False)
    return import_dataset(home, config)


def compared(dataset: Dataset) -> pd.DataFrame:
    return dataset.manifest[["path", "class", "split", "group", "excluded"]]


def test_undone_remedies_leave_the_set_as_it_was(open_set: Dataset) -> None:
    both = editing.apply_remedies(open_set, ["drop-copies", "group-by-name"])
    assert (both.manifest["excluded"] == "drop-copies").sum() == 2
    assert both.manifest["group"].str.startswith("P").sum() == 60
    one = editing.undo_remedies(both, ["group-by-name"])
    assert (one.manifest["group"] == "").all()
    assert (one.manifest["excluded"] == "drop-copies").sum() == 2
    none = editing.undo_remedies(one, ["drop-copies"])
    pd.testing.assert_frame_equal(compared(none), compared(open_set))
    with pytest.raises(ErsatzError, match="drop-copies was not applied"):
        editing.undo_remedies(none, ["drop-copies"])


def test_a_remedy_is_foretold_and_told_after_it_was_applied(open_set: Dataset) -> None:
    effect = effect_of(open_set, "drop-copies")
    assert effect.images == {"ill": (32, 30), "well": (30, 30)}
    assert effect.left_out == 2
    by_name = effect_of(open_set, "group-by-name")
    assert by_name.left_out == 0
    assert by_name.units == (60, 20), "two copies hang on their original"
    assert by_name.moved == 0
    mended = editing.apply_remedies(open_set, ["drop-copies"])
    assert effect_of(mended, "drop-copies") == effect


def test_a_move_takes_everything_that_belongs_together_and_outlives_remedies(open_set: Dataset) -> None:
    grouped = editing.apply_remedies(open_set, ["group-by-name"])
    before = units_of(grouped)
    assert before["images"].sum() == 62
    assert before.set_index("name").at["P0", "images"] == 5, "a patient with the copies of a slice"
    unit = before[before["name"] == "P0"].iloc[0]
    target = "test" if unit["split"] != "test" else "valid"
    moved = editing.move(grouped, [unit["path"]], target)
    assert units_of(moved).set_index("name").at["P0", "split"] == target
    assert not any(finding["severity"] == "leak" for finding in moved.info.audit.findings)
    mended = editing.apply_remedies(moved, ["drop-copies"])
    assert set(mended.rows().query("group == 'P0'")["split"]) == {target}
    again = editing.resplit(mended, {"seed": 0})
    assert set(again.rows().query("group == 'P0'")["split"]) == {unit["split"]}, "splitting again forgets moves"


def test_a_move_that_would_empty_a_split_is_refused(open_set: Dataset) -> None:
    wells = open_set.rows("test", "well")["path"].tolist()
    with pytest.raises(ErsatzError, match="Class well has 0 images in the test split"):
        editing.move(open_set, wells, "train")
    with pytest.raises(ErsatzError, match="no split 'holdout'"):
        editing.move(open_set, wells, "holdout")
    with pytest.raises(ErsatzError, match=r"no image elsewhere\.png"):
        editing.move(open_set, ["elsewhere.png"], "test")
    pd.testing.assert_frame_equal(compared(Dataset.open(open_set.home, "set")), compared(open_set))


def test_the_split_that_somebody_else_changed_meanwhile_is_not_frozen(open_set: Dataset) -> None:
    editing.apply_remedies(open_set, ["drop-copies"])
    with pytest.raises(ErsatzError, match="was changed meanwhile"):
        editing.freeze(open_set)
    assert not Dataset.open(open_set.home, "set").frozen
    assert editing.freeze(Dataset.open(open_set.home, "set"))


def test_measures_are_kept_and_do_not_outlive_their_pixels(open_set: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = copies.measure(open_set.manifest, open_set.path)
    kept = pd.read_csv(open_set.path / MEASURES_FILE, na_filter=False)
    assert kept["near"].tolist() == fresh["near"].tolist()
    asked = []
    monkeypatch.setattr(copies, "measure", lambda *_: asked.append(1) or fresh)
    assert measured(open_set.manifest, open_set.path)["spread"].tolist() == pytest.approx(fresh["spread"].tolist())
    assert not asked
    measured(open_set.manifest.assign(sha256="other"), open_set.path)
    assert asked


def test_findings_name_all_their_images_with_those_that_belong_together_side_by_side(open_set: Dataset) -> None:
    members = affected(open_set.manifest, open_set.path)
    (copied,) = (paths for name, paths in members.items() if name.startswith("exact-copies"))
    assert open_set.manifest.set_index("path").loc[copied, "sha256"].nunique() == 1
    assert len(copied) == 3
    assert len(members["patients-in-names"]) == 60
    assert all("members" not in finding for finding in open_set.info.audit.findings)


def test_a_data_set_is_deleted_after_saying_who_uses_it(open_set: Dataset, home: Home) -> None:
    editing.apply_remedies(open_set, ["drop-copies", "group-by-name"])
    whole = Dataset.open(home, "set")
    whole.freeze()
    fold, *_ = make_folds(whole, 2)
    training = create_run(home, DcganConfig(dataset="set", class_name="ill").plain(), "train")
    create_run(home, DcganConfig(dataset="another", class_name="ill").plain(), "train")
    lock = FileLock(training.lock_path)
    assert lock.acquire()
    training.update(state=State.RUNNING)
    with pytest.raises(ErsatzError, match=r"1 run on data set set is still queued or running"):
        remove(whole)
    lock.release()
    training.update(state=State.STOPPED)
    uses = uses_of(whole)
    assert {kind: len(runs) for kind, runs in uses.runs.items()} == {"train": 1}
    assert uses.folds == ["set-fold1", "set-fold2"]
    assert uses.sentences()[0].startswith("1 training can be neither resumed")
    remove(whole)
    assert sorted(path.name for path in home.datasets.iterdir()) == ["set-fold1", "set-fold2"]
    Dataset.open(home, fold.name).pixels(fold.rows("test"))  # the images of a fold stay
    with pytest.raises(ErsatzError, match="There is no data set set"):
        remove(whole)


def test_images_that_a_remedy_moves_between_given_splits_are_foretold(home: Home, make_tree, blobs) -> None:
    source = make_tree({f"{split}/{name}": 6 for split in ("train", "valid", "test") for name in ("ill", "well")})
    Image.fromarray(blobs(0)).save(source / "test" / "ill" / "again.png")  # the first training image
    dataset = import_dataset(home, ImportConfig(name="set", source=str(source), size=16, freeze=False))
    effect = effect_of(dataset, "join-groups")
    assert (effect.moved, effect.left_out) == (1, 0)
    joined = editing.apply_remedies(dataset, ["join-groups"])
    assert (joined.manifest["split"] != dataset.manifest["split"]).sum() == 1
