"""The numbers behind the figures of a sweep, as tables for people and for CSV files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from engine.report.style import ARMS
from engine.sweep.comparisons import Comparison
from engine.sweep.metrics import LOG_CLIP
from engine.sweep.statistics import ALPHA
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE
from engine.sweep.verdict_words import of_positive, percent


@dataclass(frozen=True)
class Measure:
    """How a metric of `trials.parquet` is shown."""

    title: str
    percent: bool
    meaning: str
    loss: bool = False
    """Less is better; differences are told as improvements."""

    @property
    def compared(self) -> str:
        """The title where differences are shown."""
        return f"{self.title} (improvement)" if self.loss else self.title

    @property
    def scale(self) -> float:
        return 100.0 if self.percent else 1.0

    @property
    def unit(self) -> str:
        return " %" if self.percent else ""

    @property
    def difference_unit(self) -> str:
        return " points" if self.percent else ""

    def show(self, value: float) -> str:
        """`value` with its unit, or a dash when it is not defined."""
        if value is None or not np.isfinite(value):
            return "–"
        return f"{value * self.scale:.{1 if self.percent else 3}f}{self.unit}"

    def show_interval(self, low: float, high: float, signed: bool = False) -> str:
        """`77.1 to 82.3 %`, or of a difference `-1.2 to +3.4 points`; a dash when it is not defined."""
        if not (np.isfinite(low) and np.isfinite(high)):
            return "–"
        form = f"{'+' if signed else ''}.{1 if self.percent else 3}f"
        unit = self.difference_unit if signed else self.unit
        return f"{low * self.scale:{form}} to {high * self.scale:{form}}{unit}"

    def show_difference(self, value: float) -> str:
        if value is None or not np.isfinite(value):
            return "–"
        digits = 1 if self.percent else 3
        rounded = round(value * self.scale, digits) + 0.0  # without the sign of a negative zero
        return f"{rounded:+.{digits}f}{self.difference_unit}"


METRICS: dict[str, Measure] = {
    "accuracy": Measure("Accuracy", True, "share of test images classified correctly"),
    "balanced_accuracy": Measure("Balanced accuracy", True, "mean over the classes of the share found"),
    "sensitivity": Measure(
        "Sensitivity", True, "share of the positive class found; with more than two classes the mean over them"
    ),
    "specificity": Measure(
        "Specificity", True, "share of the negative class recognised; with more than two classes the mean over them"
    ),
    "macro_f1": Measure("Macro F1", True, "mean over the classes of the F1 score"),
    "auroc": Measure("AUROC", False, "area under the ROC curve, one class against the rest; 0.5 is chance"),
    "average_precision": Measure("Average precision", False, "area under the precision-recall curve"),
    "brier": Measure("Brier score", False, "mean squared error of the probabilities; lower is better", loss=True),
    "log_score": Measure(
        "Log score",
        False,
        "mean of minus the logarithm of the probability that the right class got, which counts as at least "
        f"{LOG_CLIP:g}; lower is better",
        loss=True,
    ),
    "ece": Measure(
        "ECE (biased upwards)",
        False,
        "expected calibration error, 15 bins: gap of confidence and accuracy; lower is better. Few images alone raise "
        "it: of a perfectly calibrated classifier it is some 0.12 at 50, 0.06 at 200 and 0.03 at 600 images",
    ),
    "ece_corrected": Measure(
        "Calibration error, corrected",
        False,
        "root mean square gap of confidence and accuracy, 15 bins, corrected for few images: about 0 for a calibrated "
        "classifier, and by luck below it; lower is better",
    ),
}


def measure_of(metric: str, positive: str = "") -> Measure:
    """How a metric is shown; its title names the `positive` class of two where it depends on it."""
    measure = METRICS[metric]
    return replace(measure, title=measure.title + of_positive(metric, positive))


def present_metrics(trials: pd.DataFrame) -> list[str]:
    """The metrics that these trials have numbers for."""
    return [name for name in METRICS if name in trials and trials[name].notna().any()]


def per_seed(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with the folds of a cross-validation brought together: one row an arm, ratio and seed."""
    if "fold" not in trials or trials["fold"].nunique() <= 1:
        return trials
    return trials.groupby(["arm", "ratio", "seed"], as_index=False)[present_metrics(trials)].mean()


