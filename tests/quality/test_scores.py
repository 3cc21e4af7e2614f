"""Scores beside their floors: matched counts, patients in one half, classes in proportion, words that fit."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from engine.quality.diversity import diversity_ratio
from engine.quality.quality_scores import PoolScore
from engine.quality.real_baselines import MOST, distinct_groups, random_halves, spread
from engine.quality.scores import METRICS, Images, pool_scores
from engine.quality.sentences import in_words, is_worse, limits


def images(n: int, seed: int, shift: float = 0.0, scale: float = 1.0, classes: int = 1, each: int = 1) -> Images:
    """`each` images a patient; the classes lie apart."""
    labels = np.arange(n) // each % classes
    centre = np.random.default_rng(99).standard_normal((classes, 24))[labels] * 3 * (classes > 1)
    x = np.random.default_rng(seed).standard_normal((n, 24)) * scale + shift + centre
    groups = np.array([f"p{row // each}" if each > 1 else "" for row in range(n)])
    return Images(x.astype(np.float32), labels, groups)


def scores(real: Images, fake: Images, classes: int = 1) -> tuple[list[PoolScore], list[str]]:
    return pool_scores(real, fake, [f"c{i}" for i in range(classes)], 5, 0, lambda done, total: None)


def by_metric(rows: list[PoolScore], class_name: str = "") -> dict[str, PoolScore]:
    return {row.metric: row for row in rows if row.class_name == class_name}


def test_halves_share_neither_image_nor_patient_and_have_the_same_classes() -> None:
    real, fake = images(90, 1, classes=3, each=4), images(80, 2, classes=3)
    for half in random_halves(real.labels, real.groups, fake.labels, seed=0):
        assert len(half.first) == len(half.second) == len(half.synthetic) > 0
        assert not set(real.groups[half.first]) & set(real.groups[half.second])
        counts = [
            np.bincount(labels, minlength=3).tolist()
            for labels in (real.labels[half.first], real.labels[half.second], fake.labels[half.synthetic])
        ]
        assert counts[0] == counts[1] == counts[2]
        assert max(counts[2]) <= 27 // 2  # half of the pool stays out, so that its scatter shows too


def test_halves_use_all_that_there_is_and_no_more_than_is_cheap() -> None:
    real = images(100, 1)
    groups = distinct_groups(real.groups)
    halves = random_halves(real.labels, groups, np.zeros(300, int), seed=0)
    assert {half.n for half in halves} == {50}
    assert len({tuple(half.first) for half in halves}) == len(halves)
    assert (
        random_halves(np.zeros(5000, int), distinct_groups(np.full(5000, "")), np.zeros(9000, int), 0, 1)[0].n == MOST
    )
    assert random_halves(real.labels, np.full(100, "one patient"), np.zeros(300, int), 0)[0].n == 0


def test_spread_is_the_range_of_a_normal_sample() -> None:
    found = spread([1.0, 2.0, 3.0, 4.0, 5.0])
    reach = 2.776445 * np.std([1, 2, 3, 4, 5], ddof=1)
    assert (found.mean, found.low, found.high) == pytest.approx((3, 3 - reach, 3 + reach), rel=1e-5)


def test_the_interval_of_halves_covers() -> None:
    """Of the ratio of mean distances, which has no bias to speak of: the truth lies in most of 80 intervals of 95 %."""
    truth = diversity_ratio(images(4000, 1).features, images(4000, 2, scale=0.9).features)
    covered = 0
    for seed in range(80):
        real, fake = images(60, 10 + 2 * seed), images(60, 11 + 2 * seed, scale=0.9)
        halves = random_halves(real.labels, distinct_groups(real.groups), fake.labels, seed)
        found = spread([diversity_ratio(real.features[h.first], fake.features[h.synthetic]) for h in halves])
        covered += found.low <= truth <= found.high
    assert covered >= 70


def test_a_pool_like_the_reals_is_called_so() -> None:
    rows, missing = scores(images(200, 1), images(300, 2))
    assert missing == []
    assert [row.metric for row in rows] == list(METRICS)
    assert not [row.metric for row in rows if is_worse(row)]
    found = by_metric(rows)
    assert found["fid"].n_real == found["fid"].n_synthetic == 100
    assert "Below 2048 images it is too high" in found["fid"].note
    assert "all 200 real against all 300 synthetic" in found["fid"].note
    assert (found["kid"].n_real, found["kid"].n_synthetic) == (200, 300)
    for row in rows:
        assert row.low <= row.value <= row.high
        assert row.floor_low <= row.floor <= row.floor_high
    assert found["two_sample"].floor == pytest.approx(0.5, abs=0.1)
    assert found["density"].floor == pytest.approx(1, abs=0.15)
    assert "no better than chance" in " ".join(in_words(rows))
    assert "ignores that images of one patient belong together" in found["kid"].note


@pytest.mark.parametrize(
    ("low", "high", "floor_high", "words"),
    [
        (0.66, 0.82, 0.70, "tells synthetic from real images: it is right in 74 %.*20 % to 70 %, too few to settle it"),
        (0.66, 0.82, 0.60, "tells synthetic from real images: it is right in 74 %.* give 50 %[.]$"),
        (0.45, 0.60, 0.70, "no better than chance"),
        (0.30, 0.40, 0.70, "more often than chance would.*near-copies"),
    ],
)
def test_the_words_on_the_two_sample_test_follow_its_interval(
    low: float, high: float, floor_high: float, words: str
) -> None:
    row = PoolScore(
        metric="two_sample",
        value=(low + high) / 2,
        low=low,
        high=high,
        n_real=20,
        n_synthetic=20,
        floor=0.5,
        floor_low=0.2,
        floor_high=floor_high,
    )
    assert re.search(words, in_words([row])[0])


def test_what_few_images_leave_open_is_not_called_as_real_images_would() -> None:
    row = PoolScore(metric="precision", value=0.6, low=0.55, high=0.65, n_real=20, n_synthetic=20)
    far, near = (
        row.model_copy(update={"floor": floor, "floor_low": low, "floor_high": high})
        for floor, low, high in ((0.8, 0.6, 1.0), (0.64, 0.6, 0.7))
    )
    assert "too much to settle it" in in_words([far])[0]
    assert "as real images would" in in_words([near])[0]


def few_kinds(n: int) -> Images:
    """Six images of the right kind, again and again with a little noise: mode collapse."""
    kinds, noise = images(6, 5).features, images(n, 6, scale=0.05)
    return Images(kinds[np.arange(n) % 6] + noise.features, noise.labels, noise.groups)


@pytest.mark.parametrize(
    ("fake", "fine"),
    [(images(300, 2, shift=1.5), {"diversity"}), (few_kinds(300), {"precision", "density"})],
    ids=["unlike", "collapsed"],
)
def test_what_is_wrong_shows_and_is_said_first(fake: Images, fine: set[str]) -> None:
    rows, _ = scores(images(200, 1), fake)
    worse = {row.metric for row in rows if is_worse(row)}
    assert worse == set(METRICS) - fine
    sentences = in_words(rows)
    assert len(sentences) == len(METRICS)
    assert "some kinds of images are missing" in sentences[0]
    good = [at for at, text in enumerate(sentences) if re.search("as real images would|about as much|among", text)]
    assert good == list(range(len(worse), len(METRICS)))


@pytest.mark.parametrize(("scale", "told"), [(0.5, "less than"), (1.0, "about as much as"), (1.5, "more than")])
def test_the_words_on_diversity_fit_either_way(scale: float, told: str) -> None:
    rows, _ = scores(images(100, 1), images(120, 2, scale=scale))
    assert f": the pool varies {told} the real images." in " ".join(in_words(rows))


def test_classes_are_scored_alone_and_the_pool_in_their_proportion() -> None:
    """Three quarters of the reals are of one class, half of the pool: that alone must not look like a difference."""
    three, one = images(150, 1, classes=2), images(50, 3, classes=2)
    keep = one.labels == 0
    real = Images(
        np.concatenate((three.features, one.features[keep])),
        np.concatenate((three.labels, one.labels[keep])),
        np.full(150 + keep.sum(), ""),
    )
    rows, missing = scores(real, images(300, 2, classes=2), classes=2)
    assert missing == []
    assert [row.class_name for row in rows] == [name for name in ("", "c0", "c1") for _ in METRICS]
    assert not [row for row in rows if is_worse(row) and row.class_name == ""]
    whole = by_metric(rows)["kid"]
    assert (whole.n_real, whole.n_synthetic) == (175, 262)  # 150 and 112 of 150 each: as 100 is to 75


def test_a_class_that_the_pool_lacks_is_left_out() -> None:
    rows, missing = scores(images(120, 1, classes=2), images(100, 2, classes=2).of_class(1), classes=2)
    assert {row.class_name for row in rows} == {"c1"}
    assert missing == ["The pool has no image of class c0, and so no scores over all classes."]


def test_few_images_give_kid_alone_and_say_so() -> None:
    rows, missing = scores(images(14, 1), images(100, 2))
    assert [row.metric for row in rows] == ["kid"]
    assert math.isnan(rows[0].floor)
    assert "14 real and 100 synthetic images are too few to be halved" in missing[0]
    assert in_words(rows) == []
    said = limits("pixels", missing, 3)
    assert said[-1] == missing[0]
    assert any("3 real images that are exact copies" in sentence for sentence in said)
    assert "not privacy guarantees" in said[0]


def test_one_patient_cannot_be_halved() -> None:
    rows, missing = scores(images(60, 1, each=60), images(100, 2))
    assert [row.metric for row in rows] == ["kid"]
    assert "different patients" in missing[0]
