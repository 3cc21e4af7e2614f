"""What the search for copies, the swap of patients and the attack found, in plain words: no more than each shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from scipy.stats import binomtest

from engine.quality.membership import Attack
from engine.quality.memorisation_rows import CopyShares
from engine.quality.patient_swaps import FEWEST_HELD_OUT, Units
from engine.quality.quality_scores import MemorisationMeasure
from engine.quality.swap_test import SwapTest

SURE = 0.05
"""p up to which the pool is said to hold more copies of seen than of unseen images, where it holds some of both."""

OTHERS = "Other attacks, or one on the generator itself, may do better."


@dataclass(frozen=True)
class Flagged:
    """Flags of the pool's images, and those that the same limits give where there can be no copy."""

    pool: np.ndarray
    """object [N]"""
    held_out: np.ndarray
    """object [H], of held-out images searched among the training images."""
    unseen: np.ndarray | None
    """object [N], of the pool searched among held-out images; None where these are too few."""
    surely: np.ndarray
    """bool [N], images of the pool of which one alone tells of copying."""
    surely_unseen: np.ndarray | None
    """bool [N], the same of the pool searched among held-out images."""
    originals: np.ndarray
    """Number [N] of the pair of a training and a held-out image that each is most like in pixels."""
    alike: np.ndarray
    """bool [H], held-out images of the pool's classes."""
    patients: int
    """Held-out patients."""

    def shares(self, classes: np.ndarray, held_out: np.ndarray) -> dict[str, CopyShares]:
        """Which are copies, over all ('') and by class of several: `classes` [N] of the pool and `held_out` [H]."""
        names = np.unique(classes)
        parts = {"": (np.ones(len(classes), bool), self.alike)}
        parts |= {str(name): (classes == name, held_out == name) for name in names} if len(names) > 1 else {}
        return {
            name: CopyShares(
                self.pool[ours] == "copy",
                self.held_out[reals] == "copy",
                None if self.unseen is None else self.unseen[ours] == "copy",
            )
            for name, (ours, reals) in parts.items()
        }

    def more_than_unseen(self) -> bool:
        """Whether there are more copies than the same search finds among unseen images.

        One sure copy is, where none of an unseen image is as sure. Else as many of seen as of unseen ones are expected
        (a sign test); images that are most like the same real ones count once, since a generator may repeat itself.
        """
        if self.unseen is None or self.surely_unseen is None:
            return bool(self.surely.any())
        if self.surely.any() and not self.surely_unseen.any():
            return True
        seen, unseen = (len(np.unique(self.originals[flags == "copy"])) for flags in (self.pool, self.unseen))
        return bool(seen) and float(binomtest(seen, seen + unseen, 0.5, "greater").pvalue) <= SURE


def in_words(
    counts: dict[str, int],
    measures: Sequence[MemorisationMeasure],
    flagged: Flagged,
    swapped: SwapTest,
    attacked: Attack | None,
    units: Units,
    leaked: int,
) -> tuple[list[str], list[str]]:
    """What speaks against the pool, and what else was found, each the worst first.

    `leaked`: held-out images that are near copies of training images.
    """
    overall = {row.measure: row for row in measures if row.class_name == ""}
    bad: list[str] = []
    good: list[str] = []
    copies, accuses = _copies(counts, overall, flagged)
    (bad if accuses else good).append(copies)
    for sentence, accuses in (_split(overall, swapped, units), _attack(attacked, units)):
        (bad if accuses else good).extend([sentence] if sentence else [])
    if counts["near-copy"]:
        beside = (
            "" if flagged.unseen is None else f" ({_count(flagged.unseen, 'near-copy')} in that among held-out ones)"
        )
        good.append(
            f"Flagged as near copies: {counts['near-copy']} of {len(flagged.pool)}{beside}, nearer to one training "
            "image than nearly all unseen images are. A few of any pool are; look at them."
        )
    if counts["repeat"]:
        bad.append(
            "Flagged as repeats of other images of the pool, which add little to it: "
            f"{counts['repeat']} of {len(flagged.pool)}."
        )
    if leaked:
        good.append(
            f"{leaked} of {len(flagged.held_out)} held-out real images are themselves near copies of training images: "
            "the data set has copies across its splits, or neighbouring slices of one scan. See its audit."
        )
    return bad, good


