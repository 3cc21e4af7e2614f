"""What a check says of a pool at a glance: four questions, each answered in a colour with its reason and threshold.

The thresholds come from real images: a score is green where its 95 % interval meets that of halves of the real images
against each other, orange where it is worse than that, and red where it is nearer to the worst value that it can take
than to what real images score. Halfway is a convention of this program and no test. FID and KID have no worst value and
are never red. That a classifier tells synthetic from real images is red only where they are also fewer, or lie farther
out, among the real ones: nearly every generator leaves a trace that a classifier finds in images which are good
otherwise. Every class is looked at: one that collapsed hides in the mean of all.

No colour says whether the images help a classifier: only a sweep tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from engine.quality.quality_scores import SCORES_FILE, AnyScore, QualityScores
from engine.report.quality_tables import score_of, show_percent
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, each, list_runs

Level = Literal["good", "worse", "far", ""]
"""As real images; worse; nearer to the worst possible value; or not known."""
GOOD: Final = "good"
WORSE: Final = "worse"
FAR: Final = "far"
UNKNOWN: Final = ""
ORDER: tuple[Level, ...] = (FAR, WORSE, GOOD)
WORDS: dict[str, str] = {FAR: "red", WORSE: "orange", GOOD: "green", "": "grey"}
REAL, VARIED, COPIES, PRIVATE = (
    "Do the images look real?",
    "Are they as varied as real ones?",
    "Are they copies?",
    "Do they give patients away?",
)
QUESTIONS: dict[str, tuple[str, ...]] = {
    REAL: ("precision", "density", "kid", "fid", "two_sample"),
    VARIED: ("recall", "coverage", "diversity"),
    COPIES: ("copy_share", "unseen_copy_share", "authpct", "copy_ratio"),
    PRIVATE: ("attack_auc", "attack_tpr", "dcr_share", "c_t"),
}
"""Each with the scores that answer it."""
ANSWERS: dict[str, dict[str, str]] = {
    REAL: {GOOD: "As real images", WORSE: "Worse than real images", FAR: "Far from real images"},
    VARIED: {GOOD: "As varied as real images", WORSE: "Less varied than real images", FAR: "Far less varied"},
    COPIES: {GOOD: "No sign of it", WORSE: "Look at the pairs of like images", FAR: "Most of them are copies"},
    PRIVATE: {
        GOOD: "Not found by these tests",
        WORSE: "They give away more than chance",
        FAR: "They give patients away",
    },
}
"""Of tests that may miss much: what is not found may be there."""
WORST = {
    "precision": 0.0,
    "recall": 0.0,
    "density": 0.0,
    "coverage": 0.0,
    "two_sample": 1.0,
    "diversity": 0.0,
    "copy_share": 1.0,
    "attack_auc": 1.0,
}
"""The worst value that a score can take, of those that have one."""
LYING_OUT = ("precision", "density")
"""What has to be worse too before being told apart is red."""
MOST_REPEATS, SOME_REPEATS = 0.5, 0.05
"""Shares of the pool that repeat another image of it: red above the first, orange above the second; conventions."""
LEGEND = (
    "Green: as halves of the real images score against each other (the 95 % intervals meet). Orange: worse than that. "
    "Red: nearer to the worst possible value than to what real images score; halfway is a convention, no test. No "
    "colour says whether the images help a classifier: only a sweep tells."
)
REASONS = {
    "precision": "{value} of the synthetic images lie among the real ones (of real images {floor})",
    "density": "synthetic images lie less deep among the real ones: density {value} (real images {floor})",
    "kid": "KID is {value} (real images against each other {floor})",
    "fid": "FID is {value} (real images against each other {floor})",
    "two_sample": "a simple classifier tells them from real images in {value} of cases (50 % is guessing)",
    "recall": "{value} of the real images lie among the synthetic ones (of real images {floor})",
    "coverage": "{value} of the real images have a synthetic one beside them (of real images {floor})",
    "diversity": "the images differ {value} times as much from each other as real ones do (halves of these {floor})",
    "copy_share": "{value} of the images look like copies of training images (expected {floor})",
    "unseen_copy_share": "{value} look like copies of unseen images (expected {floor})",
    "authpct": "{value} of the images are farther from training images than these from each other (expected {floor})",
    "copy_ratio": "their distances to the nearest training images are small beside the next ones: {value} (expected "
    "{floor})",
    "attack_auc": "an attack ranks trained patients above others with AUC {value} (0.5 is chance)",
    "attack_tpr": "an attack names {value} of the trained patients (expected {floor})",
    "dcr_share": "{value} of the images lie nearer to training than to held-out images (expected {floor})",
    "c_t": "they lie nearer to training images than they should: C_T is {value} (expected {floor})",
}
REPEATED = "{value} of the images repeat another one of the pool"


@dataclass(frozen=True)
class Answer:
    """A question, its answer, and the score that decides it."""

    question: str
    level: Level
    reason: str
    """Of the worst score, in a sentence without its point."""

    @property
    def words(self) -> str:
        return ANSWERS[self.question].get(self.level, "Not known")


@dataclass(frozen=True)
class PoolVerdict:
    """The answers of a check of a pool; `control` is what its images are, of a control."""

    answers: tuple[Answer, ...]
    control: str = ""

    @property
    def level(self) -> Level:
        """The worst of the answers."""
        return next((level for level in ORDER if any(each.level == level for each in self.answers)), "")

    @property
    def worst(self) -> tuple[Answer, ...]:
        """The answers of that level."""
        return tuple(each for each in self.answers if each.level == self.level)

    @property
    def sentence(self) -> str:
        """What is worst in the pool, in one sentence or two."""
        if self.level not in (FAR, WORSE):
            found = "This check found nothing against the pool." if self.level else "This check has no scores."
        else:
            found = " ".join(f"{each.words}: {each.reason}." for each in self.worst)
        if not self.control:
            return found
        return f"This pool is a control: {self.control}, no synthetic images. {found}"


def pool_verdict(found: QualityScores, control: str = "") -> PoolVerdict:
    """The answers to the four questions, each by its worst score of all classes together or of one."""
    return PoolVerdict(tuple(_answer(question, found) for question in QUESTIONS if _known(question, found)), control)


def _known(question: str, found: QualityScores) -> bool:
    names = {*(row.metric for row in found.scores), *(row.measure for row in found.memorisation)}
    return any(name in names for name in QUESTIONS[question])


def _answer(question: str, found: QualityScores) -> Answer:
    said = list(_said(question, found))
    level, reason = min(said, key=lambda each: _rank(each[0]), default=(UNKNOWN, ""))
    return Answer(question, level, "" if level == GOOD else reason)


def _said(question: str, found: QualityScores) -> Iterator[tuple[Level, str]]:
    """Each score's level with its reason: first of all classes together, then of each."""
    for class_name, of_class in sorted(found.by_class().items(), key=lambda item: item[0] != ""):
        where = f" in the class {class_name}" if class_name else ""
        for name in QUESTIONS[question]:
            if name in of_class and (level := level_of(of_class[name], of_class)):
                row, score = of_class[name], score_of(name)
                words = REASONS[name].format(value=score.show(row.value), floor=score.show(row.floor))
                yield level, words + where
    if question == VARIED and (images := found.counts.pool):
        share = found.flagged("repeat") / images
        if share > SOME_REPEATS:
            yield FAR if share > MOST_REPEATS else WORSE, REPEATED.format(value=show_percent(share))


