"""The feature cache: computes what is missing, once, and survives concurrent writers and damage."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from engine.features.cache import STEP, FeatureCache, Interrupted
from engine.features.classical import view_seed
from engine.store.hashing import sha256_pixels
from engine.store.home import Home


@dataclass
class CountingBackbone:
    """Stands in for a network: an image's feature is its mean and its view's seed; counts what it is asked for."""

    weights_sha256: str = "a" * 64
    preprocessing: str = "none"
    name: str = "resnet50"
    dim: int = 2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    asked: int = 0

    def features(self, images: np.ndarray, view_seeds: list[int] | None = None, policy: str = "head-ct") -> np.ndarray:
        self.asked += len(images)
        seeds = view_seeds or [0] * len(images)
        return np.stack([images.reshape(len(images), -1).mean(1), np.array(seeds) % 1000], 1).astype(np.float32)


def cache(home: Home, **changes: str) -> FeatureCache:
    return FeatureCache(home, CountingBackbone(**changes))  # type: ignore[arg-type]


def draw(n: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    images = np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 1), dtype=np.uint8)
    return images, [sha256_pixels(image[:, :, 0]) for image in images]


def asked(cache: FeatureCache) -> int:
    return cache.backbone.asked  # type: ignore[attr-defined]


def test_only_what_is_missing_is_computed_and_copies_once(home: Home) -> None:
    images, hashes = draw(10)
    first = cache(home)
    assert np.array_equal(first.features(images[:6], hashes[:6]), first.backbone.features(images[:6]))
    again = cache(home)
    order = [9, 0, 9, 3, 7]
    found = again.features(images[order], [hashes[row] for row in order])
    assert asked(again) == 2  # 7 and 9
    assert np.array_equal(found, again.backbone.features(images[order]))
    assert found.dtype == np.float32


def test_views_are_kept_apart_by_their_recorded_seeds(home: Home) -> None:
    images, hashes = draw(3)
    features = cache(home)
    plain = features.features(images, hashes)
    found = features.features(images, hashes, views=4)
    assert found.shape == (3, 4, 2)
    assert found[2, 1].tolist() == [plain[2, 0], view_seed(hashes[2], 1) % 1000]
    assert asked(features) == 3 + 12
    features.features(images, hashes, views=5)
    assert asked(features) == 3 + 12 + 3


def test_other_weights_or_preprocessing_are_another_file(home: Home) -> None:
    images, hashes = draw(3)
    cache(home).features(images, hashes)
    for other in (cache(home, weights_sha256="b" * 64), cache(home, preprocessing="else")):
        other.features(images, hashes)
        assert asked(other) == 3


def test_concurrent_writers_agree(home: Home) -> None:
    images, hashes = draw(400)

    def work(seed: int) -> np.ndarray:
        order = np.random.default_rng(seed).permutation(400)
        found = cache(home).features(images[order], [hashes[row] for row in order])
        return found[np.argsort(order)]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    for found in results:
        assert np.array_equal(found, results[0])
    last = cache(home)
    last.features(images, hashes)
    assert asked(last) == 0


def test_a_stop_keeps_what_was_computed(home: Home) -> None:
    images, hashes = draw(2 * STEP + 1)
    calls = iter([False, True])
    with pytest.raises(Interrupted):
        cache(home).features(images, hashes, should_stop=lambda: next(calls))
    again = cache(home)
    again.features(images, hashes)
    assert asked(again) == STEP + 1


@pytest.mark.parametrize("damage", ["other", "empty", "half", "folder", "values"])
def test_a_damaged_cache_is_made_again(home: Home, damage: str) -> None:
    images, hashes = draw(2)
    features = cache(home)
    expected = features.features(images, hashes)
    content = features.path.read_bytes()
    if damage == "values":
        with closing(sqlite3.connect(features.path)) as db, db:
            db.execute("UPDATE features SET value = 'x'")
    else:
        features.path.unlink()
        for suffix in ("-wal", "-shm"):
            features.path.with_name(features.path.name + suffix).unlink(missing_ok=True)
        match damage:
            case "other":
                features.path.write_bytes(b"not a database" * 500)
            case "empty":
                features.path.touch()
            case "half":
                features.path.write_bytes(content[: len(content) // 2])
            case "folder":
                features.path.mkdir()
    again = cache(home)
    assert np.array_equal(again.features(images, hashes), expected)
    assert asked(again) == len(images)
    assert np.array_equal(cache(home).features(images, hashes), expected)
