"""How often the intervals of readers' areas under the ROC curve hold the truth, with few images.

A picture looks synthetic to a reader by a normal law: what it shows to all, half of the variance, and the reader's own
noise, the other half; a reader's skill, the distance between the two kinds, varies from reader to reader. It is rated
from -5 to 5 by steps of 0.6. Of one reader the interval is to hold that reader's area for all such images, of five
their mean for all such readers too. Beside it, of one reader: how often DeLong's interval alone would have held it.
Printed:

    python -m benchmarks.reader_areas
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from engine.review.quiz import MOST_SURE
from engine.review.reader_roc import area, reader_roc

STEP, SPREAD = 0.6, 0.3
"""Width of a rating, and the spread of skill among readers."""
READERS = 5


def rated(seen: np.ndarray) -> np.ndarray:
    """Ratings -5 to 5 without 0, of what was seen."""
    steps = np.clip(np.ceil(np.abs(seen) / STEP), 1, MOST_SURE)
    return np.where(seen > 0, steps, -steps)


def truth(skill: float) -> float:
    """The area of a reader of that skill for all images."""
    edges = STEP * np.array([-4, -3, -2, -1, 0, 1, 2, 3, 4])
    shares = [
        np.diff(norm.cdf(np.concatenate(([-np.inf], edges, [np.inf])), centre)) for centre in (skill / 2, -skill / 2)
    ]
    synthetic, real = shares
    return float(synthetic @ (np.cumsum(real) - real / 2))


def seen_by(skills: np.ndarray, actual: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Ratings `[readers, images]`."""
    centre = skills[:, None] * (actual - 0.5)
    shown = draw.standard_normal(len(actual)) + draw.standard_normal((len(skills), len(actual)))
    return rated(centre + shown / np.sqrt(2))


def one_reader(n: int, skill: float, rounds: int) -> tuple[float, float]:
    """How often the interval of one reader holds, and how often DeLong's alone would."""
    held, actual = np.zeros(2), np.arange(n) % 2 == 0
    for seed in range(rounds):
        rating = seen_by(np.array([skill]), actual, np.random.default_rng(seed))[0]
        found, true = area(actual, rating, np.arange(n).astype(str)), truth(skill)
        above = rating[actual][:, None] - rating[~actual]
        wins = (above > 0) + 0.5 * (above == 0)
        error = np.sqrt(wins.mean(1).var(ddof=1) / (n / 2) + wins.mean(0).var(ddof=1) / (n / 2))
        held += [found.low <= true <= found.high, abs(found.mean - true) <= t.ppf(0.975, n - 2) * error]
    return float(held[0] / rounds), float(held[1] / rounds)


def several(n: int, skill: float, rounds: int) -> float:
    """How often the interval of the mean over readers holds."""
    held, actual = 0, np.arange(n) % 2 == 0
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    true = float(sum(weight * truth(skill + SPREAD * node) for node, weight in zip(nodes, weights, strict=True)))
    true /= float(weights.sum())
    for seed in range(rounds):
        draw = np.random.default_rng(seed)
        ratings = seen_by(skill + SPREAD * draw.standard_normal(READERS), actual, draw)
        table = pd.DataFrame(
            {
                "reviewer": np.repeat([f"r{number}" for number in range(READERS)], n),
                "item": np.tile(np.arange(n), READERS),
                "source": np.tile(np.where(actual, "synthetic", "real"), READERS),
                "answer": np.where(ratings.ravel() > 0, "synthetic", "real"),
                "sure": np.abs(ratings.ravel()).astype(int),
            }
        )
        found = reader_roc(table)
        assert found is not None and found.pooled is not None
        held += found.pooled.interval.low <= true <= found.pooled.interval.high
    return held / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    print(
        f"\n| images | true area | one reader: holds it in | DeLong's alone | mean of {READERS} readers: holds it in |"
    )
    print("|---|---|---|---|---|")
    for n in (20, 40):
        for skill in (0.0, 1.0, 2.5):
            one, delong = one_reader(n, skill, rounds)
            mean = several(n, skill, rounds)
            print(
                f"| {n} | {truth(skill):.2f} | {100 * one:.1f} % | {100 * delong:.1f} % | {100 * mean:.1f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
