"""The nearest patterns of each of many, turned and mirrored: every pair of a small set, the likely ones of a large one.

Up to `EXHAUSTIVE` pictures every pair is compared, which costs the square of their number. More are parted again and
again into blocks of at most `BLOCK`, along random directions at the middle of each part (random projection trees, after
Dasgupta and Freund, 2008), and only pictures of one block are compared. Pictures that are alike lie on the same side of
most cuts, so that nearly all of them meet in one of the partings. The blocks are equally large whatever the pictures
are: the cost grows with their number N as N log N, also where all look alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

EXHAUSTIVE = 6000
"""Most pictures of which every pair is compared."""
BLOCK = 256
"""Most pictures of one block."""
PARTINGS = 20
"""Times that the pictures are parted by their patterns as they are."""
TURNED_PARTINGS = 10
"""Times that they are parted by what does not change when a picture is turned or mirrored."""


class Nearest:
    """The `count` best partners of each picture so far, of a score of `least` or more: numbers `partner` and scores
    `score`, `[N, count]`; -1 where there is none."""

    def __init__(self, pictures: int, count: int, least: float):
        self.least = least
        self.partner = np.full((pictures, count), -1, np.int64)
        self.score = np.full((pictures, count), -np.inf, np.float32)

    def take(self, rows: np.ndarray, columns: np.ndarray, scores: np.ndarray) -> None:
        """Weigh the pictures `columns` `[C]` as partners of `rows` `[R]` by `scores` `[R, C]`, each once."""
        some = scores.max(axis=1, initial=-np.inf) >= self.least
        rows, scores = rows[some], scores[some]
        count = min(self.partner.shape[1], len(columns))
        best = np.argpartition(scores, -count, axis=1)[:, -count:]
        partner = np.concatenate([self.partner[rows], columns[best]], axis=1)
        score = np.concatenate([self.score[rows], np.take_along_axis(scores, best, axis=1)], axis=1)
        order = np.argsort(partner, axis=1, kind="stable")
        partner, score = (np.take_along_axis(values, order, axis=1) for values in (partner, score))
        score[:, 1:][partner[:, 1:] == partner[:, :-1]] = -np.inf  # found before
        keep = np.argpartition(score, -self.partner.shape[1], axis=1)[:, -self.partner.shape[1] :]
        self.partner[rows] = np.take_along_axis(partner, keep, axis=1)
        self.score[rows] = np.take_along_axis(score, keep, axis=1)

    def pairs(self) -> np.ndarray:
        """Pairs `[M, 2]` (first < second), each once."""
        row, rank = np.nonzero(self.score >= self.least)
        return np.unique(np.sort(np.stack([row, self.partner[row, rank]], axis=1), axis=1), axis=0)


def blocks(patterns: np.ndarray, unchanged: np.ndarray, seed: int = 0) -> Iterator[tuple[np.ndarray, bool]]:
    """Blocks of numbers of pictures to be compared with each other, and whether in all variants.

    `patterns` `[N, D]` are those of the pictures as they are, `unchanged` `[N, E]` what no turning changes.
    """
    rng = np.random.default_rng(seed)
    for features, times, in_all in ((patterns, PARTINGS, False), (unchanged, TURNED_PARTINGS, True)):
        for _ in range(times):
            for block in _parted(features, rng):
                yield block, in_all


def comparisons(pictures: int) -> int:
    """How many pictures `blocks` gives in all, each as often as it is in one."""
    return pictures * (PARTINGS + TURNED_PARTINGS)


def unchanged_by_turning(low: np.ndarray) -> np.ndarray:
    """Features `[N, F * F]` of the frequencies (DCT-II) `[N, F, F]` of square pictures that no turning changes.

    A mirrored picture has other signs, one turned by a quarter other signs and its two axes exchanged: the sum and the
    difference of the sizes of each frequency and the one across stay.
    """
    size = np.abs(low)
    across = size.transpose(0, 2, 1)
    upper = np.triu(np.ones(low.shape[1:], bool))
    kept: np.ndarray = np.where(upper, size + across, np.abs(size - across))
    return kept.reshape(len(low), -1).astype(np.float32)


def scores(rows: np.ndarray, variants: Sequence[np.ndarray]) -> np.ndarray:
    """The best correlation `[R, C]` of unit vectors `rows` `[R, D]` with any of the `variants`, each `[C, D]`."""
    best: np.ndarray = rows @ variants[0].T
    other = np.empty_like(best)
    for patterns in variants[1:]:
        np.maximum(best, np.matmul(rows, patterns.T, out=other), out=best)
    return best


def _parted(features: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The numbers of all pictures in blocks, parted at the middle along random directions until they are small."""
    waiting = [np.arange(len(features))]
    while waiting:
        part = waiting.pop()
        if len(part) <= BLOCK:
            yield part
            continue
        along = features[part] @ _direction(features, part, rng)
        middle = len(part) // 2
        order = np.argpartition(along, middle)
        waiting += [part[order[:middle]], part[order[middle:]]]


def _direction(features: np.ndarray, part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From one picture of the part to another, so that it is cut across where its pictures differ."""
    one, other = rng.choice(len(part), 2, replace=False)
    direction: np.ndarray = features[part[one]] - features[part[other]]
    return direction
