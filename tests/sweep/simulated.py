"""Sweeps made up at the level of who is right: of each arm, ratio, seed and test image, without any training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from engine.sweep.comparisons import compare
from engine.sweep.metric_table import Parts
from engine.sweep.verdict import Verdict, judge
from engine.sweep.verdict_words import Question

RATIOS = (0.25, 0.5, 0.75, 1.0)


def simulate(
    seed: int,
    effect: dict[float, float] | None = None,
    *,
    seeds: int = 8,
    patients: int = 100,
    images: int = 1,
    lasting: float = 0.5,
    of_seed: float = 0.1,
    fleeting: float = 0.7,
    duplicates: float = 0.0,
) -> tuple[pd.DataFrame, Parts]:
    """A table of accuracies by arm, ratio and seed, and the influences of the patients.

    A classifier is right on an image when its margin is above 0, a sum of normal draws: the patient's difficulty,
    alike for all; what an arm's images do to this patient with every seed (`lasting`, the luck of the test set); a
    seed's luck with all images (`of_seed`, and as much again shared by all arms); the luck of a training with an image
    (`fleeting`). `effect` is the probability of being right that synthetic images add at a ratio, `duplicates` what
    duplicated reals add. On the null all arms have the same probability of being right, image by image on average.
    """
    rng = np.random.default_rng(seed)
    n = patients * images
    spread = np.sqrt(1.5**2 + 0.3**2 + lasting**2 + 2 * of_seed**2 + fleeting**2)
    usual = 1.04 * spread  # 85 % right

    def of_patients() -> np.ndarray:
        return np.repeat(rng.normal(size=patients), images)

    difficulty = usual + 1.5 * of_patients() + rng.normal(0, 0.3, n)
    shared = rng.normal(0, of_seed, (seeds, 1))
    rows, parts = [], {}
    for arm in ("real", "real+duplicates", "real+synthetic"):
        own = of_patients()  # its ratios hold the same images, one set within the other
        for ratio in RATIOS if arm != "real" else (0.0,):
            gain = (effect or {}).get(ratio, 0.0) if arm == "real+synthetic" else 0.0
            gain += duplicates if arm == "real+duplicates" else 0.0
            luck = shared + rng.normal(0, of_seed, (seeds, 1)) + rng.normal(0, fleeting, (seeds, n))
            margin = difficulty + lasting * (np.sqrt(0.7) * own + np.sqrt(0.3) * of_patients()) + luck
            right = (margin + _shift(gain, usual, spread) > 0).astype(float)
            accuracy = right.mean(1)
            rows += [(arm, ratio, s, a) for s, a in enumerate(accuracy)]
            by_patient = (right - accuracy[:, None]).reshape(seeds, patients, images).sum(2) / n
            parts[arm, ratio] = dict(enumerate(by_patient))
    return pd.DataFrame(rows, columns=["arm", "ratio", "seed", "accuracy"]), parts


def verdict_of(sweep: tuple[pd.DataFrame, Parts], question: Question | None = None) -> Verdict:
    trials, parts = sweep
    question = question or Question()
    to_real = compare(trials, question.arm, question.baseline, "accuracy", parts)
    to_control = compare(trials, question.arm, str(question.control), "accuracy", parts)
    return judge(question, to_real, to_control)


def _shift(gain: float, usual: float, spread: float) -> float:
    """What must be added to the margin for so much more probability of being right."""
    return spread * float(norm.ppf(norm.cdf(usual / spread) + gain)) - usual if gain else 0.0
