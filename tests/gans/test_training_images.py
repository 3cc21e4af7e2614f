"""Which images are shown when, and what they look like on the device."""

from __future__ import annotations

import errno

import numpy as np
import pandas as pd
import pytest
import torch

from engine.configs import DcganConfig, StyleganConfig, TrainConfig
from engine.datasets.dataset import Dataset
from engine.gans import data
from engine.gans.data import (
    MappedImages,
    TrainingImages,
    draws_seed,
    open_training_set,
    read_training_images,
    rows_shown,
    to_input,
)
from engine.gans.training import train
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests.gans.conftest import MakeRun
from tests.gans.test_training import assert_same_end

CPU = torch.device("cpu")


def test_every_epoch_shows_every_image_once() -> None:
    shown = rows_shown(seed=3, images_seen=0, count=40, total=10).reshape(4, 10)
    assert (np.sort(shown, axis=1) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in shown}) == 4


def test_the_order_does_not_depend_on_where_it_is_cut() -> None:
    whole = rows_shown(seed=3, images_seen=0, count=96, total=10)
    microbatches = [
        rows_shown(seed=3, images_seen=at, count=16, total=10) for at in range(0, 96, 16)
    ]  # batch > data set
    assert (np.concatenate(microbatches) == whole).all()
    assert (rows_shown(seed=4, images_seen=0, count=96, total=10) != whole).any()


def test_draws_differ_by_seed_and_by_position() -> None:
    assert len({draws_seed(seed, images) for seed in range(5) for images in range(0, 160, 16)}) == 50


def test_a_batch_is_scaled_and_mirrored_by_halves() -> None:
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    pixels[0, :, 0] = 255  # white left edge
    pixels[1, 0, :, 2] = 255  # blue top edge
    images = TrainingImages(pixels, np.array([0, 1]), ["x", "y"], CPU)
    ((shown, labels),) = images.stream([np.array([1, 0])])
    batch = to_input(shown, mirror=False)
    assert batch.shape == (2, 3, 4, 4)
    assert labels.tolist() == [1, 0]
    assert batch[1, :, :, 0].unique().tolist() == [1]
    assert batch[1, :, :, 1:].unique().tolist() == [-1]
    assert batch[0, 2, 0].unique().tolist() == [1]
    torch.manual_seed(0)
    many = to_input(shown[1:].expand(400, 4, 4, 3), mirror=True)
    on_the_right = (many[:, 0, 0, 3] == 1).float().mean().item()
    assert on_the_right == pytest.approx(0.5, abs=0.08)
    assert (many[:, 0, 0, 0] != many[:, 0, 0, 3]).all()


