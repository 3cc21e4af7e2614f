"""Tags of images, and images that a person leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.configs import ImportConfig
from engine.datasets import editing
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.datasets.tags import all_tags, tag, tags_of, untag
from engine.store.errors import ErsatzError
from engine.store.home import Home


@pytest.fixture
def dataset(home: Home, config: Callable[..., ImportConfig], make_tree: Callable[..., Path]) -> Dataset:
    return import_dataset(home, config(make_tree({"a": 8, "b": 8}), freeze=False))


def test_tags_are_given_and_taken_and_change_no_fingerprint(dataset: Dataset) -> None:
    first, second, third = dataset.manifest["sha256"].iloc[:3]
    before = editing.freeze(dataset)
    tag(dataset, [first, second], " look   again ")
    tag(dataset, [second], "artefact")
    assert tags_of(dataset) == {first: ("look again",), second: ("artefact", "look again")}
    assert all_tags(dataset) == ["artefact", "look again"]
    tag(dataset, [first], "look again")
    untag(dataset, [second, third], "look again")
    assert tags_of(dataset) == {first: ("look again",), second: ("artefact",)}
    now = Dataset.open(dataset.home, dataset.name)
    assert now.fingerprint == before
    now.require_frozen()


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\0b", "\u202e"])
def test_what_is_no_tag_is_refused(dataset: Dataset, name: str) -> None:
    with pytest.raises(ErsatzError, match="cannot be a tag"):
        tag(dataset, list(dataset.manifest["sha256"]), name)
    assert tags_of(dataset) == {}


@pytest.mark.parametrize("content", ["[]", '{"a": "word"}', '{"a": [1]}', "{"])
def test_damaged_tags_are_said(dataset: Dataset, content: str) -> None:
    (dataset.path / "tags.json").write_text(content)
    with pytest.raises(ErsatzError, match=r"tags\.json"):
        tags_of(dataset)


def test_images_left_out_by_hand_stay_out_until_they_are_brought_back(dataset: Dataset) -> None:
    out = list(dataset.manifest["path"].iloc[[0, 9]])
    changed = editing.leave_out(dataset, out)
    assert not set(out) & set(changed.rows()["path"])
    assert set(changed.manifest.loc[changed.manifest["path"].isin(out), "excluded"]) == {"by-hand"}
    changed = editing.resplit(changed, {"seed": 7})
    assert len(changed.rows()) == 14, "another split keeps them out"
    changed = editing.apply_remedies(changed, ["drop-copies"])
    assert len(changed.rows()) == 14
    changed = editing.bring_back(changed, out[:1])
    assert len(changed.rows()) == 15
    with pytest.raises(ErsatzError, match="has no image"):
        editing.leave_out(changed, ["images/a/nobody.png"])
    editing.freeze(changed)
    with pytest.raises(ErsatzError, match="is frozen"):
        editing.bring_back(changed, out)
    assert len(Dataset.open(changed.home, changed.name).rows()) == 15
