"""Outcomes of a sweep beside its metric, from its stored scores: intervals of arms, calibration, curves, decisions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.sweep.analysis_units import Level
from engine.sweep.arm_intervals import WITH_INTERVALS, Counted, arm_intervals, counted
from engine.sweep.calibration import calibration_table
from engine.sweep.curve_areas import curve_areas
from engine.sweep.curves import mean_curves
from engine.sweep.decision_curves import decision_curves
from engine.sweep.operating_point import has_validation_scores, operating_points
from engine.sweep.positive import measured_with, positive_index
from engine.sweep.summary_model import SweepSummary


@dataclass(frozen=True)
class Scored:
    """What the trials said of every test image, and of the validation images where that was kept."""

    trials: pd.DataFrame
    test_images: pd.DataFrame
    valid_images: pd.DataFrame | None
    classes: list[str]
    positive: int
    config: SweepConfig

    @cached_property
    def judged(self) -> Counted:
        """All test images, by image or by patient as the sweep judges."""
        return counted(self.trials, self.test_images, self.classes, self.positive, self.config.level)

    def intervals(self, level: Level = "image") -> pd.DataFrame:
        """`arm_intervals` of every metric that has one."""
        return arm_intervals(counted(self.trials, self.test_images, self.classes, self.positive, level), WITH_INTERVALS)

    @cached_property
    def calibration(self) -> pd.DataFrame:
        return calibration_table(self.judged, self.classes)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        return decision_curves(self.judged, self.classes)

    @cached_property
    def curves(self) -> pd.DataFrame:
        return mean_curves(self.judged, self.classes, largest_cells(self.trials))

    @cached_property
    def areas(self) -> pd.DataFrame:
        """Below the `curves`."""
        return curve_areas(self.judged, self.classes, largest_cells(self.trials))

    @cached_property
    def operating_points(self) -> pd.DataFrame | None:
        """None where it cannot be had, see `no_operating_point`."""
        if self.no_operating_point:
            return None
        assert self.valid_images is not None
        config = self.config
        return operating_points(
            self.judged, self.valid_images, self.classes, config.level, config.operating_point, config.operating_target
        )

    @property
    def no_operating_point(self) -> str:
        """Why there is no threshold that the validation images fixed, in a sentence; empty where there is one."""
        if len(self.classes) != 2:
            return f"A threshold is for two classes; these are {len(self.classes)}."
        if "test-is-validation" in self.config.flaws:
            return "Not available: the test images served as validation images, so that no threshold is fixed before."
        if not has_validation_scores(self.trials, self.valid_images):
            return "Not available: this sweep is of before the scores of the validation images were kept."
        return ""


def scored(
    trials: pd.DataFrame,
    test_images: pd.DataFrame | None,
    valid_images: pd.DataFrame | None,
    classes: list[str],
    positive: str,
    config: SweepConfig,
) -> Scored | None:
    """`Scored`, or None where the scores or the list of test images are not there. Folds may be text.

    `positive` is the positive class of two; where it is empty, the class that the trials were measured with.
    """
    if test_images is None or "scores" not in trials or trials.empty:
        return None
    named = positive or measured_with(trials.filter(["confusion", "sensitivity"]).to_dict("records"), classes)
    place = positive_index(named, classes)
    return Scored(trials, _numbered(test_images), None if valid_images is None else _numbered(valid_images), classes,
                  place, config)  # fmt: skip


def scored_sources(sources: Sources) -> Scored | None:
    """`Scored` of a finished sweep."""
    summary: SweepSummary = sources.summary
    return scored(
        sources.trials,
        sources.test_images,
        sources.valid_images,
        summary.classes,
        summary.positive_class,
        sources.config,
    )


def largest_cells(trials: pd.DataFrame) -> list[tuple[str, float]]:
    """Each arm at its largest ratio, in the order of the legend."""
    largest = trials.groupby("arm")["ratio"].max()
    return [(arm, float(largest[arm])) for arm in ARMS if arm in largest.index]


def _numbered(images: pd.DataFrame) -> pd.DataFrame:
    folds = images["fold"].astype(int) if "fold" in images else np.zeros(len(images), int)
    return images.assign(fold=folds)
