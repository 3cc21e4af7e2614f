"""How often the verdict is wrong, and how often it finds what is there: simulated sweeps, judged as real ones are.

The rule is never tuned by a data set's verdict; it is tuned here, where the truth is known. Where the luck of the test
images lasts over the seeds, the seeds' intervals alone claim in most null sweeps (the last test here). Rates of the
same worlds from more sweeps are printed by benchmarks/error_rates.py and stand in docs/protocol.md.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.sweep.comparisons import compare
from engine.sweep.power import detectable
from engine.sweep.statistics import QUICK_LOOK_BELOW
from tests.sweep.simulated import RATIOS, simulate, verdict_of

SWEEPS = 400
TOLERATED = stats.binom.ppf(0.975, SWEEPS, 0.05)
"""29 of 400: a rule that errs in 5 % of all sweeps stays below it in 39 of 40 such simulations."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        {},
        {"lasting": 1.5},
        {"patients": 25, "lasting": 1.5},
        {"patients": 60, "images": 4, "lasting": 1.0},
        {"patients": 300, "lasting": 0.05, "of_seed": 0.3},
        {"patients": 300, "lasting": 1.0, "of_seed": 0.02, "fleeting": 0.2},
    ],
    ids=["all noises", "luck of the test set", "tiny test set", "patients", "luck of the seeds", "seeds agree"],
)
def test_on_null_data_the_verdict_claims_in_at_most_five_percent(world: dict[str, Any]) -> None:
    found = Counter(verdict_of(simulate(1000 + sweep, **world)).verdict for sweep in range(SWEEPS))
    assert max(found["helps"], found["harms"]) <= TOLERATED


@pytest.mark.slow
@pytest.mark.parametrize("patients", [100, 300])
def test_harmful_duplicates_make_no_synthetic_image_helpful(patients: int) -> None:
    """Synthetic images as good as nothing, duplicates three points worse: better than the control alone is no help."""
    sweeps = 200
    found = [verdict_of(simulate(9000 + sweep, patients=patients, duplicates=-0.03)) for sweep in range(sweeps)]
    assert sum(each.verdict == "helps" for each in found) <= 0.05 * sweeps
    assert any(each.sentence.startswith("Better than duplicates; not shown better") for each in found)


@pytest.mark.slow
@pytest.mark.parametrize("patients", [100, 400])
def test_the_smallest_difference_that_was_promised_is_found(patients: int) -> None:
    """At one ratio of four, in a world as noisy as the promise assumes."""
    promise = detectable(patients, 8, len(RATIOS))
    world = {"patients": patients, "lasting": 0.6, "of_seed": 0.06, "fleeting": 0.35}
    assert promise.disagreement == pytest.approx(disagreement(world), rel=0.2)
    sweeps = 150
    found = Counter(
        verdict_of(simulate(2000 + sweep, {0.5: promise.difference}, **world)).verdict for sweep in range(sweeps)
    )
    assert found["helps"] >= stats.binom.ppf(0.025, sweeps, promise.power)


def disagreement(world: dict[str, Any]) -> float:
    """Share of test images on which two arms of a seed are not both right or both wrong; one image a patient."""
    shares = []
    for sweep in range(20):
        _, parts = simulate(sweep, **world)
        pairs = zip(parts["real+synthetic", 0.5].values(), parts["real+duplicates", 0.5].values(), strict=True)
        shares += [np.mean(np.abs(ours - theirs) > 0.5 / world["patients"]) for ours, theirs in pairs]
    return float(np.mean(shares))


@pytest.mark.slow
def test_a_planted_effect_is_found_and_a_planted_harm_too() -> None:
    """Ten points at all ratios, on 100 test images and 8 seeds."""
    sweeps = 100
    helps = sum(verdict_of(simulate(seed, dict.fromkeys(RATIOS, 0.1))).verdict == "helps" for seed in range(sweeps))
    harms = sum(verdict_of(simulate(seed, dict.fromkeys(RATIOS, -0.1))).verdict == "harms" for seed in range(sweeps))
    assert helps >= 0.8 * sweeps
    assert harms >= 0.8 * sweeps


def test_too_few_seeds_never_claim() -> None:
    for seed in range(20):
        sweep = simulate(seed, dict.fromkeys(RATIOS, 0.14), seeds=QUICK_LOOK_BELOW - 1, patients=400)
        assert verdict_of(sweep).verdict == "no evidence"


@pytest.mark.slow
def test_seeds_alone_would_claim_the_luck_of_the_test_set() -> None:
    """Why the interval has both noises: by seeds, most sweeps of equal arms would be called a finding."""
    claims = 0
    for sweep in range(100):
        trials, parts = simulate(sweep, patients=300, lasting=1.0, of_seed=0.02, fleeting=0.2)
        found = compare(trials, "real+synthetic", "real+duplicates", "accuracy", parts)
        claims += any(c.low > 0 or c.high < 0 for c in found)
    assert claims > 50
