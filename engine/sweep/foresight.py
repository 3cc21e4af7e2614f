"""What a planned sweep can show: from its test images, its config, and an earlier sweep of the same where there is one.

An earlier sweep is a pilot for how far differences move by chance, never for how large they are: its own difference is
not looked at, for to plan with that is to plan with luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.patients import with_patients
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, each, list_runs
from engine.sweep.analysis_units import Level, units_of
from engine.sweep.expected_luck import TO_DUPLICATES, TO_REAL, USUAL_ACCURACY, Design, Luck
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.power import Detectable, Pilot, detectable
from engine.sweep.splits import named_splits
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary

SAME = ("dataset", "classifier", "training", "head", "level")
"""Settings of a sweep that is to be a pilot: differences of other classifiers move otherwise."""
AGAINST = {"real+duplicates": TO_DUPLICATES, "real": TO_REAL}
"""Arms that help is judged against, and how far differences to them at two ratios are taken to correlate."""


def foreseen(home: Home, tested: Sequence[Dataset], config: SweepConfig) -> Detectable:
    """What the planned sweep can show on the test images of its data sets (the folds of one, or one)."""
    design = design_of_datasets(tested, config)
    pilot = pilot_for(home, tested, config, design)
    generators = Pool.open(Run(home, named_splits(config)[0].pool)).generators_a_class
    return detectable(
        design, config.metric, config.seeds, len(config.ratios), config.expected_accuracy, pilot, generators
    )


def design_of_datasets(tested: Sequence[Dataset], config: SweepConfig) -> Design:
    """Classes and patients of the test images of the data sets (the folds of one, or one)."""
    rows = [with_patients(dataset, "test").assign(fold=fold) for fold, dataset in enumerate(tested)]
    classes = tested[0].classes
    positive = positive_index(positive_of_sweep(config, tested[0])[0], classes)
    return design_of(pd.concat(rows, ignore_index=True), classes, positive, config.level)


def design_of(test_images: pd.DataFrame, classes: list[str], positive: int, level: Level) -> Design:
    """Classes and patients of what is counted."""
    units = units_of(test_images, classes, positive, level)
    _, clusters = np.unique(units.clusters, return_inverse=True)
    return Design(tuple(units.labels.tolist()), tuple(clusters.tolist()), len(classes), positive)


def pilot_for(home: Home, tested: Sequence[Dataset], config: SweepConfig, design: Design) -> Pilot | None:
    """The newest finished sweep of the same classifier on the same test images; None where there is none."""
    for run, status in each(list_runs(home, "sweep"), Run.status):
        if status.state is State.FINISHED and (pilot := _pilot(run, tested, config, design)) is not None:
            return pilot
    return None


def _pilot(run: Run, tested: Sequence[Dataset], config: SweepConfig, design: Design) -> Pilot | None:
    try:
        earlier = SweepConfig.build(run.config())
        summary = SweepSummary.read(run.path / SUMMARY_FILE)
    except ErsatzError:
        return None  # of a later version, or damaged: its own page says so
    datasets = [fold.dataset for fold in earlier.folds] or [earlier.dataset]
    fingerprints = [fold.dataset_fingerprint for fold in earlier.folds] or [earlier.dataset_fingerprint]
    if (
        any(getattr(earlier, name) != getattr(config, name) for name in SAME)
        or datasets != [dataset.name for dataset in tested]
        or fingerprints != [dataset.fingerprint for dataset in tested]
        or earlier.flaws
        or summary.n_units != len(design.labels)
    ):
        return None
    luck = luck_of(summary, config.metric, design.patients)
    return None if luck is None else Pilot(name=earlier.name, luck=luck, accuracy=accuracy_of(summary))


def luck_of(summary: SweepSummary, metric: str, patients: int) -> Luck | None:
    """How far the differences of the first synthetic arm to its controls moved; None where that is not known."""
    arm = summary.primary_arm
    rows, of_means = (
        [each for each in group if each.arm == arm and each.metric == metric and each.against in AGAINST]
        for group in (summary.comparisons, summary.averages)
    )
    variances = np.array([(each.seed_variance, each.image_variance) for each in rows])
    few = any(each.n < QUICK_LOOK_BELOW for each in rows)
    if few or {each.against for each in rows} != set(AGAINST):
        return None
    if not np.isfinite(variances).all() or not variances.sum() > 0:
        return None
    between = tuple(
        _between(
            [each.seed_variance + each.image_variance for each in rows if each.against == against],
            [each.seed_variance + each.image_variance for each in of_means if each.against == against],
            usual,
        )
        for against, usual in AGAINST.items()
    )
    return Luck(
        per_seed=float(np.mean([each.seed_variance * each.n for each in rows])),
        lasting=float(variances[:, 1].mean()),
        patients=patients,
        between=(between[0], between[1]),
    )


def accuracy_of(summary: SweepSummary) -> float:
    """Mean share of a class that the real images alone got right, as far as a plan can use it: 55 to 99.5 %."""
    found = [cell.means.get("balanced_accuracy", math.nan) for cell in summary.cells if cell.arm == "real"]
    return round(min(max(found[0], 0.55), 0.995), 2) if found and math.isfinite(found[0]) else USUAL_ACCURACY


def _between(variances: list[float], of_mean: list[float], usual: float) -> float:
    """Correlation of the differences at several ratios, from their variances and that of their mean."""
    ratios, total = len(variances), float(np.mean(variances))
    if ratios < 2 or not of_mean or not total > 0:
        return usual
    return min(max((ratios * of_mean[0] / total - 1) / (ratios - 1), 0.0), 0.99)
