"""Tables below the headline of a sweep: by class, by subgroup, and by the confidence of the classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.report.style import ARMS
from engine.report.tables import METRICS, Measure, confusion_of, measure_of, show_share
from engine.sweep.protocol_deviations import DroppedRuns
from engine.sweep.summary_model import Subgroup


def class_table(trials: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """One row an arm, ratio and class: `arm, ratio, class, recall, precision, n`, from all its confusion matrices."""
    rows = []
    for (arm, ratio), cell in trials.groupby(["arm", "ratio"], sort=False):
        matrix = confusion_of(cell)
        for index, name in enumerate(classes):
            actual, predicted = matrix[index].sum(), matrix[:, index].sum()
            row = {"arm": arm, "ratio": ratio, "class": name, "n": int(actual // len(cell.groupby("seed")))}
            row["recall"] = matrix[index, index] / actual if actual else np.nan
            row["precision"] = matrix[index, index] / predicted if predicted else np.nan
            rows.append(row)
    order = {arm: i for i, arm in enumerate(ARMS)}
    table = pd.DataFrame(rows, columns=["arm", "ratio", "class", "n", "recall", "precision"])
    return table.sort_values(
        ["class", "arm", "ratio"], key=lambda column: column.map(order) if column.name == "arm" else column
    )


def readable_classes(table: pd.DataFrame) -> pd.DataFrame:
    """`class_table` in words: a row an arm and share, two columns a class."""
    share = Measure("", True, "")
    cells = table[["arm", "ratio"]].drop_duplicates()
    readable = pd.DataFrame(
        {
            "Arm": [ARMS[arm].title for arm in cells["arm"]],
            "Share": [show_share(ratio) if ratio else "–" for ratio in cells["ratio"]],
        }
    )
    for name, own in table.groupby("class", sort=False):  # in the order of the cells, as every class has all of them
        for field, words in (("recall", "found"), ("precision", "right when named")):
            values = [float(v) for v in own[field]]
            title = f"{name}: {words}" + (f" (of {int(own['n'].iloc[0])})" if field == "recall" else "")
            readable[title] = [share.show(v) for v in values]
    return readable


def reliability_table(
    trials: pd.DataFrame, test_images: pd.DataFrame, classes: list[str], bins: int = 15
) -> pd.DataFrame:
    """How often the classifier is right where it claims a confidence: `arm, ratio, confidence, accuracy, n` a bin.

    `trials` have the column `scores`, in the order of `test_images` (the sweep's `test_images.csv`); the trials of a
    cell are put together. The confidence is the score of the class that was named.
    """
    labels = test_images["class"].map(classes.index).to_numpy()
    folds = test_images["fold"].astype(int).to_numpy() if "fold" in test_images else np.zeros(len(labels), int)
    rows = []
    for (arm, ratio), cell in trials.groupby(["arm", "ratio"], sort=False):
        scores = np.concatenate([np.reshape(scores, (-1, len(classes))) for scores in cell["scores"]])
        own_folds = cell["fold"] if "fold" in cell else [0] * len(cell)
        right = scores.argmax(1) == np.concatenate([labels[folds == fold] for fold in own_folds])
        confidence = scores.max(1)
        place = np.minimum((confidence * bins).astype(int), bins - 1)
        for number in np.unique(place):
            own = place == number
            row = {"arm": arm, "ratio": ratio, "confidence": confidence[own].mean()}
            rows.append({**row, "accuracy": right[own].mean(), "n": int(own.sum())})
    return pd.DataFrame(rows, columns=["arm", "ratio", "confidence", "accuracy", "n"])


def subgroup_table(subgroups: Sequence[Subgroup]) -> pd.DataFrame:
    """The subgroups of a sweep as numbers: a row a value of a column, arm and ratio."""
    return pd.DataFrame([row.model_dump() for row in subgroups], columns=list(Subgroup.model_fields))


def readable_subgroups(subgroups: pd.DataFrame, positive: str = "") -> pd.DataFrame:
    """`subgroup_table` in words and units."""
    measures = [measure_of(metric, positive) for metric in subgroups["metric"]]
    return pd.DataFrame(
        {
            "Subgroup": [f"{column}: {value}" for column, value in subgroups[["column", "value"]].to_numpy()],
            "Test images": subgroups["n"].to_numpy(),
            "Arm": [ARMS[arm].title for arm in subgroups["arm"]],
            "Share": [show_share(ratio) if ratio else "–" for ratio in subgroups["ratio"]],
            "Metric": [measure.title for measure in measures],
            "Mean": [measure.show(mean) for measure, mean in zip(measures, subgroups["mean"], strict=True)],
            "95 % interval": [
                measure.show_interval(low, high)
                for measure, low, high in zip(measures, subgroups["low"], subgroups["high"], strict=True)
            ],
        }
    )


def readable_dropped(dropped: DroppedRuns, trials: pd.DataFrame) -> pd.DataFrame:
    """Every arm and share with and without the runs that a published rule leaves out, in words and units.

    Accuracy by image, as the rule counts, even where the sweep judges by patient.
    """
    accuracy = METRICS["accuracy"]
    every = trials.groupby(["arm", "ratio"], sort=False)["accuracy"].agg(["size", "mean"])
    kept = {(cell.arm, cell.ratio): cell for cell in dropped.cells}
    own = [kept.get((arm, ratio)) for arm, ratio in every.index]
    return pd.DataFrame(
        {
            "Arm": [ARMS[arm].title for arm, _ in every.index],
            "Share": [show_share(ratio) if ratio else "–" for _, ratio in every.index],
            "All runs": every["size"].to_numpy(),
            "Accuracy of all runs": [accuracy.show(mean) for mean in every["mean"]],
            "Runs kept by the rule": [0 if cell is None else cell.n for cell in own],
            "Accuracy of those kept": ["–" if cell is None else accuracy.show(cell.mean) for cell in own],
        }
    )
