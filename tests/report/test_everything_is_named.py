"""What is computed is also shown: a metric or a score without a title or a sentence would be missed in silence."""

from __future__ import annotations

from typing import get_args

from engine.configs.evaluation import Metric
from engine.quality.scores import METRICS as IMAGE_SCORES
from engine.quality.sentences import LOWER_IS_BETTER, ORDER, WORDS
from engine.report.quality_tables import SCORES
from engine.report.tables import METRICS as SHOWN
from engine.sweep.metrics import METRICS as COMPUTED
from engine.sweep.verdict_words import IN_POINTS, NAMES


def test_every_metric_of_a_sweep_has_its_title() -> None:
    assert set(SHOWN) == set(COMPUTED)


def test_every_metric_of_a_verdict_has_its_words() -> None:
    assert set(NAMES) == set(get_args(Metric)) <= set(COMPUTED)
    assert set(IN_POINTS) == {name for name in NAMES if SHOWN[name].percent}


def test_every_score_of_images_has_its_title_and_its_sentence() -> None:
    assert set(IMAGE_SCORES) == set(WORDS) == set(ORDER) <= set(SCORES)
    assert len(set(ORDER)) == len(ORDER)
    assert set(LOWER_IS_BETTER) == {name for name in IMAGE_SCORES if SCORES[name].better == "lower"}