def _copies(counts: dict[str, int], overall: dict[str, MemorisationMeasure], flagged: Flagged) -> tuple[str, bool]:
    n, found = len(flagged.pool), counts["copy"]
    held_out = f"{_percent(overall['copy_share'].expected)} of {int(flagged.alike.sum())} held-out real images would be"
    if flagged.unseen is None:
        beside = (
            f"{held_out} called so; the held-out images are of too few patients ({flagged.patients}, at least "
            f"{FEWEST_HELD_OUT} are needed) to tell how many images of such a pool are so by chance"
        )
    else:
        among = _count(flagged.unseen, "copy")
        beside = f"{held_out} called so, and {among} of the pool when it is searched among these instead"
    if not found:
        return f"None of {n} synthetic images looks like a copy of a training image ({beside}).", False
    if flagged.more_than_unseen():
        share = _percent(overall["copy_share"].value)
        look = "looks like a copy of a training image" if found == 1 else "look like copies of training images"
        return f"{found} of {n} synthetic images {look} ({share}; {beside}).", True
    flagged_as = "is flagged as a copy" if found == 1 else "are flagged as copies"
    return (
        f"{found} of {n} synthetic images {flagged_as}, but not clearly more than the same search finds where there "
        f"can be none ({beside}). Look at the pairs.",
        False,
    )


def _split(overall: dict[str, MemorisationMeasure], swapped: SwapTest, units: Units) -> tuple[str, bool]:
    dcr, z = overall["dcr_share"], overall["c_t"]
    if isnan(swapped.p):
        return (
            "Whether synthetic images lie nearer to training than to unseen images cannot be told, nor can an attack "
            f"on the patients' privacy be tried: {units.held_out} held-out {_swapped(units)} are too few (at least "
            f"{FEWEST_HELD_OUT} are needed, and enough patients to swap).",
            False,
        )
    nearer = (
        f"{_percent(dcr.value)} of the synthetic images lie nearer to training images than to as many held-out ones "
        f"({_percent(dcr.low)} to {_percent(dcr.high)}; 50 % is clean), and C_T is {z.value:.1f} ({z.low:.1f} to "
        f"{z.high:.1f}; {z.expected:.1f} is expected of so smooth or so varied a pool)"
    )
    if not swapped.shows:
        return f"{nearer}: no more than when {_swapped(units)} are swapped between both (p = {swapped.p:.3f}).", False
    return (
        f"The pool carries a trace of what its generator was trained on: {nearer}. When {_swapped(units)} are swapped "
        f"between both, it is seldom so (p = {swapped.p:.3f}).{_too_sure(units)}",
        True,
    )


def _attack(attacked: Attack | None, units: Units) -> tuple[str, bool]:
    if attacked is None:
        return "", False
    auc, tpr, who = attacked.auc, attacked.true_positives, _swapped(units)
    area = f"AUC {auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f}; 0.5 is chance)"
    if isnan(tpr.value):
        few = f"{attacked.non_members} held-out {who} are too few to say how many it names with 1 % false accusations"
    else:
        few = (
            f"with 1 % false accusations it names {_percent(tpr.value)} of {attacked.members} trained {who} "
            f"({_percent(tpr.low)} to {_percent(tpr.high)})"
        )
    if attacked.tells:
        return (
            f"An attack tells from the pool alone which {who} were trained on, better than chance: {area}; {few}."
            f"{_too_sure(units)}",
            True,
        )
    return f"This attack did not find out which {who} were trained on: {area}; {few}. {OTHERS}", False


def _too_sure(units: Units) -> str:
    return "" if units.known else " Images of one patient that are not known as such would make this too sure."


def _swapped(units: Units) -> str:
    return "patients" if units.known else "images"


def _count(flags: np.ndarray, flag: str) -> int:
    return int((flags == flag).sum())


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"
