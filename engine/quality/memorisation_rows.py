"""The measures of memorisation as rows for `scores.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from engine.quality.membership import FALSE_POSITIVES, Attack
from engine.quality.memorisation import Share, share
from engine.quality.patient_swaps import FEWEST_HELD_OUT, SWAPS, Units
from engine.quality.quality_scores import MemorisationMeasure
from engine.quality.swap_test import MEASURES, SwapTest

FEW = 30
"""Held-out images below which a note says how rough the comparison is."""


@dataclass(frozen=True)
class CopyShares:
    """Images flagged as copies: of the pool, of held-out images, and of the pool searched among unseen images."""

    pool: np.ndarray
    held_out: np.ndarray
    unseen: np.ndarray | None


def memorisation_rows(
    shares: Mapping[str, CopyShares], swapped: SwapTest, attacked: Attack | None, units: Units
) -> list[MemorisationMeasure]:
    """Rows over all images (class '') and for each class of several, as `shares` has them; the attack over all."""
    rows: list[MemorisationMeasure] = []
    for name, of in shares.items():
        n = len(of.pool)
        rows += _copies(name, of)
        for measure in MEASURES:
            found = swapped.measures[measure, name]
            rows.append(
                MemorisationMeasure(
                    class_name=name,
                    measure=measure,
                    value=found.value,
                    low=max(0.0, found.low) if measure != "c_t" else found.low,
                    high=min(1.0, found.high) if measure in ("authpct", "dcr_share") else found.high,
                    expected=found.expected,
                    n=n,
                    note=_swap_note(units, swapped.p),
                )
            )
    return [*rows, *_attack(attacked)] if attacked is not None else rows


def _copies(name: str, of: CopyShares) -> list[MemorisationMeasure]:
    n, m = len(of.pool), len(of.held_out)
    rough = "; with so few of them that is rough." if m < FEW else "."
    found = [("copy_share", share(of.pool), float(of.held_out.mean()) if m else nan,
              f"Expected is what {m} held-out real images give{rough}")]  # fmt: skip
    if of.unseen is not None:
        found.append(
            (
                "unseen_copy_share",
                share(of.unseen),
                nan,
                "The same pool searched among the held-out images, of which it cannot hold copies: the false flags "
                "that its own smoothness gives.",
            )
        )
    return [_row(name, measure, value, expected, n, note) for measure, value, expected, note in found]


def _swap_note(units: Units, p: float) -> str:
    if isnan(p):
        return (
            f"Held-out {'patients' if units.known else 'images'} are too few ({units.held_out}; at least "
            f"{FEWEST_HELD_OUT} are needed) to tell what is expected."
        )
    return (
        f"Expected and interval: {SWAPS} times, {units.words} were swapped between training and held-out part, as many "
        f"of each class; DCR and C_T of all images together have p = {p:.3f}."
    )


def _attack(attacked: Attack) -> list[MemorisationMeasure]:
    note = f"{attacked.members} trained against {attacked.non_members} held-out patients (images where unknown)."
    exact = f"{note} The interval is conservative: it holds the luck of the threshold too." + (
        f" A false positive rate of {100 * FALSE_POSITIVES:g} % needs {round(1 / FALSE_POSITIVES)} held-out ones."
        if isnan(attacked.true_positives.value)
        else ""
    )
    return [
        _row("", "attack_auc", attacked.auc, 0.5, attacked.members, note),
        _row("", "attack_tpr", attacked.true_positives, FALSE_POSITIVES, attacked.members, exact),
    ]


def _row(name: str, measure: str, found: Share, expected: float, n: int, note: str) -> MemorisationMeasure:
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
