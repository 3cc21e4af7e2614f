"""The map of a data set: who is near whom, without sealed images, and told where it no longer fits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine.configs import FeatureMapConfig
from engine.datasets import editing
from engine.datasets.dataset import Dataset
from engine.jobs.prepare import prepare_feature_map
from engine.quality.dataset_map import draw_map
from engine.quality.results import FeatureMapResult
from engine.quality.stored_map import DIRECTIONS_FILE, by_likeness, drawn_of, read_map, rows_to_draw
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, create_run
from tests.fabricated import make_dataset


@pytest.fixture
def dataset(home: Home) -> Dataset:
    make_dataset(home)
    return Dataset.open(home, "phantom")


def drawn(dataset: Dataset, **settings: int) -> Run:
    config = FeatureMapConfig.build({"dataset": dataset.name, "extractor": "pixels", "device": "cpu", **settings})
    config = prepare_feature_map(dataset.home, config)
    run = create_run(dataset.home, config.plain(), "map")
    assert draw_map(run, config) == "finished"
    return run


def test_the_most_alike_come_first(dataset: Dataset) -> None:
    run = drawn(dataset)
    places, directions = read_map(run)
    rows = rows_to_draw(dataset)
    assert list(places["path"]) == list(rows["path"])
    assert run.status().result_as(FeatureMapResult) == FeatureMapResult(
        images=len(rows), of=len(rows), extractor="pixels"
    )
    pixels = dataset.pixels(rows).reshape(len(rows), -1).astype(float)
    order = by_likeness(places, directions, rows["sha256"].iloc[3])
    assert order[0] == rows["sha256"].iloc[3]
    ranks = {sha256: rank for rank, sha256 in enumerate(order)}
    distances = np.linalg.norm(pixels - pixels[3], axis=1)
    nearest = rows["sha256"].iloc[int(np.argsort(distances)[1])]
    assert ranks[nearest] <= 3, "as the pixels themselves say"
    far = rows["sha256"].iloc[int(np.argmax(distances))]
    assert ranks[far] > len(order) / 2
    with pytest.raises(ErsatzError, match="not on the map"):
        by_likeness(places, directions, "0" * 64)


def test_sealed_images_are_not_on_it(dataset: Dataset) -> None:
    test = set(dataset.rows("test")["sha256"])
    editing.freeze(dataset, sealed=True)
    places, _ = read_map(drawn(dataset))
    assert len(places)
    assert not set(places["sha256"]) & test


def test_a_part_is_drawn_by_the_seed(dataset: Dataset) -> None:
    first, again, other = (set(read_map(drawn(dataset, images=10, seed=s))[0]["path"]) for s in (1, 1, 2))
    assert len(first) == 10
    assert first == again != other


def test_other_images_and_damage_are_said(dataset: Dataset) -> None:
    config = prepare_feature_map(dataset.home, FeatureMapConfig(dataset=dataset.name, extractor="pixels"))
    assert config.images_sha256 == drawn_of(rows_to_draw(dataset))
    other = config.model_copy(update={"images_sha256": "0" * 64})
    with pytest.raises(ErsatzError, match="others than when this map was set up"):
        draw_map(create_run(dataset.home, other.plain(), "map"), other)
    run = drawn(dataset)
    np.save(run.path / DIRECTIONS_FILE, np.zeros((2, 2)))
    with pytest.raises(ErsatzError, match="one row for each"):
        read_map(run)
    (run.path / DIRECTIONS_FILE).write_bytes(b"nothing")
    with pytest.raises(ErsatzError, match="cannot be read"):
        read_map(run)
    path = dataset.path / dataset.rows()["path"].iloc[0]
    Image.new("L", (3, 3)).save(path)
    with pytest.raises(ErsatzError, match="damaged"):
        drawn(dataset)
