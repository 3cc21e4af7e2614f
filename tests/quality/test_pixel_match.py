"""Pictures found again by their pixels: moved, mirrored, brightened, noisy; and the distance by its definition."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter

from engine.features.cache import Interrupted
from engine.quality import pixel_match as module
from engine.quality.pixel_match import most_alike
from engine.store.progress import Progress


def pictures(n: int, size: int = 32, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth random pictures with a common bright middle, uint8 [n, size, size, channels]."""
    noise = np.random.default_rng(seed).standard_normal((n, size, size, channels))
    detail = gaussian_filter(noise, (0, size / 16, size / 16, 0))
    place = np.linspace(-1, 1, size)
    middle = np.exp(-2 * (place[:, None] ** 2 + place**2))[:, :, None]
    values = middle * 120 + 50 * detail / detail.std() * middle + 30
    return values.clip(0, 255).astype(np.uint8)


def moved(images: np.ndarray, right: int, down: int) -> np.ndarray:
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    size = images.shape[1]
    return padded[:, 4 - down : 4 - down + size, 4 - right : 4 - right + size]


def nothing(n: int) -> np.ndarray:
    """No candidates from features: the pixels alone must find it."""
    return np.zeros((n, 0), np.int64)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize(("right", "down", "mirrored"), [(0, 0, False), (2, -1, False), (-2, 2, True), (1, 0, True)])
def test_moved_and_mirrored_copies_are_found(size: int, channels: int, right: int, down: int, mirrored: bool) -> None:
    base = pictures(60, size, channels)
    order = np.random.default_rng(1).permutation(60)[:12]
    copies = base[order][:, :, ::-1] if mirrored else base[order]
    found = most_alike(moved(copies, right, down), base, nothing(12), shift=2)
    assert found.rows.tolist() == order.tolist()
    assert found.distances.max() < 0.01
    assert (set(found.shift_x), set(found.shift_y), set(found.mirrored)) == ({right}, {down}, {mirrored})


def test_large_pictures_are_moved_before_they_are_reduced() -> None:
    base = pictures(20, 192)
    found = most_alike(moved(base[:, :, ::-1], 1, -2)[:8], base, nothing(8), shift=2)
    assert found.rows.tolist() == list(range(8))
    assert found.distances.max() < 0.01  # in reduced pixels it moved by a fraction
    assert (set(found.shift_x), set(found.shift_y), set(found.mirrored)) == ({1}, {-2}, {True})


def test_brightness_contrast_and_noise_do_not_hide_a_copy() -> None:
    base = pictures(60)
    copies = base[:20].astype(float)
    bright = most_alike((copies * 0.7 + 40).round().astype(np.uint8), base, nothing(20), shift=2)
    assert bright.rows.tolist() == list(range(20))
    assert bright.distances.max() < 0.03
    noise = np.random.default_rng(1).normal(0, 8, copies.shape)
    noisy = most_alike((copies + noise).clip(0, 255).astype(np.uint8), base, nothing(20), shift=2)
    assert noisy.rows.tolist() == list(range(20))
    others = most_alike(pictures(20, seed=9), base, nothing(20), shift=2)
    assert bright.distances.max() < noisy.distances.max() < others.distances.min()


def naive(image: np.ndarray, other: np.ndarray, shift: int) -> float:
    """Smallest root of 2 - 2 r of the other's middle, as it is and mirrored, with any part of the image of its size."""
    size = image.shape[0] - 2 * shift
    windows = sliding_window_view(image, (size, size), (0, 1)).reshape(-1, image.shape[2] * size * size)
    best = -1.0
    for side in (other, other[:, ::-1]):
        middle = side[shift : shift + size, shift : shift + size].transpose(2, 0, 1).reshape(-1)
        best = max(best, *(np.corrcoef(window, middle)[0, 1] for window in windows))
    return float(np.sqrt(2 - 2 * best))


@pytest.mark.parametrize("channels", [1, 3])
def test_distance_is_its_definition(channels: int) -> None:
    images, base = pictures(5, 16, channels, seed=1), pictures(8, 16, channels, seed=2)
    expected = np.array([[naive(image, other, 2) for other in base] for image in images])
    found = most_alike(images, base, np.tile(np.arange(8), (5, 1)), shift=2)
    np.testing.assert_array_equal(found.rows, expected.argmin(1))
    np.testing.assert_allclose(found.distances, expected.min(1), rtol=1e-4)


def test_portions_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    images, base = pictures(30, seed=1), pictures(40, seed=2)
    whole = most_alike(images, base, nothing(30), shift=1)
    monkeypatch.setattr(module, "NUMBERS", 1)
    parts = most_alike(images, base, nothing(30), shift=1)
    np.testing.assert_array_equal(parts.rows, whole.rows)
    np.testing.assert_allclose(parts.distances, whole.distances, atol=1e-6)


def test_a_copy_that_only_the_features_find_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    base = pictures(60)
    monkeypatch.setattr(module, "_by_thumbnails", lambda images, *_: np.full((len(images), 1), 59))
    assert most_alike(base[:4], base, nothing(4), shift=0).rows.tolist() == [59] * 4
    by_features = np.stack((np.arange(4) + 10, np.arange(4)), 1)
    assert most_alike(base[:4], base, by_features, shift=0).rows.tolist() == [0, 1, 2, 3]


def test_none_is_its_own_match() -> None:
    images = pictures(20)
    pool = np.concatenate((images, moved(images[:3], 1, 1)))
    found = most_alike(pool, pool, nothing(23), shift=2, not_itself=True)
    assert (found.rows != np.arange(23)).all()
    assert found.rows[:3].tolist() == [20, 21, 22]
    assert found.rows[20:].tolist() == [0, 1, 2]
    assert found.distances[:3].max() < 0.01 < found.distances[3:20].min()
    symmetric = (images // 2 + images[:, :, ::-1] // 2).astype(np.uint8)  # each is its own mirror image
    found = most_alike(symmetric, symmetric, nothing(20), shift=1, not_itself=True)
    assert (found.rows != np.arange(20)).all()
    assert np.isfinite(found.distances).all()


def test_blank_pictures_are_like_no_other() -> None:
    base = pictures(6)
    blank = np.full((2, 32, 32, 1), 90, np.uint8)
    found = most_alike(np.concatenate((blank, base[:1])), np.concatenate((base, blank)), nothing(3), shift=2)
    assert found.distances[:2] == pytest.approx(np.sqrt(2))
    assert found.distances[2] < 0.01


def test_progress_and_stops() -> None:
    images, base = pictures(30, seed=1), pictures(40, seed=2)
    seen: list[Progress] = []
    most_alike(images, base, nothing(30), 1, report=seen.append, stage="here")
    assert {(progress.stage, progress.total, progress.unit) for progress in seen} == {
        ("here, thumbnails", 30, "images"),
        ("here", 30, "images"),
    }
    with pytest.raises(Interrupted):
        most_alike(images, base, nothing(30), 1, should_stop=lambda: True)