def test_only_the_training_split_of_the_class_is_read(discs: Dataset, home: Home) -> None:
    config = DcganConfig(dataset="discs", class_name="b")
    images = read_training_images(open_training_set(home, config), config, CPU)
    expected = discs.manifest.query("split == 'train' and `class` == 'b'")
    assert images.sha256 == list(expected["sha256"])
    assert images.labels.unique().tolist() == [1]
    assert images.pixels.shape == (12, 32, 32, 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"class_name": "c"}, "has no class 'c'; expected one of a, b"),
        ({"dataset_fingerprint": "0" * 64}, r"This training run was made for the split 0{12}\.\.\. of the"),
    ],
)
@pytest.mark.usefixtures("discs")
def test_a_run_for_another_data_set_is_refused(home: Home, changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(ErsatzError, match=sentence):
        open_training_set(home, DcganConfig(dataset="discs", **changes))


def test_one_image_is_refused(discs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = discs.rows("train", "a").head(1)
    monkeypatch.setattr(Dataset, "rows", lambda *_: rows)
    with pytest.raises(ErsatzError, match="has 1 training image of class a; a generator needs at least 2"):
        read_training_images(discs, DcganConfig(dataset="discs", class_name="a"), CPU)


def mapped(discs: Dataset, config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> TrainingImages:
    """The images as they are read where there is no memory for them."""
    with monkeypatch.context() as little:
        little.setattr(data, "free_memory", lambda _: 100)
        return read_training_images(discs, config, CPU)


@pytest.mark.parametrize("class_name", ["", "b"])
def test_mapped_images_are_the_resident_ones(
    discs: Dataset, class_name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = DcganConfig(dataset="discs", class_name=class_name)
    from_file, resident = mapped(discs, config, monkeypatch), read_training_images(discs, config, CPU)
    assert isinstance(from_file, MappedImages) and not isinstance(resident, MappedImages)
    assert "more than half of the 0.00 GiB" in caplog.text
    assert len(from_file) == len(resident)
    assert from_file.sha256 == resident.sha256
    assert (from_file.examples(5, seed=1) == resident.examples(5, seed=1)).all()
    for count in (1, 2, 3, 4, 9):  # fewer and more than are read ahead
        microbatches = [rows_shown(0, 5 * i, 5, len(resident)) for i in range(count)]
        for ours, theirs in zip(from_file.stream(microbatches), resident.stream(microbatches), strict=True):
            assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])
    assert list(from_file.stream([])) == list(resident.stream([])) == []


def test_the_file_is_made_once_and_never_half(discs: Dataset, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CHUNK", 10)
    config, progress = DcganConfig(dataset="discs"), []
    pixels, read = Dataset.pixels, []

    def fails_late(self: Dataset, rows: pd.DataFrame) -> np.ndarray:
        read.append(len(rows))
        if len(read) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pixels(self, rows)

    monkeypatch.setattr(Dataset, "pixels", fails_late)
    with pytest.raises(ErsatzError, match="is full; nothing was half-written"):
        mapped(discs, config, monkeypatch)
    assert list((home.cache / "images").iterdir()) == []
    images = MappedImages(data.mapped_file(discs, progress.append), np.arange(24), np.zeros(24), [""] * 24, CPU)
    assert [(p.done, p.total) for p in progress] == [(0, 24), (10, 24), (20, 24)]
    assert (images.read(np.arange(24)) == pixels(discs, discs.rows("train"))).all()
    mapped(discs, config, monkeypatch)
    assert read == [10, 10, 4, 10, 10, 4]  # not once more
    (file,) = (home.cache / "images").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ErsatzError, match=r"is damaged .* delete it and start again"):
        mapped(discs, config, monkeypatch)


def test_a_subset_is_drawn_by_the_seed_and_keeps_its_order(discs: Dataset) -> None:
    every = discs.rows("train")["sha256"].tolist()

    def hashes(**changes: object) -> list[str]:
        config = StyleganConfig.build({"dataset": "discs", "subset": 7, **changes})
        return read_training_images(discs, config, CPU).sha256

    assert hashes(seed=3) == [every[row] for row in sorted(np.random.RandomState(3).permutation(24)[:7])]
    assert hashes(seed=4) != hashes(seed=3)
    assert hashes(subset=0) == hashes(subset=24) == hashes(subset=100) == every
    of_b = discs.rows("train", "b")["sha256"].tolist()
    assert [sha for sha in of_b if sha in hashes(class_name="b")] == hashes(class_name="b")


def test_mirroring_is_drawn_for_each_axis_apart() -> None:
    corner = torch.zeros(1, 4, 4, 1, dtype=torch.uint8)
    corner[0, 0, 0] = 255
    torch.manual_seed(0)
    images = to_input(corner.expand(800, 4, 4, 1), mirror=True, mirror_vertical=True)
    corners = images[:, 0, ::3, ::3].flatten(1).argmax(1).bincount(minlength=4)
    assert corners.tolist() == pytest.approx([200] * 4, abs=45)
    only_vertical = to_input(corner.expand(50, 4, 4, 1), mirror=False, mirror_vertical=True)
    assert (only_vertical[:, 0, :, 3] == -1).all()
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_training_from_the_file_ends_in_the_same_bits(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    resident, config = make_run(class_name="", mirror=True)
    train(resident, config)
    from_file, _ = make_run(class_name="", mirror=True)
    monkeypatch.setattr(data, "free_memory", lambda _: 100)
    train(from_file, config)
    assert len(list((from_file.home.cache / "images").iterdir())) == 1
    assert_same_end(from_file, resident)
