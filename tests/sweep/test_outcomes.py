"""Calibration, curves, decision curves, a threshold fixed before, and subgroup differences, against references."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from engine.sweep.arm_intervals import counted
from engine.sweep.calibration import calibration_table, recalibration
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.curves import PLACES, mean_curves, weighted_curves
from engine.sweep.decision_curves import decision_curves, net_benefit
from engine.sweep.metric_table import metric_table, patient_parts
from engine.sweep.metrics import LOG_CLIP, metrics
from engine.sweep.operating_point import has_validation_scores, operating_points, threshold_for
from engine.sweep.subgroup_differences import subgroup_differences
from engine.sweep.verdict import judge
from engine.sweep.verdict_words import Question
from tests.sweep.simulated_scores import CLASSES, POSITIVE, World, sweep_of


def drawn(n: int = 400, sharpness: float = 2.0, offset: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes, and scores that are too extreme and too high."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=n)
    return (rng.random(n) < expit(truth)).astype(float), expit(sharpness * truth + offset)


def test_recalibration_is_a_logistic_regression_on_the_logit() -> None:
    outcome, score = drawn()
    found = recalibration(outcome, score)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(score)[:, None], outcome)
    assert found["slope"][0] == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert found["slope"][0] < 0.7  # twice as extreme as they may be
    shift = found["intercept"][0]
    assert expit(logit(score) + shift).mean() == pytest.approx(outcome.mean(), abs=1e-6)
    assert shift < 0


@pytest.mark.parametrize("measure", ["intercept", "slope"])
def test_influences_on_the_calibration_are_derivatives(measure: str) -> None:
    """Leaving one image out moves the estimate by its influence, to first order."""
    outcome, score = drawn()
    whole, influences = recalibration(outcome, score)[measure]
    assert influences.sum() == pytest.approx(0, abs=1e-9)
    for image in (0, 17, 200):
        kept = np.arange(len(outcome)) != image
        left, _ = recalibration(outcome[kept], score[kept])[measure]
        assert whole - left == pytest.approx(influences[image], rel=0.1, abs=1e-4)


def test_classes_that_lie_apart_have_no_slope() -> None:
    found = recalibration(np.repeat([0.0, 1.0], 20), np.repeat([0.1, 0.9], 20) + np.linspace(0, 0.05, 40))
    assert np.isnan(found["slope"][0])
    assert np.isfinite(found["intercept"][0])


def test_calibration_of_an_arm_has_intervals_around_the_truth() -> None:
    trials, images = sweep_of(World(patients=200, seeds=4), 2)
    table = calibration_table(counted(trials, images, CLASSES, POSITIVE, "image"), CLASSES).set_index("measure")
    assert list(table["class"]) == ["ill", "ill"]
    assert (table["low"] < table["mean"]).all()
    assert (table["mean"] < table["high"]).all()


def test_the_roc_curve_is_that_of_scikit_learn() -> None:
    outcome, score = drawn(150)
    roc, pr = weighted_curves(outcome.astype(bool), np.round(score, 2), np.ones((1, 150)))[:, 0]
    rate, sensitivity, _ = sk.roc_curve(outcome, np.round(score, 2), drop_intermediate=False)
    for place, found in zip(PLACES, roc, strict=True):
        at = np.flatnonzero(np.isclose(rate, place))
        expected = sensitivity[at].max() if len(at) else np.interp(place, rate, sensitivity)
        assert found == pytest.approx(expected, abs=1e-6)
    precision, recall, _ = sk.precision_recall_curve(outcome, np.round(score, 2))
    for place, found in zip(PLACES[1:], pr[1:], strict=True):
        reached = recall >= place - 1e-12
        first = np.flatnonzero(reached)[-1]  # its thresholds rise, and the recall falls
        assert found == pytest.approx(precision[first], abs=1e-6)


def test_weights_are_repeated_images() -> None:
    outcome, score = drawn(60)
    weights = np.random.default_rng(1).integers(0, 3, 60)
    again = np.repeat(np.arange(60), weights)
    found = weighted_curves(outcome.astype(bool), score, weights[None].astype(float))[:, 0]
    repeated = weighted_curves(outcome[again].astype(bool), score[again], np.ones((1, len(again))))[:, 0]
    assert np.allclose(found, repeated)


def test_mean_curves_have_bands_around_them() -> None:
    trials, images = sweep_of(World(patients=60, seeds=4), 1)
    table = mean_curves(counted(trials, images, CLASSES, POSITIVE, "image"), CLASSES, [("real", 0.0)])
    assert set(table["curve"]) == {"roc", "pr"}
    assert (table["low"] <= table["mean"]).all()
    assert (table["mean"] <= table["high"]).all()
    assert (table["high"] - table["low"]).max() > 0.1


def test_net_benefit_is_as_it_is_defined() -> None:
    ill, score = np.array([1, 1, 0, 0, 0], bool), np.array([0.9, 0.1, 0.3, 0.25, 0.1])
    assert net_benefit(ill, score, 0.2) == pytest.approx(1 / 5 - 2 / 5 * 0.25)
    trials, images = sweep_of(World(patients=50, seeds=3), 4)
    table = decision_curves(counted(trials, images, CLASSES, POSITIVE, "image"), CLASSES)
    at = table[table["threshold"] == 0.2].iloc[0]
    labels = (images["class"] == "ill").to_numpy()
    each = [net_benefit(labels, flat.reshape(-1, 2)[:, 1], 0.2) for flat in trials["scores"]]
    assert at["mean"] == pytest.approx(np.mean(each))
    assert at["low"] < at["mean"] < at["high"]
    assert at["treat_all"] == pytest.approx(labels.mean() - (1 - labels.mean()) * 0.25)


@pytest.mark.parametrize(("aim", "target"), [("sensitivity", 0.9), ("specificity", 0.8), ("sensitivity", 0.5)])
def test_the_threshold_just_reaches_its_target(aim: str, target: float) -> None:
    outcome, score = drawn(130)
    ill = outcome == 1
    threshold = threshold_for(ill, score, aim, target)  # type: ignore[arg-type]
    among = ill if aim == "sensitivity" else ~ill
    named = score >= threshold
    assert (named == ill)[among].mean() >= target
    stricter = score > threshold if aim == "sensitivity" else score >= np.sort(score[score < threshold])[-1]
    assert (stricter == ill)[among].mean() < target  # the next threshold no longer does


def test_sensitivity_at_a_threshold_of_the_validation_images() -> None:
    trials, images = sweep_of(World(patients=80, seeds=4), 6)
    valid_trials, valid_images = sweep_of(World(patients=60, seeds=4), 7)
    assert not has_validation_scores(trials, valid_images)
    trials = trials.assign(valid_scores=valid_trials["scores"])
    assert has_validation_scores(trials, valid_images)
    assert not has_validation_scores(trials.assign(valid_scores=[None, *trials["valid_scores"][1:]]), valid_images)
    what = counted(trials, images, CLASSES, POSITIVE, "image")
    table = operating_points(what, valid_images, CLASSES, "image", "sensitivity", 0.9).set_index("measure")
    ill, ill_there = ((each["class"] == "ill").to_numpy() for each in (images, valid_images))
    found = []
    for flat, valid in zip(trials["scores"], trials["valid_scores"], strict=True):
        threshold = threshold_for(ill_there, valid.reshape(-1, 2)[:, 1], "sensitivity", 0.9)
        found.append((flat.reshape(-1, 2)[ill, 1] >= threshold).mean())
    assert table.loc["sensitivity", "mean"] == pytest.approx(np.mean(found))
    assert table.loc["sensitivity", "reached"] >= 0.9
    assert (table["low"] < table["mean"]).all()


def two_arms(gain: dict[str, float], seed: int, patients: int = 120) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A sweep of two arms, of which the second's logits are moved rightwards by so much at each site."""
    trials, images = sweep_of(World(patients=patients, seeds=6), seed)
    images = images.assign(site=[list(gain)[place % len(gain)] for place in range(len(images))])
    labels = np.where(images["class"] == "ill", 1, -1)
    moved = images["site"].map(gain).to_numpy() * labels
    rng = np.random.default_rng(seed)
    better = []
    for flat in trials["scores"]:
        score = expit(
            logit(np.clip(flat.reshape(-1, 2)[:, 1], 1e-6, 1 - 1e-6)) + moved + rng.normal(0, 0.7, len(labels))
        )
        better.append(np.column_stack((1 - score, score)).ravel())
    return pd.concat([trials, trials.assign(arm="real+synthetic", ratio=1.0, scores=better)], ignore_index=True), images


