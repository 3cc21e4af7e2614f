"""Intervals of kappas: the published variance, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.review.kappa import cohen_kappa, fleiss_kappa


def test_the_variance_of_cohens_kappa_is_that_of_fleiss_cohen_and_everitt() -> None:
    """Their formula (Psychological Bulletin 72: 323-327, 1969, eq. 13), term by term, on a table of 3 categories."""
    table = np.array([[53, 5, 2], [11, 14, 5], [1, 6, 103]])
    p = table / table.sum()
    rows, columns = p.sum(1), p.sum(0)
    seen, chance = np.trace(p), rows @ columns
    a = sum(p[i, i] * ((1 - chance) - (columns[i] + rows[i]) * (1 - seen)) ** 2 for i in range(3))
    b = (1 - seen) ** 2 * sum(p[i, j] * (columns[i] + rows[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    c = (seen * chance - 2 * chance + seen) ** 2
    n = table.sum()
    variance = (a + b - c) / (1 - chance) ** 4 / n
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i, j])]
    found = cohen_kappa(pd.Series([i for i, _ in pairs]), pd.Series([j for _, j in pairs]))
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(variance * n / (n - 1))
    assert found.mean == pytest.approx((seen - chance) / (1 - chance))
    assert found.high == pytest.approx(found.mean + half)
    assert found.mean - 1.3 * half < found.low <= found.mean - half, "Wilson's reaches further down"


@pytest.mark.parametrize("images", [20, 60])
@pytest.mark.parametrize("kappa", [0.0, 0.5, 0.9])
def test_intervals_hold_the_truth(kappa: float, images: int) -> None:
    """Raters who share a judgement with the chance `kappa`, and else guess by themselves: that is their kappa."""
    draw, rounds = np.random.default_rng(0), 300
    of_two = of_three = 0
    for _ in range(rounds):
        shared = draw.random((images, 1)) < kappa
        answers = np.where(shared, draw.random((images, 1)) < 0.5, draw.random((images, 3)) < 0.5)
        two = cohen_kappa(pd.Series(answers[:, 0]), pd.Series(answers[:, 1]))
        three = fleiss_kappa(np.column_stack((answers.sum(1), 3 - answers.sum(1))))
        of_two += two.low <= kappa <= two.high
        of_three += three.low <= kappa <= three.high
    assert min(of_two, of_three) / rounds >= 0.92