def _rank(level: Level) -> int:
    return ORDER.index(level) if level in ORDER else len(ORDER)


def level_of(row: AnyScore, beside: dict[str, AnyScore]) -> Level:
    """As `score_level`; being told apart is red only with the images lying farther out too (`beside`: of its class)."""
    level = score_level(row)
    if row.name == "two_sample" and level == FAR:
        out = [score_level(beside[name]) for name in LYING_OUT if name in beside]
        return FAR if not out or any(each in (WORSE, FAR) for each in out) else WORSE
    return level


def score_level(row: AnyScore) -> Level:
    """What a score or a measure of memorisation is beside what real images score; empty where that is not known."""
    value, floor = row.value, row.floor
    if not (math.isfinite(value) and math.isfinite(floor)):
        return ""
    low, high = _ends(value, row.low, row.high)
    floor_low, floor_high = _ends(floor, row.floor_low, row.floor_high)
    better = score_of(row.name).better
    too_high, too_low = low > floor_high, high < floor_low
    if not {"lower": too_high, "higher": too_low, "near": too_high or too_low}[better]:
        return GOOD
    worst = WORST.get(row.name)
    return FAR if worst is not None and abs(value - floor) > abs(value - worst) else WORSE


def _ends(value: float, low: float, high: float) -> tuple[float, float]:
    return (low if math.isfinite(low) else value), (high if math.isfinite(high) else value)


@dataclass(frozen=True)
class PoolChecks:
    """The checks of a pool that matter, found in one look at all quality runs."""

    finished: Run | None = None
    """The newest finished one that has scores; None when the pool was not checked."""
    under_way: Run | None = None
    """One that is queued or running; it is looked for only where none has finished."""


def checks_of(home: Home, pool: str) -> PoolChecks:
    """The newest finished check of a pool, else one under way."""
    under_way = None
    for run, config in each(list_runs(home, "quality"), Run.config):
        if config["pool"] != pool:
            continue
        state = run.state()
        if state is State.FINISHED and (run.path / SCORES_FILE).is_file():
            return PoolChecks(finished=run)
        if under_way is None and state.is_active:
            under_way = run
    return PoolChecks(under_way=under_way)


def newest_scores(home: Home, pool: str) -> QualityScores | None:
    """What the newest check of a pool found; None when there is none, or its scores cannot be read."""
    check = checks_of(home, pool).finished
    try:
        return None if check is None else QualityScores.read(check.path / SCORES_FILE)
    except ErsatzError:  # the check itself says so, and offers to make them again
        return None


def verdict_of_pool(home: Home, pool: str, control: str = "") -> PoolVerdict | None:
    """What the newest check says of a pool; None when there is none, or its scores cannot be read."""
    found = newest_scores(home, pool)
    return None if found is None else pool_verdict(found, control)


def lines(verdict: PoolVerdict) -> list[str]:
    """For a terminal: each question with its colour as a word, its answer and its reason."""
    return [
        f"{WORDS[each.level].upper()}: {each.question} {each.words}{f': {each.reason}' if each.reason else ''}."
        for each in verdict.answers
    ]
