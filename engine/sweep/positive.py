"""Which class a sweep takes as positive: the one that it was submitted with, whatever is said of the data set since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.positive_class import positive_of, require_class

OF_POSITIVE = ("sensitivity", "specificity", "average_precision")
"""The metrics of two classes that depend on which one is positive; by patient, the class of a patient with images of
both depends on it too."""


def pinned_positive(config: SweepConfig, dataset: Dataset) -> str:
    """The positive class that a sweep of `dataset` is submitted with; '' unless there are two classes.

    Raises `ErsatzError` where the config names one that is none of two classes.
    """
    if config.positive_class:
        require_class(config.positive_class, dataset.classes, f"the data set {dataset.name}")
        return config.positive_class
    found = positive_of(dataset)
    return found.name if found else ""


def positive_of_sweep(
    config: SweepConfig, dataset: Dataset, trials: Iterable[Mapping[Any, Any]] = ()
) -> tuple[str, str]:
    """The positive class of a sweep and its origin (`positive_class.ORIGINS`); two empty texts unless of two classes.

    A sweep that began before there was a pin keeps the class that its finished `trials` (rows of `trials.parquet`)
    were measured with.
    """
    found = positive_of(dataset)
    if found is None:
        return "", ""
    name = config.positive_class or measured_with(trials, dataset.classes) or found.name
    if name == found.name:
        return name, found.origin
    return name, "sweep" if config.positive_class else "guessed"


def measured_with(trials: Iterable[Mapping[Any, Any]], classes: list[str]) -> str:
    """The class of two whose share found is the sensitivity of these trials; '' where no trial tells."""
    for row in trials if len(classes) == 2 else ():
        if not {"confusion", "sensitivity"} <= row.keys():
            continue
        matrix = np.asarray(json.loads(row["confusion"]), float)
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = np.diag(matrix) / matrix.sum(1)
        same = np.isclose(recall, row["sensitivity"], rtol=0, atol=1e-9)
        if same.sum() == 1:
            return classes[int(same.argmax())]
    return ""


def positive_index(name: str, classes: list[str]) -> int:
    """Its place among the classes; the last one where none is positive, of which no metric makes use."""
    return classes.index(name) if name in classes else len(classes) - 1
