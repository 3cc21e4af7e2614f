"""Moves and swaps weighed as one matrix are those that trying each of them finds, and many classes stay fast."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from engine.datasets import split_moves
from engine.datasets.split_moves import improve
from engine.datasets.splitting import _cost, _targets, drawn


def tried_one_by_one(counts: np.ndarray, chosen: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The definition: of all moves and swaps the first of the best, until none is better."""
    chosen = chosen.copy()
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    parcels = np.vstack([kinds, np.zeros((1, kinds.shape[1]), np.int64)])
    while True:
        reached = np.stack([counts[chosen == split].sum(axis=0) for split in range(3)], axis=1)
        best, step = _cost(reached, targets), None
        for a, b in ((0, 1), (0, 2), (1, 2)):
            for mine in [*np.unique(kind[chosen == a]), len(kinds)]:
                for theirs in [*np.unique(kind[chosen == b]), len(kinds)]:
                    after = reached.copy()
                    after[:, a] += parcels[theirs] - parcels[mine]
                    after[:, b] -= parcels[theirs] - parcels[mine]
                    if _cost(after, targets) < best:
                        best, step = _cost(after, targets), (a, b, mine, theirs)
        if step is None:
            return chosen
        a, b, mine, theirs = step
        leaving = np.flatnonzero((chosen == a) & (kind == mine))[:1]
        coming = np.flatnonzero((chosen == b) & (kind == theirs))[:1]
        chosen[leaving], chosen[coming] = b, a


@pytest.mark.parametrize("seed", range(6))
def test_the_steps_are_those_of_trying_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, (30, 1 + seed % 4)) * rng.integers(0, 2, (30, 1 + seed % 4))
    counts[:, 0] += counts.sum(axis=1) == 0
    total = int(counts.sum())
    targets = _targets(counts.sum(axis=0), (total - 2 * (total // 5), total // 5, total // 5))
    dealt = rng.integers(0, 3, len(counts))
    assert improve(counts, dealt, targets).tolist() == tried_one_by_one(counts, dealt, targets).tolist()


def test_five_hundred_classes_are_split_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"c{number % 500}" for number in range(5000)]
    rows = pd.DataFrame({"class": names, "group": "", "sha256": [str(number) for number in range(5000)]})
    began = time.process_time()
    split = drawn(rows, (3500, 500, 1000), 0)
    assert split.value_counts().tolist() == [3500, 1000, 500]
    assert (pd.crosstab(rows["class"], split).to_numpy() == [2, 7, 1]).all()
    assert time.process_time() - began < 20
    monkeypatch.setattr(split_moves, "MOST_KINDS", 20)
    assert drawn(rows, (3500, 500, 1000), 0).value_counts().tolist() == [3500, 1000, 500]
