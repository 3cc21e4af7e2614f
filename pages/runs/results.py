"""What a run found, in the numbers of a list: read again only once the files that hold them have changed."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import lru_cache

from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.quality.snapshot_ranking import RANKING_FILE, Ranking
from engine.store.errors import ErsatzError
from engine.store.runs import State
from engine.sweep.summary_model import SUMMARY_FILE
from pages.components.run_summary import MEMORY, RunSummary, last_number
from pages.components.sweep_difference import deciding


@dataclass(frozen=True)
class Found:
    """The results of a run; None, or empty, where its kind has none of the sort or it has not come so far."""

    difference: float | None = None
    """Of a sweep: what its verdict rests on, in points or in the metric's own unit."""
    interval: str = ""
    kid: float | None = None


NOTHING = Found()


def results_of(seen: RunSummary) -> Found:
    """The numbers of a run."""
    if seen.kind == "train":
        return Found(kid=last_number(seen.run, "kid"))
    file = {"sweep": SUMMARY_FILE, "quality": SCORES_FILE, "ranking": RANKING_FILE}.get(seen.kind)
    if file is None or seen.state is not State.FINISHED:
        return NOTHING
    try:
        facts = os.stat(seen.run.path / file)  # noqa: PTH116  (a row each, every two seconds)
    except OSError:
        return NOTHING
    return _read(_Key(seen, (facts.st_mtime_ns, facts.st_size, facts.st_ino)))


class _Key:
    """A run with the stamp of its results: equal where both are."""

    def __init__(self, seen: RunSummary, stamp: tuple[int, int, int]):
        self.seen, self.same = seen, (seen.run.path, stamp)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.same == other.same

    def __hash__(self) -> int:
        return hash(self.same)


@lru_cache(MEMORY)
def _read(key: _Key) -> Found:
    seen = key.seen
    try:
        if seen.kind == "quality":
            score = QualityScores.read(seen.run.path / SCORES_FILE).of_class("").get("kid")
            return Found(kid=None if score is None else _known(score.value))
        if seen.kind == "ranking":
            return Found(kid=_known(Ranking.read(seen.run.path / RANKING_FILE).best.kid))
    except (OSError, ErsatzError, LookupError):  # damaged: the page of the run says so
        return NOTHING
    found = deciding(seen)
    if found is None:
        return NOTHING
    scale, whole = found.measure.scale, found.whole
    return Found(_known(whole.value * scale), found.measure.show_interval(whole.low, whole.high, signed=True))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
