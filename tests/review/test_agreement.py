"""How well reviewers do and how far they agree, against published numbers and independent implementations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from engine.review.agreement import by_reviewer, cohen, fleiss, judged, mistaken, pooled
from engine.review.kappa import fleiss_kappa
from engine.review.quiz import Item, Quiz
from engine.review.study import studied


def quiz(pairs: int = 10) -> Quiz:
    items = tuple(
        Item(source, f"images/{name}/{source}-{n}.png", name)
        for n in range(pairs)
        for name in ("bleed", "normal")
        for source in ("real", "synthetic")
    )
    return Quiz("q", "Ada", 0.0, "pool", "data", "f" * 64, 0, 0, items)


def answers(of: Quiz, **given: list[bool | None]) -> pd.DataFrame:
    """Each reviewer's answers to the first items: right, wrong, or none."""
    rows = []
    for reviewer, marks in given.items():
        for item, (mark, shown) in enumerate(zip(marks, of.items, strict=False)):
            other = "real" if shown.source == "synthetic" else "synthetic"
            said = "" if mark is None else shown.source if mark else other
            rows.append({"reviewer": reviewer, "item": item, "answer": said, "seconds": 2.0 + item, "time": 0.0})
    return judged(of, pd.DataFrame(rows))


def test_shares_of_one_reviewer_have_wilson_intervals() -> None:
    of = quiz()
    table = by_reviewer(answers(of, ada=[True] * 26 + [False] * 10 + [None] * 4))
    whole = table[table["class"] == ""].iloc[0]
    assert (whole["answered"], whole["no_answer"]) == (36, 4)
    expected = binomtest(26, 36).proportion_ci(method="wilson")
    assert (whole["accuracy"], whole["accuracy_low"], whole["accuracy_high"]) == pytest.approx(
        (26 / 36, expected.low, expected.high)
    )
    # items alternate real, synthetic: of the first 26 right ones 13 are each, of 36 answered 18
    assert (whole["sensitivity"], whole["specificity"]) == pytest.approx((13 / 18, 13 / 18))
    assert list(table["class"]) == ["", "bleed", "normal"]
    assert table["answered"].tolist() == [36, 18, 18]


def test_pooling_respects_that_reviewers_saw_the_same_images() -> None:
    """Ten reviewers who all give the same answers know no more than one of them."""
    of = quiz()
    marks: list[bool | None] = [n % 4 != 0 for n in range(40)]
    alike = pooled(answers(of, **{f"r{n}": marks for n in range(10)}))
    one = pooled(answers(of, ada=marks))
    assert alike is not None and one is not None
    assert (alike.interval.mean, alike.reviewers, alike.images) == (0.75, 10, 40)
    width = alike.interval.high - alike.interval.low
    assert width == pytest.approx(one.interval.high - one.interval.low, rel=0.15)
    assert width > 2 * 1.96 * np.sqrt(0.75 * 0.25 / 400), "as if 400 answers were independent"


def test_pooling_uses_what_everybody_answered_and_stays_within_0_and_1() -> None:
    of = quiz()
    found = pooled(answers(of, ada=[True] * 40, grace=[None] * 10 + [True] * 20))
    assert found is not None
    assert (found.reviewers, found.images, found.interval.mean, found.interval.high) == (2, 20, 1.0, 1.0)
    assert found.interval.low == pytest.approx(binomtest(20, 20).proportion_ci(method="wilson").low)
    assert pooled(answers(of, ada=[True] * 5, grace=[None] * 5 + [True] * 5)) is None, "no image has both answers"


def test_the_interval_of_pooled_answers_covers_the_truth() -> None:
    """Readers and images with luck of their own: intervals must hold for other readers and other images."""
    rng, of, hits, rounds = np.random.default_rng(0), quiz(), 0, 150
    for _ in range(rounds):
        skill, ease = rng.normal(0.5, 0.3, (5, 1)), rng.normal(0, 0.8, (1, 40))
        marks = rng.random((5, 40)) < 1 / (1 + np.exp(-skill - ease))
        found = pooled(answers(of, **{f"r{n}": list(map(bool, row)) for n, row in enumerate(marks)}))
        assert found is not None
        hits += found.interval.low <= TRUTH <= found.interval.high
    assert hits / rounds > 0.9


