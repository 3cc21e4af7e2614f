"""How far stated confidences are from how often they are right; pure functions of arrays.

The expected calibration error of a finite test set is biased upwards: in every bin the share that was right misses the
mean confidence by luck alone, and luck is counted as error. A classifier that is perfectly calibrated gets some 0.1 at
50 images. Its square can be corrected without bias (Broecker 2012; Ferro and Fricker 2012; Kumar et al. 2019,
arXiv 1909.10155, section 4.2).
"""

from __future__ import annotations

import math

import numpy as np

ECE_BINS = 15


def calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Expected calibration error (Guo et al. 2017, 1706.04599, eq. 3): 15 bins of equal width; biased upwards.

    The mean over the images of |share right - mean probability| in the bin of the class that was named.
    """
    gaps, counts, _ = _bins(labels, scores)
    return float(np.abs(gaps).sum() / counts.sum())


def corrected_calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Root mean square calibration error without the bias of few images: about 0 for a calibrated classifier.

    The mean over the images of the squared gap of their bin, of which the square of the mean gap of n images is
    estimated without bias as (S^2 - Q) / (n (n - 1)) by the sum S of their gaps and Q of the squares. A bin of one
    image says nothing and counts as 0. The root keeps the sign of what is below 0 by luck, as KID does; NaN without any
    bin of two.
    """
    gaps, counts, squares = _bins(labels, scores)
    several = counts > 1
    if not several.any():
        return float("nan")
    n = counts[several]
    mean = float(((gaps[several] ** 2 - squares[several]) / (n - 1)).sum() / counts.sum())
    return math.copysign(math.sqrt(abs(mean)), mean)


def _bins(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the images of each bin: the sum of right - confidence, how many they are, and the sum of its squares."""
    confidence, right = scores.max(1).astype(float), scores.argmax(1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gap = right - confidence
    count = np.bincount(bins, minlength=ECE_BINS)
    return np.bincount(bins, weights=gap, minlength=ECE_BINS), count, np.bincount(bins, gap**2, ECE_BINS)
