"""What the scores of a pool mean, in plain words and the worst first; and what no score here can say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from engine.quality.quality_scores import PoolScore

Told = Literal["worse", "open", "alike"]
"""Worse than its floor; below it on average, but within what so few images leave open; or like its floor."""

LOWER_IS_BETTER = ("fid", "kid", "two_sample")


def is_worse(row: PoolScore) -> bool:
    """Whether a score's whole interval lies on the bad side of all that real images score against real ones."""
    if math.isnan(row.floor):
        return False
    if row.metric in LOWER_IS_BETTER:
        return row.low > row.floor_high
    return row.high < row.floor_low


def told(row: PoolScore) -> Told:
    """The reading of a score: not every score that real images reach now and then is one that they would have."""
    if is_worse(row):
        return "worse"
    apart = row.low > row.floor if row.metric in LOWER_IS_BETTER else row.high < row.floor
    return "open" if apart else "alike"


def in_words(scores: Sequence[PoolScore]) -> list[str]:
    """A sentence for each metric, those worse than their floor first: over all classes, with the classes that are."""
    worse, others = in_words_apart(scores)
    return worse + others


def in_words_apart(scores: Sequence[PoolScore]) -> tuple[list[str], list[str]]:
    """As `in_words`, those that are worse than their floor apart from the others."""
    said: dict[Told, list[str]] = {"worse": [], "open": [], "alike": []}
    for metric in ORDER:
        rows = [row for row in scores if row.metric == metric and not math.isnan(row.floor)]
        if not rows:
            continue
        shown = next((row for row in rows if row.class_name == ""), rows[0])
        worse = [row for row in rows if is_worse(row)]
        if worse and shown not in worse:
            shown = worse[0]
        where = "" if shown.class_name == "" else f" in class {shown.class_name}"
        classes = [row.class_name for row in worse if row.class_name not in ("", shown.class_name)]
        also = f" Worse than real images for {', '.join(classes)}." if worse and classes else ""
        said[told(shown)].append(WORDS[metric](shown, where, told(shown)) + also)
    return said["worse"], said["open"] + said["alike"]


def limits(extractor: str, skipped: Sequence[str], copies: int) -> list[str]:
    """What the numbers do not say. `skipped`: sentences on scores left out; `copies`: repeated real left out."""
    said = [
        "These are screens and one attack, not privacy guarantees: an image may give a patient away that no score here "
        "finds. Copies that were moved by more than a few pixels, turned by more than some 5 degrees, resized by more "
        "than some 8 %, or several of these at once, may be missed.",
        "No score of images predicts whether they help a classifier; FID does not either. The sweep measures that.",
        _about(extractor),
        "The real images are those of training and validation. Test images are never looked at here.",
    ]
    if copies:
        said.append(f"{copies} real images that are exact copies of others were left out of the scores.")
    return said + list(skipped)


def _about(extractor: str) -> str:
    if extractor == "pixels":
        return (
            "The extractor pixels compares shrunk images pixel by pixel: it sees layout and tone, no finer content. "
            "Scores by a network (dinov2, inception) say more where its weights are at hand."
        )
    return (
        f"Scores hold for the extractor {extractor}, which was trained on photographs, and for these numbers of "
        "images; they compare with nothing measured otherwise."
    )


def _two_sample(row: PoolScore, where: str, what: Told) -> str:
    if row.low > 0.5:
        found = "tells synthetic from real images"
    elif row.high < 0.5:
        found = "takes synthetic for real images more often than chance would"
    else:
        found = "tells synthetic from real images no better than chance as far as so many images show"
    floor = f"two halves of the real images give {_percent(row.floor)}"
    wide = f" ({_percent(row.floor_low)} to {_percent(row.floor_high)}, too few to settle it)"
    copies = " Far below 50 % means that the pool holds near-copies of real images." * (row.high < 0.45)
    return (
        f"A simple classifier {found}{where}: it is right in {_percent(row.value)} of cases (95 % interval "
        f"{_percent(row.low)} to {_percent(row.high)}); 50 % is chance, and {floor}"
        f"{wide if what == 'open' else ''}.{copies}"
    )


def _share(begin: str, bad: str, good: str) -> Callable[[PoolScore, str, Told], str]:
    def sentence(row: PoolScore, where: str, what: Told) -> str:
        return (
            f"{_percent(row.value)} of the {begin}{where} ({_percent(row.low)} to {_percent(row.high)}; "
            f"real against real {_percent(row.floor)}): {_words(what, bad, good)}."
        )

    return sentence


def _ratio(name: str, bad: str, good: str) -> Callable[[PoolScore, str, Told], str]:
    def sentence(row: PoolScore, where: str, what: Told) -> str:
        return (
            f"{name} {row.value:.2f}{where} ({row.low:.2f} to {row.high:.2f}; real against real "
            f"{row.floor:.2f}): {_words(what, bad, good)}."
        )

    return sentence


def _diversity(row: PoolScore, where: str, what: Told) -> str:
    more = "more than" if row.low > row.floor_high else "about as much as"
    good = f"the pool varies {more} the real images"
    return _ratio("Diversity", "the pool varies less than the real images", good)(row, where, what)


def _distance(name: str) -> Callable[[PoolScore, str, Told], str]:
    def sentence(row: PoolScore, where: str, what: Told) -> str:
        words = _words(
            what, "farther from the real images than these are from each other", "within what real images give"
        )
        return (
            f"{name} {_number(row.value)}{where} ({_number(row.low)} to {_number(row.high)}; real against "
            f"real {_number(row.floor)}): {words}."
        )

    return sentence


def _words(what: Told, bad: str, good: str) -> str:
    return {"worse": bad, "open": OPEN, "alike": good}[what]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


OPEN = "worse than real images score on average, but so few of them vary too much to settle it"
WORDS: dict[str, Callable[[PoolScore, str, Told], str]] = {
    "coverage": _share(
        "real images have a synthetic one near them", "some kinds of images are missing", "as real images would"
    ),
    "recall": _share(
        "real images lie where the pool does", "the pool does not reach all kinds of images", "as real images would"
    ),
    "diversity": _diversity,
    "precision": _share(
        "synthetic images lie where real ones do", "the others look unlike real images", "as real images would"
    ),
    "density": _ratio(
        "Density", "synthetic images lie where real ones are rare", "synthetic images lie among the real ones"
    ),
    "two_sample": _two_sample,
    "kid": _distance("KID"),
    "fid": _distance("FID"),
}
ORDER = ("coverage", "diversity", "recall", "precision", "density", "two_sample", "kid", "fid")
"""Missing kinds of images first: they teach a classifier the wrong world; then unreal ones, then what only differs."""
