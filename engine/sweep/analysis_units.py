"""What counts as one: a test image, or a patient with the mean score of the images.

A patient whose images are of two classes counts as diseased (the positive class) when one image is; with more classes,
as the class of most of the images (the first of them in a tie). An image of unknown patient stands for itself. Whole
groups (patients, and sets of copies, which are no patients, see `engine.datasets.patients`) are what chance draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from engine.datasets.patients import clusters_in, patients_in

Level = Literal["image", "patient"]

EXTERNAL_SCORES = "external"
"""Column of `trials.parquet` with the scores of the external images, in the order of `external_images.csv`."""
SCORES = ("scores", "valid_scores", EXTERNAL_SCORES)
"""Columns of the table of trials that hold a list in each row: what is not read where the metrics are enough."""


@dataclass(frozen=True)
class Units:
    """The images or patients that a metric counts, `[U]`, and what of them belongs together."""

    labels: np.ndarray
    folds: np.ndarray
    clusters: np.ndarray
    """Number of the group: whole patients and sets of copies are drawn when the noise of the test set is estimated."""
    _unit: np.ndarray
    """Unit of each image `[N]`."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_clusters(self) -> int:
        return int(self.clusters.max()) + 1 if len(self.clusters) else 0

    def scores(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of the units `[U, classes]` from those of the images `[N, classes]`: the means."""
        if len(self) == len(scores):
            return scores
        sums = np.zeros((len(self), scores.shape[1]))
        np.add.at(sums, self._unit, scores)
        return sums / np.bincount(self._unit)[:, None]


def patients(test_images: pd.DataFrame) -> np.ndarray:
    """The patient of each test image `[N]`, as text; an image of unknown patient stands for itself."""
    known = patients_in(test_images).to_numpy(object)
    alone = np.array([f"image {place}" for place in range(len(known))], object)
    return np.where(known != "", "patient " + known, alone)


def knows_patients(test_images: pd.DataFrame) -> bool:
    return bool((patients_in(test_images) != "").any())


def units_of(test_images: pd.DataFrame, classes: list[str], positive: int, level: Level) -> Units:
    """The units of a table of test images (`path`, `class`, `group`, and `fold` where there are folds)."""
    labels = test_images["class"].map(classes.index).to_numpy(np.int64)
    folds = test_images["fold"].to_numpy(np.int64) if "fold" in test_images else np.zeros(len(labels), np.int64)
    _, cluster = np.unique(clusters_in(test_images), return_inverse=True)
    if level == "image":
        return Units(labels, folds, cluster, np.arange(len(labels)))
    _, patient = np.unique(patients(test_images), return_inverse=True)
    votes = np.zeros((patient.max() + 1 if len(patient) else 0, len(classes)), np.int64)
    np.add.at(votes, (patient, labels), 1)
    label = votes.argmax(1)
    if len(classes) == 2:
        label = np.where(votes[:, positive] > 0, positive, 1 - positive)
    fold, of_unit = np.zeros(len(votes), np.int64), np.zeros(len(votes), np.int64)
    fold[patient], of_unit[patient] = folds, cluster  # a group holds whole patients, for it was made of them
    return Units(label, fold, of_unit, patient)


def seed_scores(
    trials: pd.DataFrame, test_images: pd.DataFrame, classes: int
) -> Iterator[tuple[str, float, int, np.ndarray]]:
    """`arm, ratio, seed, scores [N, classes]` of every repetition: with folds, each image has its own fold's score.

    Repetitions of which a fold is missing are left out.
    """
    folds = test_images["fold"].to_numpy() if "fold" in test_images else np.zeros(len(test_images), np.int64)
    present = np.unique(folds)
    table = trials if "fold" in trials else trials.assign(fold=0)
    for _, of_seed in table.groupby(["arm", "ratio", "seed"], sort=False):
        if set(of_seed["fold"]) != set(present):
            continue
        scores = np.empty((len(test_images), classes), np.float32)
        for fold, flat in zip(of_seed["fold"], of_seed["scores"], strict=True):
            scores[folds == fold] = np.reshape(flat, (-1, classes))
        first = of_seed.iloc[0]
        yield str(first["arm"]), float(first["ratio"]), int(first["seed"]), scores
