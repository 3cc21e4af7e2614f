"""Near copies of large sets are those that comparing every pair finds, at a cost that grows with their number."""

from __future__ import annotations

import numpy as np
import pytest

from engine.datasets import near_copies
from engine.datasets.near_copies import candidates, connected, near_pairs, turned
from engine.datasets.nearest_patterns import BLOCK, blocks
from engine.datasets.picture_content import SIZE, Contents
from engine.datasets.watched import ImportStopped, Watched
from engine.store.progress import Progress


def contents(pictures: np.ndarray) -> Contents:
    """Pictures `[N, 64, 64]` without a rim."""
    count = len(pictures)
    inside = np.ones(pictures.shape, bool)
    return Contents(pictures.clip(0, 255).astype(np.uint8), inside, np.ones(count, bool), np.full(count, 99.0))


def smooth(count: int, seed: int) -> np.ndarray:
    """Different pictures `[N, 64, 64]`."""
    patches = np.random.default_rng(seed).uniform(40, 250, (count, 8, 8))
    return patches.repeat(SIZE // 8, axis=1).repeat(SIZE // 8, axis=2)


def with_copies(seed: int) -> np.ndarray:
    """1,200 pictures: 900 that differ, and 300 brightened, noisy, shifted, mirrored or turned copies of some."""
    pictures = smooth(900, seed)
    rng = np.random.default_rng(seed)
    copies = pictures[rng.permutation(900)[:300]]
    for number, copy in enumerate(copies):
        way = number % 4
        changed = turned(copy, 1 + number % 7) if way == 0 else np.roll(copy, 2, axis=0) if way == 1 else copy * 0.9
        copies[number] = changed + rng.normal(0, 4, copy.shape)
    return np.concatenate([pictures, copies])


def among_many_alike(seed: int) -> np.ndarray:
    """1,200 pictures that look alike, each of them but for its surroundings like one other."""
    rng = np.random.default_rng(seed)
    base = smooth(1, seed)
    own = smooth(600, seed + 1) - 145
    pictures = 0.5 * base + 70 + 0.5 * own
    return np.concatenate([pictures, pictures + rng.normal(0, 3, pictures.shape)])


def sets(pictures: np.ndarray) -> set[frozenset[int]]:
    labels = connected(len(pictures), near_pairs(contents(pictures)).pairs)
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@pytest.mark.parametrize("pictures", [with_copies(0), among_many_alike(0)], ids=["copies", "among many alike"])
def test_large_sets_have_the_same_near_copies(pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sets(pictures)
    assert len(expected) < len(pictures) - 250
    monkeypatch.setattr(near_copies, "EXHAUSTIVE", 0)
    assert sets(pictures) == expected


def test_one_picture_again_and_again_is_one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).normal(0, 6, (800, SIZE, SIZE))
    monkeypatch.setattr(near_copies, "EXHAUSTIVE", 0)
    assert len(sets(smooth(1, 0) + noise)) == 1


def test_blocks_are_small_however_alike_the_pictures_are() -> None:
    same = np.ones((3000, 5), np.float32)
    found = list(blocks(same, same))
    assert max(len(block) for block, _ in found) <= BLOCK
    assert sum(len(block) for block, _ in found) % 3000 == 0


def test_it_says_how_far_it_is_and_stops_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Progress] = []
    monkeypatch.setattr(near_copies, "EXHAUSTIVE", 0)
    monkeypatch.setattr("engine.datasets.watched.REPORT_SECONDS", 0)
    candidates(contents(smooth(600, 0)), Watched(seen.append))
    assert 0 < seen[0].done < seen[-1].done == seen[-1].total == 600
    with pytest.raises(ImportStopped):
        candidates(contents(smooth(600, 0)), Watched(should_stop=lambda: True))