def comparison(metric: str) -> Comparison:
    nan = float("nan")
    return Comparison("real+synthetic", 1.0, "real", metric, 0.0, nan, nan, nan, nan, 6, 0.0)


def test_a_gain_at_one_site_alone_is_an_interaction() -> None:
    trials, images = two_arms({"north": 2.5, "south": 0.0}, 1)
    rows, (test,) = subgroup_differences(
        trials, images, CLASSES, POSITIVE, "image", "brier", ["site"], [comparison("brier")]
    )
    north, south = rows
    assert (north.value, south.value) == ("north", "south")
    assert north.low > 0  # an improvement, though the Brier score falls
    assert test.p < 0.05
    assert north.apart == pytest.approx(north.mean_difference - south.mean_difference)
    assert south.apart == -north.apart


@pytest.mark.parametrize("sites", [2, 3])
def test_without_one_the_test_of_interaction_errs_rarely(sites: int) -> None:
    names = ["north", "south", "west"][:sites]
    found = 0
    for seed in range(20):
        trials, images = two_arms(dict.fromkeys(names, 0.5), 100 + seed, patients=60)
        _, (test,) = subgroup_differences(
            trials, images, CLASSES, POSITIVE, "image", "brier", ["site"], [comparison("brier")]
        )
        found += test.p < 0.05
    assert found <= 4  # of 20; with errors of 5 % it is more in 3 of 1,000


