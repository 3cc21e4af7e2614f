"""The training images, whole and as uint8 on the device, and the order in which they are shown."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.configs.train import TrainConfig
from engine.datasets.dataset import Dataset
from engine.store.errors import ErsatzError
from engine.store.home import Home


class TrainingImages:
    """The training split of a frozen data set, resident on one device.

    pixels [N, H, W, C] uint8, labels [N] int64, sha256 a hex digest an image: the proof of what the generator saw.
    """

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, sha256: list[str], device: torch.device):
        self.pixels = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
        self.labels = torch.from_numpy(labels.astype(np.int64)).to(device)
        self.sha256 = sha256

    def __len__(self) -> int:
        return len(self.pixels)

    def examples(self, count: int, seed: int) -> np.ndarray:
        """At most `count` different images in random order, uint8 [n, H, W, C]."""
        rows = rows_shown(seed, 0, min(count, len(self)), len(self))
        return self.pixels[rows].cpu().numpy()

    def batch(self, rows: Tensor, mirror: bool) -> tuple[Tensor, Tensor]:
        """Images [n, C, H, W] float32 in [-1, 1] (channels last in memory) and labels [n], for int64 rows [n]."""
        images = self.pixels[rows].permute(0, 3, 1, 2).float() / 127.5 - 1
        if mirror:
            mirrored = torch.rand(len(rows), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(mirrored, images.flip(3), images)
        return images, self.labels[rows]


def open_training_set(home: Home, config: TrainConfig) -> Dataset:
    """The data set the run was submitted for, checked to be frozen, unchanged and to have the class."""
    dataset = Dataset.open(home, config.dataset)
    dataset.require_frozen()
    if config.dataset_fingerprint and config.dataset_fingerprint != dataset.fingerprint:
        raise ErsatzError(
            f"The data set {config.dataset} is not the one this run was submitted for (fingerprint "
            f"{dataset.fingerprint[:12]}, expected {config.dataset_fingerprint[:12]}). Submit a new run for it."
        )
    if config.class_name and config.class_name not in dataset.classes:
        raise ErsatzError(
            f"The data set {config.dataset} has no class {config.class_name!r}; "
            f"expected one of {', '.join(dataset.classes)}."
        )
    return dataset


def read_training_images(dataset: Dataset, config: TrainConfig, device: torch.device) -> TrainingImages:
    """The images of the training split, of one class if the config names one."""
    rows = dataset.rows("train", config.class_name or None)
    if len(rows) < 2:
        found = f"{len(rows)} training image{'s' * (len(rows) != 1)}"
        raise ErsatzError(
            f"The data set {config.dataset} has {found}"
            f"{' of class ' + config.class_name if config.class_name else ''}; a generator needs at least 2, "
            "and some dozens to be of use. Add images, or give the training split a larger share."
        )
    return TrainingImages(dataset.pixels(rows), dataset.labels(rows), list(rows["sha256"]), device)


def rows_shown(seed: int, images_seen: int, count: int, total: int) -> np.ndarray:
    """Rows int64 [count] of the images shown from `images_seen` on; a function of its arguments alone.

    The images are an endless row of epochs, each a fresh permutation of all `total` images, and batches are
    consecutive pieces of that row. So every image is shown equally often, every batch is full (BatchNorm never
    meets a remainder), and a data set smaller than a batch simply comes round again within it.
    """
    epochs = range(images_seen // total, (images_seen + count - 1) // total + 1)
    order = np.concatenate([np.random.default_rng([seed, epoch]).permutation(total) for epoch in epochs])
    start = images_seen % total
    return order[start : start + count]


def draws_seed(seed: int, images_seen: int) -> int:
    """Seed of all random draws of the iteration that begins at `images_seen`, so that resuming needs no saved state."""
    return int(np.random.SeedSequence([seed, images_seen]).generate_state(1, np.uint64)[0])
