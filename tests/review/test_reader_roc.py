"""Curves and areas of readers' ratings, against independent implementations and published behaviour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score, roc_curve

from engine.review.agreement import judged
from engine.review.quiz import Item, Quiz, answer
from engine.review.quiz import answers as kept
from engine.review.reader_roc import area, curve, newcombe, ratings, reader_roc
from engine.review.study import studied
from engine.store.errors import ErsatzError
from engine.store.home import Home


def quiz(images: int = 40, rated: bool = True) -> Quiz:
    items = tuple(
        Item(source, f"images/{source}-{n}.png", "bleed")
        for n in range(images // 2)
        for source in ("real", "synthetic")
    )
    return Quiz("q", "Ada", 0.0, "pool", "data", "f" * 64, 0, 0, items, rated)


def given(of: Quiz, seeds: dict[str, int], skill: float = 1.5) -> pd.DataFrame:
    """Answers of readers who see a synthetic image `skill` higher on a scale whose noise is 2 wide."""
    rows = []
    for reviewer, seed in seeds.items():
        rng = np.random.default_rng(seed)
        for item, shown in enumerate(of.items):
            seen = rng.normal(skill if shown.source == "synthetic" else -skill, 2.0)
            said = "synthetic" if seen > 0 else "real"
            row = {"reviewer": reviewer, "item": item, "answer": said, "seconds": 2.0, "time": 0.0}
            rows.append(row | {"sure": int(np.clip(np.ceil(abs(seen)), 1, 5))})
    return pd.DataFrame(rows)


def test_area_and_curve_are_those_of_another_implementation() -> None:
    table = judged(quiz(), given(quiz(), {"ada": 1}))
    actual, rating = (table["source"] == "synthetic").to_numpy(), ratings(table).to_numpy(float)
    found = area(actual, rating, table["item"].astype(str).to_numpy())
    assert found.mean == pytest.approx(roc_auc_score(actual, rating))
    points = curve(actual, rating)
    wrong, hits, _ = roc_curve(actual, rating, drop_intermediate=False)
    assert points["wrong"].to_numpy() == pytest.approx(wrong)
    assert points["found"].to_numpy() == pytest.approx(hits)


def test_the_interval_is_delongs_of_separate_images() -> None:
    """The placements of each source, their variances over its images (DeLong et al. 1988), t as Satterthwaite's."""
    rng = np.random.default_rng(3)
    actual = np.repeat([True, False], [30, 50])
    rating = np.round(rng.normal(actual * 1.0, 2.0))
    above = (rating[actual][:, None] > rating[~actual]) + 0.5 * (rating[actual][:, None] == rating[~actual])
    parts = [above.mean(1).var(ddof=1) / 30, above.mean(0).var(ddof=1) / 50]
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 29 + parts[1] ** 2 / 49)
    half = t.ppf(0.975, freedom) * np.sqrt(sum(parts))
    found = area(actual, rating, np.arange(80).astype(str))
    least = newcombe(found.mean, 30, 50)
    assert found.low == pytest.approx(min(above.mean() - half, least.low))
    assert found.high == pytest.approx(max(above.mean() + half, least.high))


def test_newcombes_ends_are_as_far_as_their_own_variance_says() -> None:
    for value in (0.5, 0.83, 0.99):
        found = newcombe(value, 20, 30)
        for end in (found.low, found.high):
            spread = end * (1 - end) * (1 + 24 * ((1 - end) / (2 - end) + end / (1 + end))) / 600
            assert abs(value - end) == pytest.approx(norm.ppf(0.975) * np.sqrt(spread), rel=1e-4)
    assert newcombe(1.0, 20, 20).high == 1.0
    assert 0.8 < newcombe(1.0, 20, 20).low < 0.95, "that all were told apart is no proof for other images"
    assert newcombe(0.0, 20, 20).low == 0.0


def test_images_of_one_patient_are_worth_less() -> None:
    table = judged(quiz(), given(quiz(), {"ada": 2}))
    actual, rating = (table["source"] == "synthetic").to_numpy(), ratings(table).to_numpy(float)
    alone = table["item"].astype(str).to_numpy()
    order = np.argsort(rating[~actual])  # patients whose images are alike
    alike = alone.copy()
    alike[np.flatnonzero(~actual)[order]] = np.repeat([f"patient {n}" for n in range(4)], 5)
    one, few = area(actual, rating, alone), area(actual, rating, alike)
    assert few.high - few.low > 1.2 * (one.high - one.low)
    assert few.mean == one.mean


def test_readers_who_say_the_same_know_no_more_than_one() -> None:
    of = quiz()
    same = reader_roc(judged(of, given(of, {"ada": 5, "bo": 5, "cy": 5})))
    one = reader_roc(judged(of, given(of, {"ada": 5})))
    assert same is not None and one is not None and same.pooled is not None and one.pooled is not None
    assert same.pooled.interval.mean == pytest.approx(one.pooled.interval.mean)
    width = same.pooled.interval.high - same.pooled.interval.low
    assert width > 0.9 * (one.pooled.interval.high - one.pooled.interval.low)
    apart = reader_roc(judged(of, given(of, {"ada": 5, "bo": 6, "cy": 7})))
    assert apart is not None and apart.pooled is not None
    assert apart.pooled.reviewers == 3 and apart.pooled.images == 40
    assert apart.pooled.interval.mean == pytest.approx(apart.areas["auc"].mean())


def test_what_a_quiz_did_not_ask_has_no_curve() -> None:
    of = quiz(rated=False)
    answers = given(of, {"ada": 1})
    assert studied(of, answers.assign(sure=0)).roc is None
    assert studied(of, answers.drop(columns="sure")).roc is None
    found = studied(quiz(), answers)
    assert found.roc is not None and "0.5 is guessing" in found.area_sentence


def test_a_reader_whose_time_was_always_over_on_one_source_has_no_area() -> None:
    of = quiz()
    answers = given(of, {"ada": 1})
    late = answers["item"].map(lambda item: of.items[item].source == "real")
    found = reader_roc(
        judged(of, answers.assign(answer=answers["answer"].mask(late, ""), sure=answers["sure"].mask(late, 0)))
    )
    assert found is not None and found.pooled is None
    assert found.areas["auc"].isna().all() and found.curves.empty


def test_how_sure_is_one_of_five(home: Home) -> None:
    of = quiz()
    for wrong in (-1, 6):
        with pytest.raises(ErsatzError, match=r"1 .a guess. to 5 .certain."):
            answer(home, of, "Ada", 0, "real", 1.0, wrong)
    answer(home, of, "Ada", 0, "real", 1.0, 5)
    answer(home, of, "Ada", 1, "", 1.0, 5)
    assert kept(home, of)["sure"].tolist() == [5, 0], "no answer, and no certainty of it"
