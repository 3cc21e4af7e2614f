"""What few images do to scores that are shown: the calibration error, kappas, and the two-sample classifier's accuracy.

Calibration errors of a perfectly calibrated classifier of two classes; how often the intervals of kappas and of the
cross-validated two-sample accuracy hold the truth, in per cent, and what Wilson's own interval would have.
Printed:

    python -m benchmarks.small_samples
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from engine.quality.two_sample import two_sample_accuracy
from engine.review.kappa import cohen_kappa, fleiss_kappa
from engine.sweep.calibration_error import calibration_error, corrected_calibration_error
from engine.sweep.statistics import wilson_interval


def calibration(n: int, rounds: int) -> tuple[float, float]:
    """Mean of the plain and of the corrected calibration error of a calibrated classifier on n images."""
    plain, corrected = [], []
    for seed in range(rounds):
        draw = np.random.default_rng(seed)
        scores = draw.dirichlet((0.6, 0.6), n)
        labels = (scores[:, 0] < draw.random(n)).astype(int)
        plain.append(calibration_error(labels, scores))
        corrected.append(corrected_calibration_error(labels, scores))
    return float(np.mean(plain)), float(np.mean(corrected))


def kappas(n: int, kappa: float, rounds: int) -> tuple[float, float]:
    """How often the intervals of Cohen's kappa of two and Fleiss' of three raters hold theirs."""
    held = np.zeros(2)
    for seed in range(rounds):
        draw = np.random.default_rng(seed)
        shared = draw.random((n, 1)) < kappa
        answers = np.where(shared, draw.random((n, 1)) < 0.5, draw.random((n, 3)) < 0.5)
        two = cohen_kappa(pd.Series(answers[:, 0]), pd.Series(answers[:, 1]))
        three = fleiss_kappa(np.column_stack((answers.sum(1), 3 - answers.sum(1))))
        held += [each.low <= kappa <= each.high for each in (two, three)]
    return float(held[0] / rounds), float(held[1] / rounds)


def two_sample(n: int, dim: int, images_of_patient: int, rounds: int) -> tuple[float, float]:
    """How often the interval holds 0.5 where both sets are alike, and how often Wilson's own would."""
    held = np.zeros(2)
    for seed in range(rounds):
        draw = np.random.default_rng(seed)
        patients = np.arange(n) // images_of_patient
        real = draw.standard_normal((n, dim))
        if images_of_patient > 1:
            real = (real + draw.standard_normal((n, dim))[patients]) / np.sqrt(2)
        found = two_sample_accuracy(real, draw.standard_normal((n, dim)), patients.astype(str), seed=seed)
        plain = wilson_interval(found.accuracy, 2 * n)
        held += [each.low <= 0.5 <= each.high for each in (found, plain)]
    return float(held[0] / rounds), float(held[1] / rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="simulated sets; a fifth of it of the two-sample test")
    rounds = parser.parse_args().rounds
    for n in (50, 100, 200, 600):
        plain, corrected = calibration(n, rounds)
        print(f"calibrated classifier, {n} images: ECE {plain:.3f}, corrected {corrected:+.3f}", flush=True)
    for n in (20, 40, 100):
        for kappa in (0.0, 0.5, 0.9):
            two, three = kappas(n, kappa, rounds)
            print(
                f"kappa {kappa} on {n} images: Cohen's in {100 * two:.1f} %, Fleiss' in {100 * three:.1f} %", flush=True
            )
    for n, dim, images in ((50, 3, 1), (50, 3, 5), (50, 40, 1), (50, 40, 5)):
        ours, plain = two_sample(n, dim, images, rounds // 5)
        told = f"two-sample accuracy, {n} of each, {dim} features, {images} images a patient"
        print(f"{told}: held in {100 * ours:.1f} %, Wilson's own in {100 * plain:.1f} %", flush=True)


if __name__ == "__main__":
    main()