def level_trials(metrics: pd.DataFrame, level: str = "image", subgroup: str = "", value: str = "") -> pd.DataFrame:
    """One row an arm, ratio and seed with the metrics of that level and subgroup, from the sweep's `metrics.parquet`.

    The table looks like that of the trials, so that every figure and table of trials shows it too; folds are one.
    """
    kept = metrics[(metrics["level"] == level) & (metrics["subgroup"] == subgroup)]
    if subgroup:
        kept = kept[kept["value"] == value]
    wide = kept.pivot_table(index=["arm", "ratio", "seed"], columns="metric", values="score", sort=True)
    return wide.reset_index().rename_axis(columns=None)


def cell_table(trials: pd.DataFrame, metric: str = "accuracy", intervals: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row an arm and ratio: `arm, ratio, n, mean, low, high`, the 95 % interval for other seeds and test patients.

    `intervals` are `engine.sweep.arm_intervals` of the same test images; what they do not have (one seed, sweeps whose
    scores are not there) has no interval: one over the seeds alone would say far too little.
    """
    known: dict[Any, Any] = {}
    if intervals is not None:
        own = intervals[intervals["metric"] == metric]
        known = {(row.arm, row.ratio): row for row in own.itertuples(index=False)}
    rows = []
    for (arm, ratio), cell in per_seed(trials).groupby(["arm", "ratio"], sort=True):
        values = cell[metric].dropna().to_numpy(dtype=float)
        if len(values) == 0:
            continue
        mean, low, high = values.mean(), np.nan, np.nan
        if (found := known.get((arm, ratio))) is not None and found.n == len(values):
            mean, low, high = found.mean, found.low, found.high
        rows.append({"arm": arm, "ratio": ratio, "n": len(values), "mean": mean, "low": low, "high": high})
    table = pd.DataFrame(rows, columns=["arm", "ratio", "n", "mean", "low", "high"])
    order = {arm: i for i, arm in enumerate(ARMS)}
    return table.sort_values(["arm", "ratio"], key=lambda column: column.map(order) if column.name == "arm" else column)


def all_cells(trials: pd.DataFrame, intervals: pd.DataFrame | None = None) -> pd.DataFrame:
    """`cell_table` of every metric in one table, with the column `metric`."""
    return pd.concat(
        [cell_table(trials, metric, intervals).assign(metric=metric) for metric in present_metrics(trials)]
    )


def readable_cells(
    trials: pd.DataFrame, metric: str = "accuracy", intervals: pd.DataFrame | None = None, positive: str = ""
) -> pd.DataFrame:
    """One row an arm and share in words and units: `metric` with its interval, and the means of the other metrics.

    `positive` is the positive class of two, which stands beside the metrics that depend on it.
    """
    cells, measure = cell_table(trials, metric, intervals), measure_of(metric, positive)
    table = pd.DataFrame(
        {
            "Arm": [ARMS[arm].title for arm in cells["arm"]],
            "Share": [show_share(ratio) if ratio else "–" for ratio in cells["ratio"]],
            "Seeds": cells["n"].to_numpy(),
            measure.title: [measure.show(mean) for mean in cells["mean"]],
            "95 % interval": [
                measure.show_interval(low, high) for low, high in zip(cells["low"], cells["high"], strict=True)
            ],
        }
    )
    means = per_seed(trials).groupby(["arm", "ratio"])[present_metrics(trials)].mean()
    for other in present_metrics(trials):
        if other != metric:
            values = [means.loc[(arm, ratio), other] for arm, ratio in zip(cells["arm"], cells["ratio"], strict=True)]
            table[measure_of(other, positive).title] = [METRICS[other].show(value) for value in values]
    return table


SEEDS_ALONE = "95 % over seeds alone, on these test images"
"""What the interval over the seeds is: it says nothing of other patients, and decides nothing."""
COMPARISON = ["arm", "ratio", "against", "metric"]
NUMBERS = ["mean_difference", "low", "high", "low_total", "high_total", "low_alone", "high_alone", "p", "p_corrected"]
MEAN = "mean of all"
"""The share of a comparison of the mean over the shares."""


def comparison_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Paired comparisons of a sweep: `arm, ratio, against, metric, mean_difference, low, high, p, p_corrected, n`.

    `low_total` and `high_total` bound the difference under both kinds of noise, seeds and test images; sweeps of
    before have none. `low_alone` and `high_alone` are those of a comparison by itself, to which `p` belongs; at a
    planned look all four leave out the nominal `alpha`, a column more. `ratio` is unknown of the mean over the ratios.
    """
    table = pd.DataFrame(list(comparisons))
    at_a_look = "alpha" in table and (table["alpha"] != ALPHA).any()
    table = table.reindex(columns=[*COMPARISON, *NUMBERS, "n", *(["alpha"] if at_a_look else [])])
    table.loc[table["n"] < 2, NUMBERS[1:]] = np.nan  # one repetition has neither interval nor p
    return table


def p_in_words(summary: SweepSummary) -> str:
    """What the two p of a comparison are, by the rule that the sweep was judged by."""
    if summary.rule == FORMER_RULE:
        return "p: two-sided sign-flip permutation of the paired differences; corrected: Holm, over the shares."
    return (
        "p: two-sided, for the luck of seeds and test patients (two-way t), of this comparison by itself; corrected: "
        "for all shares and their mean together (max-t), as the interval over seeds and test images."
    )


def readable_comparisons(comparisons: pd.DataFrame, positive: str = "") -> pd.DataFrame:
    """`comparison_table` in words and units."""
    measures = [measure_of(metric, positive) for metric in comparisons["metric"]]

    def intervals(low: str, high: str) -> list[str]:
        ends = zip(measures, comparisons[low], comparisons[high], strict=True)
        return [measure.show_interval(low, high, signed=True) for measure, low, high in ends]

    table = {
        "Arm": [ARMS[arm].title for arm in comparisons["arm"]],
        "Share": [show_share(ratio) if np.isfinite(ratio) else MEAN for ratio in comparisons["ratio"]],
        "Compared with": [ARMS[arm].title for arm in comparisons["against"]],
        "Metric": [measure.compared for measure in measures],
        "Mean difference": [
            m.show_difference(v) for m, v in zip(measures, comparisons["mean_difference"], strict=True)
        ],
        (both := f"{level_of(comparisons)} over seeds and test images"): intervals("low_total", "high_total"),
        "p": [show_p(p) for p in comparisons["p"]],
        "p (corrected)": [show_p(p) for p in comparisons["p_corrected"]],
        "Seeds": comparisons["n"].to_numpy(),
        SEEDS_ALONE: intervals("low", "high"),
    }
    if not comparisons["low_total"].notna().any():
        del table[both]
    return pd.DataFrame(table)


def level_of(comparisons: pd.DataFrame) -> str:
    """Of the intervals over seeds and test images of a `comparison_table`: `95 %`, or that of a look."""
    return percent(1 - (comparisons["alpha"].iloc[0] if "alpha" in comparisons and len(comparisons) else ALPHA))


def show_share(share: float) -> str:
    return f"{100 * share:.4g} %"


def show_p(p: float) -> str:
    if p is None or not np.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def confusion_of(trials: pd.DataFrame) -> np.ndarray:
    """Sum of the confusion matrices of these trials, `[true class, predicted class]`."""
    return np.sum([np.asarray(json.loads(matrix), dtype=np.int64) for matrix in trials["confusion"]], axis=0)


def mistakes(trials: pd.DataFrame, test_images: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Test images that these trials got wrong: `path, class, predicted, wrong`, those wrong most often first.

    `trials` has the column `scores`, and `fold` where there are folds; `predicted` is the wrong class that was named
    most often, `wrong` in how many trials. `test_images` is the sweep's `test_images.csv`, in the order of the scores.
    """
    labels = test_images["class"].map(classes.index).to_numpy()
    folds = test_images["fold"].astype(int).to_numpy() if "fold" in test_images else np.zeros(len(labels), int)
    own_folds = trials["fold"] if "fold" in trials else [0] * len(trials)
    votes = np.zeros((len(labels), len(classes)), int)  # how often each image was called each class
    for fold, scores in zip(own_folds, trials["scores"], strict=True):
        places = np.flatnonzero(folds == fold)
        votes[places, np.reshape(scores, (-1, len(classes))).argmax(1)] += 1
    votes[np.arange(len(labels)), labels] = 0
    table = test_images[["path", "class"]].assign(
        predicted=[classes[label] for label in votes.argmax(axis=1)], wrong=votes.sum(axis=1)
    )
    return table[table["wrong"] > 0].sort_values("wrong", ascending=False, kind="stable")
