"""Checks of a training at each snapshot, beside its losses: is the sample grid varied, do augmentations leak?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from engine.configs import TrainConfig
from engine.gans.alarms import Rows, diversity, look
from engine.gans.augmentation_leaks import leak_evidence
from engine.gans.data import TrainingImages
from engine.store.runs import Run

logger = logging.getLogger(__name__)

LEAK_FROM = 0.5
"""p from which to look for leaks: they are known from about 0.8 on, and looking takes time."""
LEAK_IMAGES = 200
"""Images of each kind to look at then."""


class Watch:
    """Keeps what the alarms of one training need besides its metrics, and raises them."""

    def __init__(self, run: Run, config: TrainConfig, images: TrainingImages, total_kimg: float):
        self.run, self.config, self.images, self.total_kimg = run, config, images, total_kimg
        self.diversity_of_reals = diversity(images.examples(config.grid, config.seed))
        self.leak = ""

    def scores(
        self, grid: np.ndarray, sample: Callable[[Sequence[int]], np.ndarray], augment_p: float
    ) -> dict[str, float]:
        """`diversity` of the sample grid uint8 [N, H, W, C], 1 being that of as many real images, and, with a p that
        makes it likely, `leaking`: how many groups of augmentations show in images that `sample` makes from seeds."""
        scores = {}
        if self.diversity_of_reals:
            scores["diversity"] = diversity(grid) / self.diversity_of_reals
        if self.config.augment_preset and augment_p >= LEAK_FROM:
            reals = as_shown(self.images.examples(LEAK_IMAGES, self.config.seed), self.config)
            found = leak_evidence(
                reals, sample(range(LEAK_IMAGES)), self.config.augment_preset, augment_p, self.config.seed
            )
            scores["leaking"] = float(len(found["leaking"]))
            self.leak = found["sentence"] or self.leak
        return scores

    def raise_alarms(self, rows: Rows) -> None:
        """Raise what the metrics rows call for, once for each name, in the run's status and in its log."""
        known = {alarm.name for alarm in self.run.status().alarms}
        for alarm in look(rows, self.config, self.total_kimg, self.leak):
            if alarm.name not in known:
                self.run.raise_alarm(alarm.name, alarm.sentence, kimg=alarm.kimg)
                logger.warning(f"Alarm: {alarm.sentence}")


def as_shown(reals: np.ndarray, config: TrainConfig) -> np.ndarray:
    """Images [N, H, W, C] with half of them mirrored, where the training mirrors at random."""
    reals = reals.copy()
    left_right, up_down = config.mirrors
    if left_right:
        reals[::2] = reals[::2, :, ::-1]
    if up_down:
        middle = len(reals) // 2
        reals[:middle] = reals[:middle, ::-1]
    return reals
