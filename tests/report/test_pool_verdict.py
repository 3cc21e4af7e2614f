"""The colours of a pool: what is red, for which reason, and what only looks bad."""

from __future__ import annotations

import pytest

from engine.quality.quality_scores import Counts, Extractor, MemorisationMeasure, PoolScore, QualityScores
from engine.report.pool_verdict import FAR, GOOD, WORSE, lines, pool_verdict

REALS = {"precision": 0.79, "recall": 0.72, "density": 0.83, "coverage": 0.8, "two_sample": 0.5, "diversity": 0.98}
"""What halves of real images score against each other."""


def row(metric: str, value: float, class_name: str = "") -> PoolScore:
    floor = REALS[metric]
    ends = {"low": value - 0.03, "high": value + 0.03, "floor_low": floor - 0.1, "floor_high": floor + 0.1}
    return PoolScore(class_name=class_name, metric=metric, value=value, floor=floor, n_real=60, n_synthetic=60, **ends)


def check(
    flags: dict[str, int] | None = None, copies: float = 0.0, **values: float | dict[str, float]
) -> QualityScores:
    """A pool like real images but for `values`; those of a dictionary are by class."""
    scores = []
    for metric, floor in REALS.items():
        given = values.get(metric, floor)
        by_class = given if isinstance(given, dict) else dict.fromkeys(("", "bleed", "normal"), given)
        scores += [row(metric, by_class.get(name, floor), name) for name in ("", "bleed", "normal")]
    copied = MemorisationMeasure(
        measure="copy_share", value=copies, low=max(0.0, copies - 0.02), high=copies + 0.02, expected=0.0, n=200
    )
    return QualityScores(
        pool="p", dataset="d", dataset_fingerprint="f", pool_sha256="s", extractor=Extractor(name="pixels"),
        counts=Counts(train=100, valid=50, pool=200), scores=tuple(scores), memorisation=(copied,),
        flags=flags or {}, sentences=(), limits=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found", "reason"),
    [
        ("colour noise", check(precision=0.0, density=0.0, two_sample=0.99), "0 % of the synthetic images lie among"),
        ("blank grey", check(recall=0.0, diversity=0.01, two_sample=1.0), "0 % of the real images lie among"),
        ("little diversity alone", check(diversity=0.01), "differ 0.01 times as much"),
        ("one class that collapsed", check(recall={"bleed": 0.0}), "in the class bleed"),
        ("nearly all repeat others", check({"repeat": 150}), "75 % of the images repeat another one"),
        ("copies", check(copies=0.8), "80 % of the images look like copies"),
        ("told apart, and farther out", check(two_sample=0.99, precision=0.6), "99 % of cases"),
    ],
)
def test_bad_pools_are_red_with_the_reason_in_words(name: str, found: QualityScores, reason: str) -> None:
    verdict = pool_verdict(found)
    assert verdict.level == FAR, name
    assert reason in verdict.sentence
    assert any(line.startswith("RED: ") and reason in line for line in lines(verdict))


def test_what_is_worse_is_orange_and_what_is_like_real_images_green() -> None:
    assert pool_verdict(check()).level == GOOD
    assert pool_verdict(check()).sentence == "This check found nothing against the pool."
    assert pool_verdict(check(recall=0.5)).level == WORSE
    assert pool_verdict(check(copies=0.05)).level == WORSE
    assert pool_verdict(check({"repeat": 30})).level == WORSE
    traces = pool_verdict(check(two_sample=1.0))
    assert traces.level == WORSE, "images among the real ones, in which a classifier finds a trace"
    assert "100 % of cases" in traces.sentence


def test_a_control_says_that_it_is_one() -> None:
    verdict = pool_verdict(check(precision=0.0), "noise images")
    assert verdict.sentence.startswith("This pool is a control: noise images, no synthetic images.")
    assert verdict.level == FAR
