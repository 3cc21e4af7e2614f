"""The two-sample test: chance where there is nothing to tell, and no patient on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from engine.quality import two_sample
from engine.quality.two_sample import accuracy_interval, two_sample_accuracy
from engine.store.errors import ErsatzError


def cloud(n: int, seed: int, shift: float = 0.0, dim: int = 40) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, dim)) + shift).astype(np.float32)


def alone(n: int) -> np.ndarray:
    return np.arange(n).astype(str)


def test_a_known_shift_is_found_about_as_well_as_can_be() -> None:
    """Two normal clouds s apart along every one of 40 axes: the best rule is right in Phi(sqrt(40) s / 2)."""
    found = two_sample_accuracy(cloud(400, 1), cloud(600, 2, 0.4), alone(400))
    assert found.n == 400
    assert 0.85 < found.accuracy < 0.91  # at best 0.897
    narrow = binomtest(round(found.accuracy * 800), 800).proportion_ci(method="wilson")
    assert found.low < narrow.low < narrow.high < found.high < 0.95


@pytest.mark.parametrize("images_of_patient", [1, 5])
def test_the_interval_holds_the_expected_accuracy_as_often_as_it_says(images_of_patient: int) -> None:
    """Wilson's own interval held it in 81 and 73 % of cases: folds learn from each other, patients look alike."""
    found, narrow = [], 0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        patients = np.arange(50) // images_of_patient
        real = draw.standard_normal((50, 3)) + draw.standard_normal((50, 3))[patients]
        result = two_sample_accuracy(real / np.sqrt(2), draw.standard_normal((50, 3)), patients.astype(str), seed=seed)
        found.append(result)
        plain = binomtest(round(100 * result.accuracy), 100).proportion_ci(method="wilson")
        narrow += plain.low <= 0.5 <= plain.high
    holds = sum(each.low <= 0.5 <= each.high for each in found)
    assert holds >= 35 > narrow  # 38 of 40 are expected
    assert np.mean([each.high - each.low for each in found]) < 0.45


def test_answers_that_are_all_right_are_worth_one_a_group() -> None:
    many, few = (accuracy_interval(np.ones(40), np.repeat([0, 1], 20), np.arange(40) // size) for size in (1, 10))
    assert few.low < many.low < many.high == few.high == 1


def test_patients_are_not_known_again() -> None:
    """Many images of few patients on both sides: by image they are told apart perfectly, by patient not at all."""
    patients = np.random.default_rng(0).standard_normal((16, 40)) * 5
    of = np.repeat(np.arange(16), 10)
    images = (patients[of] + cloud(160, 1)).astype(np.float32)
    names = of.astype(str)
    real, other = images[:80], images[80:]
    by_image = two_sample_accuracy(real, other, alone(80))
    by_patient = two_sample_accuracy(real, other, names[:80], names[80:])
    assert by_image.accuracy > 0.95
    assert by_patient.accuracy < 0.75


def test_copies_push_the_accuracy_below_chance() -> None:
    real = cloud(100, 1, dim=200)
    assert two_sample_accuracy(real, real + 1e-3 * cloud(100, 2, dim=200), alone(100)).high < 0.45


def test_turning_the_features_changes_no_answer() -> None:
    """More features than images are turned into fewer; scikit-learn on all of them says the same."""
    x, y = np.concatenate((cloud(30, 1, dim=90), cloud(30, 2, 0.2, dim=90))), np.repeat([0, 1], 30)
    turned = two_sample._turned(x.astype(np.float64))
    assert turned.shape == (60, 60)
    answers = [
        LogisticRegression(C=0.01, max_iter=5000, tol=1e-8).fit(z[::2], y[::2]).decision_function(z[1::2])
        for z in (x.astype(np.float64), turned)
    ]
    assert np.allclose(*answers, atol=1e-4)


def test_too_few_are_a_sentence() -> None:
    with pytest.raises(ErsatzError, match="2 real groups and 20 synthetic images are too few"):
        two_sample_accuracy(cloud(20, 1), cloud(20, 2), np.repeat(["p", "q"], 10))
