"""How far two sets of images are apart, as functions of their features: Frechet distance (FID) and kernel (KID).

Both are computed in float64 on all samples, in blocks, so that memory grows with the features alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from engine.store.errors import ErsatzError

BLOCK = 2048


@dataclass(frozen=True)
class KernelDistance:
    """Squared maximum mean discrepancy with its bootstrap interval; it may be negative, as no distance can be."""

    value: float
    low: float
    high: float


@np.errstate(over="ignore", invalid="ignore")  # an overflow is raised as an ErsatzError
def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of Gaussians fitted to features [N, D] and [M, D] (arXiv 1706.08500, equation 6).

    |mean(a) - mean(b)|^2 + Tr(A + B - 2 (A B)^1/2) with covariances A, B over N - 1 and M - 1. The trace term is taken
    as the sum of the singular values of F_A F_B^T for any F with F^T F = covariance: the same number, but real and
    non-negative by construction, also where there are fewer samples than dimensions and a matrix square root breaks.
    With fewer than some 2048 images on either side it is biased upwards, and only comparable at equal counts.
    Raises `ErsatzError` for features that are not finite, do not match, or overflow.
    """
    require_features(a, b)
    mean_a, mean_b = a.mean(0, dtype=np.float64), b.mean(0, dtype=np.float64)
    root_a, root_b = _covariance_root(a, mean_a), _covariance_root(b, mean_b)
    product = root_a @ root_b.T
    total = np.square(mean_a - mean_b).sum() + np.square(root_a).sum() + np.square(root_b).sum()
    if not np.isfinite(total) or not np.isfinite(product).all():
        raise ErsatzError(
            "The Frechet distance cannot be computed: the features are so large that their squares overflow; "
            "numbers near 1 were expected. Check the extractor's weights."
        )
    common = scipy.linalg.svdvals(product, check_finite=False).sum()
    return max(0.0, float(total - 2 * common))  # rounding alone can bring it below


@np.errstate(over="ignore", invalid="ignore")
def kernel_distance(a: np.ndarray, b: np.ndarray, seed: int = 0, resamples: int = 200) -> KernelDistance:
    """KID: the unbiased MMD^2 of features [N, D] and [M, D] with kernel (x.y / D + 1)^3 (arXiv 1801.01401).

    The interval holds the central 95 % of the statistic over `resamples` bootstrap resamples of both sets, drawn by
    `seed`. Pairs of an image with its own copy are left out of a resample as the image with itself is of the whole,
    else resampling would shift the number. Near 0, where the sets are alike, the interval is too wide. It takes images
    for independent, which those of one patient are not: with several a patient it is too narrow. Raises `ErsatzError`
    for features that are not finite or do not match.
    """
    require_features(a, b)
    draw = np.random.default_rng(seed)
    # Each column says how often each row is taken; the first takes every row once and gives the value itself.
    of_a, of_b = (
        np.column_stack((np.ones(n), draw.multinomial(n, np.full(n, 1 / n), resamples).T)) for n in (len(a), len(b))
    )
    statistic = _mean_within(a, of_a) + _mean_within(b, of_b) - 2 * _mean_between(a, b, of_a, of_b)
    if not np.isfinite(statistic[0]):  # it weighs every pair, so that no other can overflow without it
        raise ErsatzError(
            "The kernel distance cannot be computed: the features are so large that the kernel overflows; "
            "numbers near 1 were expected. Check the extractor's weights."
        )
    low, high = np.nanquantile(statistic[1:], (0.025, 0.975))  # nan: a resample of few images took but one of them
    return KernelDistance(float(statistic[0]), float(low), float(high))


def kernel_means(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each image its mean kernel with the others: of a [N, D] with a, of b [M, D] with b, of a with b, of b with a.

    KID is the mean of the first plus that of the second minus those of the last two, which are equal.
    """
    require_features(a, b)
    of_a, of_b = np.zeros(len(a)), np.zeros(len(b))
    for rows in _blocks(len(a)):
        for columns in _blocks(len(b)):
            kernel = _kernel(a[rows], b[columns])
            of_a[rows] += kernel.sum(1)
            of_b[columns] += kernel.sum(0)
    return _means_with_others(a), _means_with_others(b), of_a / len(b), of_b / len(a)


def _means_with_others(x: np.ndarray) -> np.ndarray:
    """Mean kernel [N] of each row of x [N, D] with all other rows."""
    total = np.zeros(len(x))
    for rows in _blocks(len(x)):
        for columns in _blocks(len(x)):
            kernel = _kernel(x[rows], x[columns])
            if rows == columns:
                np.fill_diagonal(kernel, 0.0)
            total[rows] += kernel.sum(1)
    return total / (len(x) - 1)


def _covariance_root(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """F [min(N, D), D] float64 with F^T F = covariance of x [N, D]."""
    n, dim = x.shape
    if n <= dim:
        return (x - mean) / np.sqrt(n - 1)
    covariance = np.zeros((dim, dim))
    for rows in _blocks(n):
        centred = x[rows] - mean
        covariance += centred.T @ centred
    if not np.isfinite(covariance).all():
        return np.full((1, dim), np.inf)
    values, vectors = scipy.linalg.eigh(covariance / (n - 1), overwrite_a=True, check_finite=False)
    return np.sqrt(values.clip(min=0))[:, None] * vectors.T


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x.astype(np.float64) @ y.T.astype(np.float64) / x.shape[1] + 1) ** 3


def _mean_within(x: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Mean kernel [R] over pairs of different rows of x [N, D], each weighted by `taken` [N, R] of both."""
    total = np.zeros(taken.shape[1])
    for rows in _blocks(len(x)):
        for columns in _blocks(len(x)):
            kernel = _kernel(x[rows], x[columns])
            if rows == columns:
                np.fill_diagonal(kernel, 0.0)
            total += np.einsum("ir,ir->r", taken[rows], kernel @ taken[columns])
    return total / (taken.sum(0) ** 2 - np.square(taken).sum(0))


def _mean_between(x: np.ndarray, y: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
    """Mean kernel [R] over pairs of a row of x [N, D] and one of y [M, D], weighted by `of_x` [N, R], `of_y` [M, R]."""
    total = np.zeros(of_x.shape[1])
    for rows in _blocks(len(x)):
        for columns in _blocks(len(y)):
            total += np.einsum("ir,ir->r", of_x[rows], _kernel(x[rows], y[columns]) @ of_y[columns])
    return total / (of_x.sum(0) * of_y.sum(0))


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def require_features(a: np.ndarray, b: np.ndarray) -> None:
    """Raise `ErsatzError` unless features [N, D] and [M, D] are finite, of one width and of 2 images at least."""
    for x in (a, b):
        if x.ndim != 2 or len(x) < 2:
            raise ErsatzError(
                f"Features of shape {list(x.shape)} cannot be compared; at least 2 images with a vector each were "
                "expected. Give more images."
            )
        if not np.isfinite(x).all():
            raise ErsatzError(
                "The features hold values that are not finite numbers, and no distance can be computed from them. "
                "Check the extractor's weights."
            )
    if a.shape[1] != b.shape[1]:
        raise ErsatzError(
            f"Features of {a.shape[1]} and of {b.shape[1]} numbers an image were given; both sets must come from one "
            "extractor. Compute them anew with the same."
        )
