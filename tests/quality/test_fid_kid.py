"""Frechet and kernel distance against an independent library, a naive computation, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from engine.quality import fid_kid
from engine.quality.fid_kid import frechet_distance, kernel_distance
from engine.store.errors import ErsatzError


def features(n: int, dim: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Correlated, non-negative features as pooled activations are."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(dim).standard_normal((dim, dim)) / np.sqrt(dim)
    return np.maximum(random.standard_normal((n, dim)) @ mix + 0.3 + shift, 0).astype(np.float32)


class AsGiven(torch.nn.Module):
    """The 'network' that lets torchmetrics compare features rather than images."""

    num_features = 12

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def test_frechet_is_torchmetrics() -> None:
    a, b = features(90, 12, 1), features(70, 12, 2, shift=0.2)
    reference = FrechetInceptionDistance(feature=AsGiven(), normalize=True, input_img_size=(1, 1, 12))
    for x, real in ((a, True), (b, False)):
        reference.update(torch.from_numpy(x)[:, :, None, None], real=real)
    assert frechet_distance(a, b) == pytest.approx(reference.compute().item(), rel=1e-4)


def test_both_are_torch_fidelitys_on_the_same_features() -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid", reason="torch-fidelity is not installed")
    kid = pytest.importorskip("torch_fidelity.metric_kid", reason="torch-fidelity is not installed")
    a, b = (torch.from_numpy(features(80, 12, seed, shift).astype(np.float64)) for seed, shift in ((1, 0.0), (2, 0.2)))
    statistics = [fid.fid_features_to_statistics(x) for x in (a, b)]
    expected = fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(a.numpy(), b.numpy()) == pytest.approx(expected, rel=1e-6)
    subsets = {"kid_subsets": 1, "kid_subset_size": 80, "rng_seed": 0, "verbose": False}
    expected = kid.kid_features_to_metric(a, b, **subsets)["kernel_inception_distance_mean"]
    assert kernel_distance(a.numpy(), b.numpy()).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(90, 70), (9, 70), (9, 5)])
def test_frechet_is_its_formula(n: int, m: int) -> None:
    """By the eigenvalues of the product of the covariances, which exists with few samples too."""
    a, b = features(n, 12, 1).astype(np.float64), features(m, 12, 2, shift=0.1).astype(np.float64)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).astype(complex)).real.sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * roots
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [40, 8])
def test_laws_of_frechet(n: int) -> None:
    a, b = features(n, 12, 1), features(30, 12, 2)
    assert 0 <= frechet_distance(a, a) < 1e-6
    assert 0 <= frechet_distance(a, np.repeat(a, 2, axis=0)) < 0.2  # only N - 1 differs
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, b[::-1]) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    moved = frechet_distance(a, a.astype(np.float64) + np.full(12, 0.5))
    assert moved == pytest.approx(12 * 0.25, rel=1e-6)


def test_frechet_of_images_without_difference_is_a_number() -> None:
    """A generator that always makes the same image: a zero covariance breaks matrix square roots."""
    a = features(50, 12, 1)
    same = np.repeat(a[:1], 50, axis=0)
    expected = ((a.mean(0, dtype=np.float64) - a[0]) ** 2).sum() + np.cov(a.T.astype(np.float64)).trace()
    assert frechet_distance(a, same) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("block", [7, 4096])
def test_blocks_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    a, b = features(40, 12, 1), features(25, 12, 2)
    whole = frechet_distance(a, b), kernel_distance(a, b)
    monkeypatch.setattr(fid_kid, "BLOCK", block)
    assert frechet_distance(a, b) == pytest.approx(whole[0], rel=1e-9)
    parts = kernel_distance(a, b)
    assert (parts.value, parts.low, parts.high) == pytest.approx(
        (whole[1].value, whole[1].low, whole[1].high), rel=1e-9
    )


def naive_kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    def k(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    n, m = len(a), len(b)
    within_a = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_b = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_a + within_b - 2 * sum(k(x, y) for x in a for y in b) / (n * m)


def test_kernel_distance_is_its_formula_for_different_counts() -> None:
    a, b = features(23, 12, 1).astype(np.float64), features(9, 12, 2).astype(np.float64)
    assert kernel_distance(a, b).value == pytest.approx(naive_kernel_distance(a, b), rel=1e-9)


def test_kernel_distance_is_torchmetrics() -> None:
    a, b = features(40, 12, 1), features(40, 12, 2, shift=0.1)  # it knows equal counts only
    expected = poly_mmd(torch.from_numpy(a).double(), torch.from_numpy(b).double()).item()
    assert kernel_distance(a, b).value == pytest.approx(expected, rel=1e-6)


def test_kernel_distance_is_unbiased_and_its_interval_covers() -> None:
    """Against the distance of a population: alike sets are as often below 0 as above, and 95 % intervals hold."""
    alike, covers_zero, covers_truth = [], 0, 0
    population = features(4000, 6, 100), features(4000, 6, 101, shift=0.15)
    truth = kernel_distance(*population, resamples=2).value
    random = np.random.default_rng(0)
    for _ in range(60):
        a, b = (population[0][random.choice(4000, 40, replace=False)] for _ in range(2))
        shifted = population[1][random.choice(4000, 60, replace=False)]
        found = kernel_distance(a, b)
        alike.append(found.value)
        covers_zero += found.low <= 0 <= found.high
        found = kernel_distance(a, shifted)
        covers_truth += found.low <= truth <= found.high
    assert abs(np.mean(alike)) < 3 * np.std(alike) / np.sqrt(60)
    assert covers_zero >= 55
    assert covers_truth >= 50


def test_interval_repeats_by_seed_and_narrows_with_images() -> None:
    a, b = features(400, 12, 1), features(400, 12, 2, shift=0.2)
    few, many = kernel_distance(a[:50], b[:50]), kernel_distance(a, b)
    assert few == kernel_distance(a[:50], b[:50])
    assert few != kernel_distance(a[:50], b[:50], seed=1)
    assert many.high - many.low < 0.6 * (few.high - few.low)
    assert many.low < many.value < many.high


def test_an_interval_of_three_images_is_a_number() -> None:
    """Many resamples of so few hold one image alone, and no pair to compare."""
    found = kernel_distance(features(3, 12, 1), features(40, 12, 2))
    assert np.isfinite([found.value, found.low, found.high]).all()


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_what_cannot_be_compared_is_refused(distance: object) -> None:
    a = features(20, 4, 1)
    broken = a.copy()
    broken[3, 2] = np.nan
    for x, y, sentence in (
        (a, broken, "not finite numbers"),
        (a, a[:1], r"shape \[1, 4\] cannot be compared"),
        (a, a[:, :3], "of 4 and of 3 numbers"),
        (a.astype(np.float64) * 1e200, a, "overflow"),
    ):
        with pytest.raises(ErsatzError, match=sentence):
            distance(x, y)  # type: ignore[operator]