def test_repeating_a_seed_with_its_generator_tells_nothing_new() -> None:
    trials, images = two_arms({"north": 2.5, "south": 0.0}, 1)
    twice = pd.concat([trials, trials.assign(seed=trials["seed"] + 100)], ignore_index=True)

    def found(trials: pd.DataFrame, turns: dict[int, int]) -> list[float]:
        rows, (test,) = subgroup_differences(
            trials, images, CLASSES, POSITIVE, "image", "brier", ["site"], [comparison("brier")], turns
        )
        return [*(end for row in rows for end in (row.mean_difference, row.low, row.high)), test.p]

    once = found(trials, {seed: seed for seed in trials["seed"]})
    assert found(twice, {seed: seed % 100 for seed in twice["seed"]}) == pytest.approx(once, rel=1e-4)
    mean, low, high = found(trials, {})[:3]
    assert once[0] == pytest.approx(mean)
    assert once[1] < low < high < once[2]  # generators are counted with fewer degrees of freedom than seeds
    assert found(twice, {}) != pytest.approx(once, rel=1e-4)  # as if there were twice as many generators


def test_the_log_score_is_scikit_learns_and_clipped() -> None:
    trials, _ = sweep_of(World(patients=50), 3)
    scores, labels = trials["scores"][0].reshape(-1, 2), np.repeat([1, 0], 25)
    assert metrics(labels, scores, 1)["log_score"] == pytest.approx(sk.log_loss(labels, scores), rel=1e-5)
    scores[0] = [1.0, 0.0]  # called impossible
    assert metrics(labels, scores, 1)["log_score"] < sk.log_loss(labels[1:], scores[1:]) + -np.log(LOG_CLIP) / 49


def test_a_lower_score_is_an_improvement_in_numbers_and_in_words() -> None:
    trials, images = two_arms({"north": 2.5}, 3, patients=150)
    wide = metric_table(trials, images, CLASSES, POSITIVE).query("level == 'image'")
    wide = wide.pivot(index=["arm", "ratio", "seed"], columns="metric", values="score").reset_index()
    parts = patient_parts("brier", trials, images, CLASSES, POSITIVE, "image")
    (found,) = compare(wide, "real+synthetic", "real", "brier", parts)
    means = wide.groupby("arm")["brier"].mean()
    assert found.mean_difference == pytest.approx(means["real"] - means["real+synthetic"])
    assert found.mean_difference > 0
    assert 0 < found.low_total < found.mean_difference < found.high_total
    verdict = judge(Question(metric="brier"), [found], [found])
    assert verdict.verdict == "helps"
    assert "the Brier score was" in verdict.sentence
    assert "lower (better) than with the real images alone" in verdict.sentence
    assert "95 % interval of the improvement +" in verdict.sentence
    worse = compare(wide.assign(brier=1 - wide["brier"]), "real+synthetic", "real", "brier")
    assert "higher (worse)" in judge(Question(metric="brier"), worse, []).sentence
