"""Tables of the outcomes beside the metric in words and units, and the sentences that say what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.report.style import ARMS
from engine.report.tables import Measure, measure_of, show_p, show_share
from engine.sweep.calibration_error import ECE_BINS
from engine.sweep.subgroup_differences import Interaction, SubgroupDifference
from engine.sweep.verdict_words import of_positive

PLAIN = Measure("", False, "")
SHARE = Measure("", True, "")
BOTH = "95 % over seeds and test images"

CALIBRATION = (
    "Calibration, from the logit of the scores. Slope: 1 is right, below 1 the scores are too extreme. Intercept, the "
    "slope held at 1: 0 is right, below 0 they are too high on average. Intervals hold for other seeds and test "
    f"patients. The calibration error (ECE, {ECE_BINS} bins) is biased upwards in small test sets and has no interval."
)
CURVES = (
    "Means over the seeds, each arm at its largest share. Bands: 95 % at each place by itself, seeds and whole "
    "patients drawn anew. In brackets the 95 % interval of the area, for other seeds and test patients. Arms share "
    "their test images: overlapping intervals say nothing of a difference."
)
DECISIONS = (
    "Net benefit: true positives a patient, less the false ones weighed by the odds of the threshold (Vickers and "
    "Elkin 2006). An arm is worth using where it lies above both grey lines. It takes scores for probabilities "
    "and the test set's share of the class for that of the patients to come. Bands: 95 % at each threshold by itself, "
    "for other seeds and test patients."
)
EXPLORATORY = (
    "Exploratory: subgroups are small, the sweep was not planned for them, and several columns are not corrected for."
)


def operating_words(points: pd.DataFrame, positive: str) -> str:
    """What was fixed on the validation images, and what the interval leaves out; `positive` is that one of two."""
    aim, target = str(points["aim"].iloc[0]), float(points["target"].iloc[0])
    return (
        "Each training's threshold was fixed on the validation images, where it reaches a "
        f"{aim}{of_positive(aim, positive)} of {show_share(target)}, before the test images were read. Intervals hold "
        "for other seeds and test patients, not for other validation images."
    )


def readable_calibration(table: pd.DataFrame, ece: pd.Series | None = None) -> pd.DataFrame:
    """`calibration_table` in words; `ece` by arm and ratio is the mean calibration error."""
    several = table["class"].nunique() > 1
    rows = []
    for (arm, ratio, name), own in table.groupby(["arm", "ratio", "class"], sort=False):
        row = {"Arm": ARMS[str(arm)].title, "Share": show_share(float(ratio)) if ratio else "–"}  # type: ignore[arg-type]
        row |= {"Class": str(name)} if several else {}
        for found in own.to_dict("records"):
            title = str(found["measure"]).capitalize()
            row[title] = PLAIN.show(found["mean"])
            row[f"{title}, 95 %"] = PLAIN.show_interval(found["low"], found["high"])
        if ece is not None:
            row["ECE (biased upwards)"] = PLAIN.show(float(ece.get((arm, ratio), np.nan)))
        rows.append(row)
    return pd.DataFrame(rows)


def readable_operating_points(points: pd.DataFrame) -> pd.DataFrame:
    """`operating_points` in words: a row an arm and share."""
    rows = []
    for (arm, ratio), own in points.groupby(["arm", "ratio"], sort=False):
        first = own.iloc[0]
        row = {"Arm": ARMS[str(arm)].title, "Share": show_share(float(ratio)) if ratio else "–"}  # type: ignore[arg-type]
        row["Threshold (mean)"] = PLAIN.show(first["threshold"])
        row[f"{str(first['aim']).capitalize()}, validation"] = SHARE.show(first["reached"])
        for found in own.to_dict("records"):
            title = str(found["measure"]).capitalize()
            row[f"{title}, test"] = SHARE.show(found["mean"])
            row[f"{title}, 95 %"] = SHARE.show_interval(found["low"], found["high"])
        rows.append(row)
    return pd.DataFrame(rows)


def differences_table(differences: Sequence[SubgroupDifference]) -> pd.DataFrame:
    """As numbers, a row a subgroup, ratio and arm that it is held against."""
    return pd.DataFrame([row.model_dump() for row in differences], columns=list(SubgroupDifference.model_fields))


def interactions_table(interactions: Sequence[Interaction]) -> pd.DataFrame:
    return pd.DataFrame([row.model_dump() for row in interactions], columns=list(Interaction.model_fields))


def readable_subgroup_differences(table: pd.DataFrame, positive: str = "") -> pd.DataFrame:
    """`differences_table` in words and units."""
    measures = [measure_of(metric, positive) for metric in table["metric"]]
    ends = zip(measures, table["low"], table["high"], strict=True)
    return pd.DataFrame(
        {
            "Subgroup": [f"{row.column}: {row.value}" for row in table.itertuples()],
            "Test images": table["n"].to_numpy(),
            "Arm": [ARMS[arm].title for arm in table["arm"]],
            "Share": [show_share(ratio) for ratio in table["ratio"]],
            "Compared with": [ARMS[arm].title for arm in table["against"]],
            "Metric": [measure.compared for measure in measures],
            "Difference": [m.show_difference(v) for m, v in zip(measures, table["mean_difference"], strict=True)],
            BOTH: [measure.show_interval(low, high, signed=True) for measure, low, high in ends],
            "Apart from the others": [m.show_difference(v) for m, v in zip(measures, table["apart"], strict=True)],
            "p (apart)": [show_p(p) for p in table["p_apart"]],
        }
    )


def interaction_sentences(interactions: Sequence[Interaction], ratio: float | None = None) -> list[str]:
    """Of each column whether the gain differs between its subgroups, at one ratio; exploratory, and said to be."""
    told = []
    for row in interactions:
        if ratio is not None and row.ratio != ratio:
            continue
        at = f"{ARMS[row.arm].title.lower()}, {show_share(row.ratio)}, against {ARMS[row.against].title.lower()}"
        if not np.isfinite(row.p):
            told.append(
                f"{row.column} ({at}): no test of interaction, for nothing is known of how the differences vary."
            )
            continue
        how = "the difference is another one in some subgroup" if row.p < 0.05 else (
            "no evidence that the difference is another one in some subgroup"
        )  # fmt: skip
        told.append(f"{row.column} ({at}): {how} (exploratory; test of interaction, p {show_p(row.p)}).")
    return told