TRUTH = float(
    (1 / (1 + np.exp(-np.add.outer(*np.random.default_rng(1).normal([[0.5], [0]], [[0.3], [0.8]], (2, 2000)))))).mean()
)
"""The mean chance of a right answer over readers and images of the simulation above."""


def test_fleiss_kappa_is_the_published_one() -> None:
    """Ten subjects rated by fourteen raters into five categories, kappa 0.210 (the worked example of Wikipedia)."""
    counts = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    assert fleiss_kappa(np.array(counts)).mean == pytest.approx(0.210, abs=5e-4)
    assert np.isnan(fleiss_kappa(np.array([[3, 0], [3, 0]])).mean), "one category for all says nothing"


def test_kappa_of_pairs_and_of_all() -> None:
    of = quiz(5)
    right: list[bool | None] = [True] * 20
    other: list[bool | None] = [True] * 12 + [False] * 4 + [None, True, True, False]
    table = answers(of, ada=right, grace=other, emmy=[True] * 3)
    pairs = cohen(table).set_index(["one", "other"])
    said = table.pivot(index="item", columns="reviewer", values="answer")
    both = said[said["grace"] != ""]
    assert pairs.loc[("ada", "grace"), "kappa"] == pytest.approx(cohen_kappa_score(both["ada"], both["grace"]))
    assert pairs["images"].tolist() == [3, 19, 3]
    one_answer = answers(of, ada=[True, None, True], grace=[True, None, True])
    assert np.isnan(cohen(one_answer)["kappa"].iloc[0]), "real for everything agrees by chance alone"
    kappa, images = fleiss(answers(of, ada=right, grace=right))
    assert (kappa.mean, kappa.high, images) == (1.0, 1.0, 20)
    assert 0.5 < kappa.low < 0.9, "20 images on which all agree do not show that they always would"
    lowest, highest = pairs["kappa_low"], pairs["kappa_high"]
    defined = pairs["kappa"].notna()
    assert ((lowest < pairs["kappa"]) & (pairs["kappa"] <= highest))[defined].all()


def test_the_most_fooling_images_come_first() -> None:
    of = quiz(2)
    wrong_on = {"ada": {1, 3, 0}, "grace": {1}, "emmy": {1, 3}}
    given: dict[str, list[bool | None]] = {name: [n not in wrong for n in range(8)] for name, wrong in wrong_on.items()}
    table = answers(of, **given)
    fooling = mistaken(table, "synthetic")
    assert list(fooling["path"]) == [of.items[1].path, of.items[3].path]
    assert list(fooling["mistaken"]) == [3, 2]
    assert list(mistaken(table, "real")["path"]) == [of.items[0].path]


def test_the_agreement_of_two_is_cohens_and_of_more_fleiss() -> None:
    of = quiz(2)
    right: list[bool | None] = [True] * len(of.items)
    mixed: list[bool | None] = [True, False] * (len(of.items) // 2)
    raw = ["reviewer", "item", "answer", "seconds", "time"]
    two = studied(of, answers(of, ada=right, grace=mixed)[raw])
    assert two.agreement.mean == two.pairs["kappa"].iloc[0] != two.kappa
    three = studied(of, answers(of, ada=right, grace=mixed, emmy=right)[raw])
    assert three.agreement == three.fleiss


def test_images_of_one_patient_are_no_independent_draws() -> None:
    of = quiz()
    marks: list[bool | None] = [n % 4 != 0 for n in range(40)]
    other: list[bool | None] = [n % 4 != 1 for n in range(40)]
    table = answers(of, ada=marks, grace=other)
    # Each patient's images are all judged alike, as if there were 10 of them.
    alike = {item: f"p{item % 4}{item // 20}" for item in range(40)}
    for found, narrow in (
        (pooled(table, patients=alike), pooled(table)),
        (by_reviewer(table, alike).iloc[0], by_reviewer(table).iloc[0]),
    ):
        wide, thin = (
            each["accuracy_high"] - each["accuracy_low"]
            if isinstance(each, pd.Series)
            else each.interval.high - each.interval.low  # type: ignore[union-attr]
            for each in (found, narrow)
        )
        assert wide > 1.5 * thin
    kappas = [cohen(table, of_whom).iloc[0] for of_whom in (alike, {})]
    assert kappas[0]["kappa"] == kappas[1]["kappa"]
    assert kappas[0]["kappa_high"] - kappas[0]["kappa_low"] > 1.5 * (kappas[1]["kappa_high"] - kappas[1]["kappa_low"])
