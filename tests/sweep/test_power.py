"""How often the verdict is wrong, and how often it finds what is there: simulated sweeps, judged as real ones are.

The rule is never tuned by a data set's verdict; it is tuned here, where the truth is known. Rates of many worlds from
thousands of sweeps are printed by benchmarks/error_rates.py and stand in docs/protocol.md; what runs here is small, so
that a fault is noticed at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from scipy import stats

from engine.sweep.metric_table import patient_parts
from engine.sweep.statistics import QUICK_LOOK_BELOW
from tests.sweep.promised import PROMISED, as_assumed, detectable_in, found_in
from tests.sweep.simulated_worlds import CELLS, World, compared, simulate, verdict_of
from tests.sweep.worlds import NULL, everywhere

FIRST = 1000
SWEEPS = 60


def tolerated(sweeps: int) -> float:
    """What a rule that errs in 5 % of all sweeps does not exceed in 99 of 100 such simulations."""
    return float(stats.binom.ppf(0.99, sweeps, 0.05))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["all noises", "luck of the test set", "22 images", "20 patients of 11 images"])
def test_on_null_data_the_verdict_claims_in_at_most_five_percent(name: str) -> None:
    found = Counter(verdict_of(simulate(FIRST + sweep, NULL[name])).verdict for sweep in range(SWEEPS))
    assert max(found["helps"], found["harms"]) <= tolerated(SWEEPS)


@pytest.mark.slow
def test_harmful_duplicates_make_no_synthetic_image_helpful() -> None:
    """Synthetic images as good as nothing, duplicates three points worse: better than the control alone is no help."""
    world = World(patients=300, duplicates=-0.03)
    found = [verdict_of(simulate(9000 + sweep, world)) for sweep in range(SWEEPS)]
    assert sum(each.verdict == "helps" for each in found) <= tolerated(SWEEPS)
    assert any(each.sentence.startswith("Better than duplicates; not shown better") for each in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["accuracy, 100 images", "sensitivity, 4:1, 400 images"])
def test_the_smallest_difference_that_was_promised_is_found(name: str) -> None:
    """At one share of four; all worlds: benchmarks/smallest_difference.py."""
    world, accuracy = PROMISED[name]
    promise = detectable_in(world, accuracy)
    assert promise.difference is not None
    found = sum(found_in(world, accuracy, promise.difference, FIRST + sweep) for sweep in range(SWEEPS))
    assert stats.binom.ppf(0.005, SWEEPS, promise.power) <= found <= stats.binom.ppf(0.995, SWEEPS, promise.power)


def test_the_worlds_of_the_promise_disagree_as_it_says() -> None:
    """Share of images on which two arms of a seed are not both right or both wrong."""
    for name in ("accuracy, 600 images", "accuracy of 94 %, 200 images", "accuracy, 3 classes, 150 images"):
        world, accuracy = PROMISED[name]
        sweep = simulate(0, replace(as_assumed(world, accuracy), patients=1200))
        right = sweep.scores.argmax(3) == sweep.labels
        one, other = CELLS.index(("real", 0.0)), CELLS.index(("real+synthetic", 0.5))
        assert right.mean() == pytest.approx(accuracy, abs=0.02)
        assert (right[one] != right[other]).mean() == pytest.approx(
            detectable_in(world, accuracy).disagreement, rel=0.2
        )


@pytest.mark.slow
def test_a_planted_effect_is_found_and_a_planted_harm_too() -> None:
    """Ten points at all shares, on 100 test images and 8 seeds."""
    for gain, verdict in ((0.1, "helps"), (-0.1, "harms")):
        world, sweeps = World(effect=everywhere(gain)), 40
        assert sum(verdict_of(simulate(seed, world)).verdict == verdict for seed in range(sweeps)) >= 0.8 * sweeps


def test_too_few_seeds_never_claim() -> None:
    world = World(effect=everywhere(0.14), seeds=QUICK_LOOK_BELOW - 1, patients=400)
    assert all(verdict_of(simulate(seed, world)).verdict == "no evidence" for seed in range(10))


@pytest.mark.slow
def test_seeds_alone_would_claim_the_luck_of_the_test_set() -> None:
    """Why the interval has both noises: by seeds, most sweeps of equal arms would be called a finding."""
    claims = 0
    for number in range(30):
        _, to_duplicates = compared(simulate(number, NULL["seeds agree"]))
        claims += any(each.low > 0 or each.high < 0 for each in to_duplicates)
    assert claims > 15


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "sensitivity", "auroc", "average_precision"])
def test_simulated_sweeps_take_the_way_of_real_ones(metric: str) -> None:
    """From the tables that a real sweep leaves, the same metric and the same influences, patient by patient."""
    sweep = simulate(3, World(metric=metric, patients=30, images=2, seeds=2, shares=(2, 1), alike=0.5))
    parts = patient_parts(metric, sweep.trials, sweep.test_images, sweep.classes, 1, "image")
    assert parts.keys() == sweep.parts.keys()
    for cell, of_seeds in parts.items():
        for seed, of_patients in of_seeds.items():
            assert of_patients == pytest.approx(sweep.parts[cell][seed], abs=1e-9)
    assert sweep.trials[metric].to_numpy() == pytest.approx(sweep.values.ravel())


def test_a_world_has_the_effect_that_it_says() -> None:
    """On so many images and seeds that no luck is left; in metrics that are no simple shares, too."""
    for metric, gain in (("accuracy", 0.05), ("auroc", 0.03), ("balanced_accuracy", 0.1)):
        world = World(metric=metric, patients=4000, seeds=6, shares=(3, 1), lasting=0.0, effect=everywhere(gain))
        values = simulate(1, world).values.mean(1)
        assert values[5:].mean() - values[1:5].mean() == pytest.approx(gain, abs=0.015), metric
