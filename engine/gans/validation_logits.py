"""The discriminator's logits on validation images, beside those on as many training images.

When the two drift apart, the discriminator knows its training images by heart (arXiv 2006.06676, figure 1).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.configs import TrainConfig
from engine.datasets.dataset import Dataset
from engine.gans.data import TrainingImages, rows_shown, to_input
from engine.gans.trainers import ScoresImages, Trainer

MOST_IMAGES = 1000
MOST_BYTES = 2**28
"""Of the images of the validation split, which stay in memory."""


class HeldOut:
    """Images of the validation split and the rows of equally many training images, for a discriminator to judge."""

    def __init__(self, dataset: Dataset, images: TrainingImages, config: TrainConfig, trainer: Trainer):
        """`trainer` is one that `ScoresImages` too."""
        assert isinstance(trainer, ScoresImages)
        self.images, self.discriminator_logits = images, trainer.discriminator_logits
        self.at_once = trainer.microbatch_starts.step
        valid = dataset.rows("valid", config.class_name or None)
        count = min(len(valid), len(images), MOST_IMAGES, MOST_BYTES // (dataset.size**2 * dataset.channels))
        group = trainer.judged_together
        count = count // group * group or count  # whole groups of minibatch-std, unless there is not even one
        chosen = valid.iloc[rows_shown(config.seed, 0, count, len(valid)) if count else []]
        self.pixels, self.labels = dataset.pixels(chosen), torch.tensor(dataset.labels(chosen))
        self.rows = rows_shown(config.seed, 0, count, len(images)) if count else np.zeros(0, np.int64)

    def scores(self) -> dict[str, float]:
        """Mean logits on both, without augmentation; nothing without validation images. This waits for the device."""
        if not len(self.rows):
            return {}
        of_valid, of_train = [], []
        for start in range(0, len(self.rows), self.at_once):
            piece = slice(start, start + self.at_once)
            of_valid.append(self.logits(self.pixels[piece], self.labels[piece]))
            rows = self.rows[piece]
            of_train.append(self.logits(self.images.read(rows), self.images.labels.cpu()[rows]))
        return {"valid_logits": torch.cat(of_valid).mean().item(), "train_logits": torch.cat(of_train).mean().item()}

    def logits(self, pixels: np.ndarray, labels: Tensor) -> Tensor:
        """Logits [n] of images uint8 [n, H, W, C] with labels int64 [n]."""
        device = self.images.labels.device
        return self.discriminator_logits(to_input(torch.from_numpy(pixels).to(device), mirror=False), labels.to(device))
