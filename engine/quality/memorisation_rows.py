"""The measures of memorisation as rows for `scores.json`, and what they mean in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.quality.flags import Limits
from engine.quality.memorisation import Share, Z, copying_z, nearer_share, share
from engine.quality.quality_scores import MemorisationMeasure

FEW = 30
"""Held-out images below which a note says how rough the comparison is."""


@dataclass(frozen=True)
class PerImage:
    """What is known of each of N images."""

    classes: np.ndarray
    distances: np.ndarray
    """Of features, to the nearest training image."""
    authentic: np.ndarray
    ratio: np.ndarray
    copies: np.ndarray
    """Whether the image is flagged as a copy: bool."""

    def of_class(self, name: str) -> PerImage:
        return self.some(self.classes == name)

    def some(self, those: np.ndarray) -> PerImage:
        return PerImage(*(getattr(self, field)[those] for field in self.__dataclass_fields__))


@dataclass(frozen=True)
class Measured:
    """The pool, and the held-out real images that it is compared with."""

    synthetic: PerImage
    real: PerImage

    def alike(self) -> Measured:
        """With the held-out images of the pool's classes alone, where there are any: a pool may lack classes."""
        those = np.isin(self.real.classes, np.unique(self.synthetic.classes))
        return Measured(self.synthetic, self.real.some(those)) if those.any() else self


def in_all_and_by_class(measured: Measured, nearer: np.ndarray, drawn: float) -> list[MemorisationMeasure]:
    """Rows over all images (class '') and for each class of several; `nearer` [draws, N] and `drawn` as for
    `nearer_share`."""
    rows = _rows("", measured.alike(), nearer, drawn)
    classes = np.unique(measured.synthetic.classes)
    for name in classes if len(classes) > 1 else ():
        part = Measured(measured.synthetic.of_class(name), measured.real.of_class(name))
        rows += _rows(str(name), part, nearer[:, measured.synthetic.classes == name], drawn)
    return rows


def _rows(name: str, measured: Measured, nearer: np.ndarray, drawn: float) -> list[MemorisationMeasure]:
    ours, reals = measured.synthetic, measured.real
    n, m = len(ours.distances), len(reals.distances)
    against = f"Expected is what {m} held-out real images give" + (
        "; with so few of them that is rough." if m < FEW else "."
    )

    def row(measure: str, found: Share, expected: float, note: str) -> MemorisationMeasure:
        return MemorisationMeasure(
            class_name=name,
            measure=measure,
            value=found.value,
            low=found.low,
            high=found.high,
            expected=expected,
            n=n,
            note=note,
        )

    of_sets = (
        f"Against {len(nearer)} subsets of the training images, each of as many as are held out; the interval holds "
        "the luck of these sets too."
    )
    rows = [
        row("copy_share", share(ours.copies), float(reals.copies.mean()) if m else math.nan, against),
        row("authpct", share(ours.authentic), float(reals.authentic.mean()) if m else math.nan, against),
        row("dcr_share", nearer_share(nearer, drawn), 0.5, of_sets),
        row("copy_ratio", _median(ours.ratio), float(np.median(reals.ratio)) if m else math.nan, f"Medians. {against}"),
    ]
    if m:
        z = copying_z(ours.distances, reals.distances)
        note = (
            "Mann-Whitney z in one cell, within 2 of 0 for a perfect generator. Far above 0 it misses the data. It "
            "grows with the numbers of images."
        )
        rows.append(MemorisationMeasure(class_name=name, measure="c_t", value=z, expected=0.0, n=n, note=note))
    return rows


def _median(values: np.ndarray) -> Share:
    """The median with its 95 % interval from order statistics, whatever the distribution."""
    ordered, n = np.sort(values), len(values)
    half = Z * np.sqrt(n) / 2
    low, high = max(0, int(np.floor(n / 2 - half))), min(n - 1, int(np.ceil(n / 2 + half)))
    return Share(float(np.median(values)), float(ordered[low]), float(ordered[high]))


def in_words(
    counts: dict[str, int], measures: list[MemorisationMeasure], limits: Limits, held_out: int, alike: int
) -> list[str]:
    """What was found, the worst first; `alike` of the held-out images are of the pool's classes."""
    overall = {row.measure: row for row in measures if row.class_name == ""}
    n = overall["copy_share"].n
    expected = overall["copy_share"].expected
    bad: list[str] = []
    good: list[str] = []
    beside = f"{_percent(expected)} of {alike} held-out real images would be called so"
    if counts["copy"]:
        found = _percent(overall["copy_share"].value)
        bad.append(f"{counts['copy']} of {n} synthetic images look like copies of training images ({found}; {beside}).")
    else:
        good.append(f"None of {n} synthetic images looks like a copy of a training image ({beside}).")
    if counts["near-copy"]:
        good.append(
            f"Flagged as near copies: {counts['near-copy']} of {n}, nearer to a training image than nearly all "
            "held-out real images are. A few of any pool are; look at them."
        )
    dcr, z = overall["dcr_share"], overall["c_t"].value
    nearer = (
        f"{_percent(dcr.value)} of the synthetic images lie nearer to training images than to as many held-out ones "
        f"({_percent(dcr.low)} to {_percent(dcr.high)}; 50 % is clean)"
    )
    copied = counts["copy"] or counts["near-copy"]
    if dcr.low > 0.5 and z > 3 and not copied:
        # Far from all real images, which of them is the nearest says nothing; alike as they are, all say it together.
        good.append(
            f"{nearer}. They lie farther from any training image than held-out real images do (C_T {z:.1f}), so that "
            "this is no sign of copying."
        )
    elif dcr.low > 0.5:
        bad.append(f"{nearer}: the generator remembers its training images.")
    else:
        good.append(f"{nearer}.")
    if z < -3:
        bad.append(
            f"Synthetic images lie nearer to training images than held-out real ones do (C_T {z:.1f}; 0 is "
            "expected, far below is copying)."
        )
    if counts["repeat"]:
        bad.append(
            f"Flagged as repeats of other images of the pool, which add little to it: {counts['repeat']} of {n}."
        )
    if limits.copies:
        good.append(
            f"{limits.copies} of {held_out} held-out real images are themselves near copies of training images: the "
            "data set has copies across its splits, or neighbouring slices of one scan. See its audit."
        )
    return bad + good


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"
