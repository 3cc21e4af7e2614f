"""The areas below the mean ROC and precision-recall curves, with intervals for other seeds and test patients.

Of the same units and cells as `engine.sweep.curves`: a class against the rest, so that with more than two classes each
has an area of its own, where the metrics of a trial have only the mean over the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from engine.sweep.arm_intervals import Counted, arm_intervals

AREA_OF = {"roc": "auroc", "pr": "average_precision"}
"""The metric that is the area below a curve; average precision is that of the steps, without lines between them."""
COLUMNS = ["arm", "ratio", "class", "curve", "n", "mean", "low", "high"]


def curve_areas(what: Counted, classes: list[str], cells: Sequence[tuple[str, float]]) -> pd.DataFrame:
    """One row an arm, ratio, class and curve (roc, pr), of the `cells` (arm and ratio) alone: over `n` seeds the mean
    area with its 95 % interval `low, high`, NaN with one seed."""
    trials = what.trials
    wanted = np.array([cell in cells for cell in zip(trials["arm"], trials["ratio"], strict=True)], bool)
    trials = trials[wanted]
    tables = []
    for column in [what.positive] if len(classes) == 2 else range(len(classes)):
        found = arm_intervals(_against_the_rest(what, trials, column), AREA_OF.values())
        for curve, metric in AREA_OF.items():
            tables.append(found[found["metric"] == metric].assign(curve=curve, **{"class": classes[column]}))
    return pd.concat(tables)[COLUMNS].reset_index(drop=True)


def _against_the_rest(what: Counted, trials: pd.DataFrame, column: int) -> Counted:
    """Two classes, of which the second is that of the `column`, with its scores."""
    own = (np.reshape(flat, (-1, what.classes))[:, column] for flat in trials["scores"])
    binary = trials.assign(scores=pd.Series([np.stack([1 - s, s], axis=1).ravel() for s in own], trials.index))
    units = replace(what.units, labels=(what.units.labels == column).astype(np.int64))
    return Counted(binary, units, 2, 1, what.test_images)
