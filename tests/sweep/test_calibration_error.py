"""Calibration errors of classifiers whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sweep.calibration_error import calibration_error, corrected_calibration_error


def drawn(n: int, seed: int, sharper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities [N, 2], and these, made over-confident by a power."""
    draw = np.random.default_rng(seed)
    true = draw.dirichlet((0.6, 0.6), n)
    labels = (true[:, 0] < draw.random(n)).astype(int)
    stated = true**sharper
    return labels, stated / stated.sum(1, keepdims=True)


@pytest.mark.parametrize("n", [50, 100, 300, 600])
def test_a_calibrated_classifier_gets_about_0_at_any_size(n: int) -> None:
    corrected = [corrected_calibration_error(*drawn(n, seed)) for seed in range(600)]
    plain = [calibration_error(*drawn(n, seed)) for seed in range(100)]
    assert abs(np.mean(corrected)) < 0.015
    assert np.mean(plain) > 0.6 / np.sqrt(n), "the plain one counts luck as error"


def test_the_square_is_that_of_any_number_of_images() -> None:
    """Of an over-confident classifier, whose error 200,000 images tell."""
    truth = corrected_calibration_error(*drawn(200_000, 0, 1.8))
    assert truth == pytest.approx(0.084, abs=0.01)
    for n in (60, 240):
        found = np.array([corrected_calibration_error(*drawn(n, seed, 1.8)) for seed in range(1500)])
        square = np.mean(np.sign(found) * found**2)
        assert square == pytest.approx(truth**2, rel=0.15)


def test_a_bin_of_one_image_says_nothing() -> None:
    scores = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert np.isnan(corrected_calibration_error(np.array([0, 0]), scores))
    always_wrong = np.repeat([[1.0, 0.0]], 5, axis=0)
    assert corrected_calibration_error(np.ones(5, int), always_wrong) == 1
