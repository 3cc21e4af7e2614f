"""The scores and neighbours of a quality run as tables for people, and what each score means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from engine.quality.quality_scores import AnyScore, QualityScores
from engine.report.style import FLAGS


@dataclass(frozen=True)
class Score:
    """How a score of generated images is shown."""

    title: str
    meaning: str
    better: Literal["lower", "higher", "near"]
    digits: int = 2
    percent: bool = False

    def show(self, value: float) -> str:
        """`value` with its unit, or a dash when it is not defined."""
        if not np.isfinite(value):
            return "–"
        return show_percent(value) if self.percent else f"{value:.{self.digits}f}"

    def show_interval(self, low: float, high: float) -> str:
        if not (np.isfinite(low) and np.isfinite(high)):
            return "–"
        return f"{self.show(low)} to {self.show(high)}"


SCORES: dict[str, Score] = {
    "kid": Score("KID", "distance of the features, kernel form; 0 is no difference, fit for few images", "lower", 4),
    "fid": Score("FID", "distance of the features, Frechet form; 0 is no difference", "lower", 1),
    "precision": Score("Precision", "share of synthetic images that lie among the real ones", "higher", 2, True),
    "recall": Score("Recall", "share of real images that lie among the synthetic ones", "higher", 2, True),
    "density": Score("Density", "how deep the synthetic images lie among the real ones", "higher"),
    "coverage": Score("Coverage", "share of real images with a synthetic one beside them", "higher", 2, True),
    "two_sample": Score(
        "Told apart", "how often a classifier tells synthetic from real; 50 % is indistinguishable", "lower", 2, True
    ),
    "diversity": Score("Diversity", "how much the images differ; the real ones are 1", "near"),
    "copy_share": Score("Copies", "share of images that look like a copy of a training image", "lower", 2, True),
    "unseen_copy_share": Score(
        "Copies of unseen images",
        "the same search among held-out images, where there can be no copy: how many flags are false",
        "lower",
        2,
        True,
    ),
    "authpct": Score(
        "Authentic (AuthPct)",
        "share of synthetic images farther from their nearest training image than that one is from its own",
        "higher",
        2,
        True,
    ),
    "dcr_share": Score(
        "Nearer to training (DCR)",
        "share nearer to a training than to a held-out image; 50 % is clean",
        "lower",
        2,
        True,
    ),
    "c_t": Score(
        "Copying test (C_T)",
        "z of the distances to training images; below what swapped patients give, the pool lies nearer than it should",
        "higher",
        1,
    ),
    "attack_auc": Score(
        "Attack (AUC)",
        "how often an attack on the pool ranks a trained patient above a held-out one; 0.5 is chance",
        "lower",
    ),
    "attack_tpr": Score(
        "Attack at 1 % false accusations",
        "share of trained patients that the attack names while it wrongly names 1 % of the held-out ones",
        "lower",
        2,
        True,
    ),
    "copy_ratio": Score(
        "Copy ratio", "distance to the nearest over that to the next training images; near 0 is a copy", "higher"
    ),
}
"""Scores and measures of memorisation by the name they have in `scores.json`."""


def show_percent(value: float) -> str:
    """A share as percent, small ones with a decimal: `83 %`, `0.4 %`."""
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"


def score_of(name: str) -> Score:
    """How the score of that name is shown; one unknown here keeps its own name."""
    return SCORES.get(name) or Score(name.replace("_", " ").capitalize(), "", "near", 3)


def readable_scores(quality: QualityScores, class_name: str = "") -> pd.DataFrame:
    """The scores of the whole pool, or of one class, beside the floor of real images against real images."""
    rows = [row for row in quality.scores if row.class_name == class_name]
    shown = [score_of(row.metric) for row in rows]
    table = {
        "Score": [score.title for score in shown],
        "Synthetic": [score.show(row.value) for score, row in zip(shown, rows, strict=True)],
        "95 % interval": [score.show_interval(row.low, row.high) for score, row in zip(shown, rows, strict=True)],
        "Real against real": [score.show(row.floor) for score, row in zip(shown, rows, strict=True)],
        "Images": [f"{row.n_synthetic} against {row.n_real}" for row in rows],
        "What it says": [score.meaning for score in shown],
    }
    return pd.DataFrame(table)


def readable_parts(quality: QualityScores) -> pd.DataFrame:
    """The scores of the whole pool; of one that lacks a class, those of each class that it has, named in a column."""
    parts = score_parts(quality)
    if parts == [""]:
        return readable_scores(quality)
    tables = [readable_scores(quality, name) for name in parts]
    return pd.concat(
        [table.assign(Class=name)[["Class", *table]] for name, table in zip(parts, tables, strict=True)],
        ignore_index=True,
    )


def score_parts(quality: QualityScores) -> list[str]:
    """[""] for the whole pool where it has scores over all classes, else the classes that have scores."""
    present = list(dict.fromkeys(row.class_name for row in quality.scores))
    return [""] if "" in present or not present else present


def readable_memorisation(quality: QualityScores, class_name: str = "") -> pd.DataFrame:
    """The measures of memorisation of the whole pool, or of one class, beside what a clean generator would show."""
    rows = [row for row in quality.memorisation if row.class_name == class_name]
    shown = [score_of(row.measure) for row in rows]
    table = {
        "Measure": [score.title for score in shown],
        "Found": [score.show(row.value) for score, row in zip(shown, rows, strict=True)],
        "95 % interval": [score.show_interval(row.low, row.high) for score, row in zip(shown, rows, strict=True)],
        "Without copying": [score.show(row.expected) for score, row in zip(shown, rows, strict=True)],
        "Images": [row.n for row in rows],
        "What it says": [score.meaning for score in shown],
    }
    return pd.DataFrame(table)


def score_notes(rows: Sequence[AnyScore], class_name: str = "") -> list[str]:
    """The notes of these rows of `scores.json`, each once behind the names of the scores that it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row.class_name == class_name and row.note:
            about.setdefault(row.note, []).append(score_of(row.name).title)
    return [f"{', '.join(names)}: {note}" for note, names in about.items()]


def worst_pairs(neighbours: pd.DataFrame, count: int) -> pd.DataFrame:
    """The pool images most like a training image: flagged ones first, then by the copy ratio.

    Repeats of other synthetic images, of which a pool may have many, take a quarter of the places at most.
    """
    severity = neighbours["flag"].map({flag: rank for rank, flag in enumerate(FLAGS)}).fillna(0)
    order = neighbours.assign(severity=severity).sort_values(["severity", "ratio"], ascending=[False, True])
    order = order.drop(columns="severity")
    repeat = order["flag"] == "repeat"
    return order[~repeat | (repeat.cumsum() <= count // 4)].head(count)


def describe_pair(row: pd.Series) -> str:
    """What ties a pool image to its neighbour, in a few words for a caption."""
    words = [FLAGS[row["flag"]][0] if row["flag"] in FLAGS else str(row["flag"])]
    if row["flag"] == "repeat":
        return f"{words[0]} synthetic image"
    words.append(f"ratio {row['ratio']:.2f}")
    words.append(f"pixels {row['pixel_distance']:.3f}")
    moved = (int(row["shift_x"]), int(row["shift_y"]))
    words += [f"moved by {moved[0]}, {moved[1]} px"] if any(moved) else []
    words += ["mirrored"] if row["mirrored"] else []
    words += [f"neighbour of class {row['neighbour_class']}"] if row["neighbour_class"] != row["class"] else []
    return ", ".join(words)
