"""Which images are shown when, and what they look like on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.configs import DcganConfig
from engine.datasets.dataset import Dataset
from engine.gans.data import TrainingImages, draws_seed, open_training_set, read_training_images, rows_shown
from engine.store.errors import ErsatzError
from engine.store.home import Home

CPU = torch.device("cpu")


def test_every_epoch_shows_every_image_once() -> None:
    shown = rows_shown(seed=3, images_seen=0, count=40, total=10).reshape(4, 10)
    assert (np.sort(shown, axis=1) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in shown}) == 4


def test_the_order_does_not_depend_on_where_it_is_cut() -> None:
    whole = rows_shown(seed=3, images_seen=0, count=96, total=10)
    pieces = [rows_shown(seed=3, images_seen=at, count=16, total=10) for at in range(0, 96, 16)]  # batch > data set
    assert (np.concatenate(pieces) == whole).all()
    assert (rows_shown(seed=4, images_seen=0, count=96, total=10) != whole).any()


def test_draws_differ_by_seed_and_by_position() -> None:
    assert len({draws_seed(seed, images) for seed in range(5) for images in range(0, 160, 16)}) == 50


def test_a_batch_is_scaled_and_mirrored_by_halves() -> None:
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    pixels[0, :, 0] = 255  # white left edge
    pixels[1, 0, :, 2] = 255  # blue top edge
    images = TrainingImages(pixels, np.array([0, 1]), ["x", "y"], CPU)
    batch, labels = images.batch(torch.tensor([1, 0]), mirror=False)
    assert batch.shape == (2, 3, 4, 4)
    assert labels.tolist() == [1, 0]
    assert batch[1, :, :, 0].unique().tolist() == [1]
    assert batch[1, :, :, 1:].unique().tolist() == [-1]
    assert batch[0, 2, 0].unique().tolist() == [1]
    torch.manual_seed(0)
    many, _ = images.batch(torch.zeros(400, dtype=torch.int64), mirror=True)
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
        ({"dataset_fingerprint": "0" * 64}, "is not the one this run was submitted for"),
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
