"""One-click remedies for what the audit finds. They mark rows of the manifest; no image is deleted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.datasets.audit import name_prefixes
from engine.datasets.copies import BLANK_SPREAD, GIVEN_GROUP, joined
from engine.datasets.manifest import is_usable, usable
from engine.store.errors import ErsatzError

GROUPING = frozenset({"group-by-name", "join-groups"})
"""The remedies that change groups; the others leave images out."""

_FIRST_TO_KEEP = ("test", "valid", "train", "")


def apply(manifest: pd.DataFrame, remedies: Sequence[str]) -> pd.DataFrame:
    """The manifest after each remedy, always in the order in which they make sense, whatever order is given.

    `drop-blank`, `drop-conflicts` and `drop-copies` write their name into `excluded`; `group-by-name` and `join-groups`
    change `group`, which every later split honours, and `join-groups` moves images between given splits (column `given`
    keeps the source's own splits, `given_group` its groups).
    Expects the columns that `copies.measure` adds. Raises `ErsatzError` for a remedy that does not exist.
    """
    if unknown := set(remedies) - set(_REMEDIES):
        raise ErsatzError(f"There is no remedy {sorted(unknown)[0]!r}; expected one of {', '.join(_REMEDIES)}.")
    manifest = manifest.copy()
    if "given" not in manifest:
        manifest["given"] = manifest["split"]
    if GIVEN_GROUP not in manifest and GROUPING & set(remedies):
        manifest[GIVEN_GROUP] = manifest["group"]
    for name, remedy in _REMEDIES.items():
        if name in remedies:
            remedy(manifest)
    return manifest


def _drop_blank(manifest: pd.DataFrame) -> None:
    _exclude(manifest, manifest["spread"] < BLANK_SPREAD, "drop-blank")


def _drop_conflicts(manifest: pd.DataFrame) -> None:
    """Drop every member of a set of copies that has more than one label: none can be trusted.

    Copies are the same pixels, or one picture beyond doubt; what only looks alike may differ in truth as in label.
    """
    rows = usable(manifest)
    for key in ("sha256", "near_twin"):
        members = rows[rows[key] != ""]
        conflicting = members.groupby(key)["class"].transform("nunique") > 1
        _exclude(manifest, manifest.index.isin(members.index[conflicting]), "drop-conflicts")


def _drop_copies(manifest: pd.DataFrame) -> None:
    """Keep one of each set of exact copies: the one in the test set if there is one, else in valid, else in train.

    A given test set so keeps every different picture it had, and results stay comparable with others on that set;
    what is lost is training images, which costs accuracy at most, where the other way round would cost evidence.
    Copies with different labels are left to `drop-conflicts`: keeping one would be choosing a label.
    """
    rows = usable(manifest)
    agreed = rows.groupby("sha256")["class"].transform("nunique") == 1
    order = rows[agreed]["split"].map(_FIRST_TO_KEEP.index).sort_values(kind="stable").index
    extra = rows.loc[order, "sha256"].duplicated()
    _exclude(manifest, manifest.index.isin(order[extra]), "drop-copies")


def _group_by_name(manifest: pd.DataFrame) -> None:
    """Read the group of images that have none from what stands before the last number of their file name."""
    manifest["group"] = manifest["group"].where(manifest["group"] != "", name_prefixes(manifest))


def _join_groups(manifest: pd.DataFrame) -> None:
    """Make one group of whatever shares a patient or a picture, and bring each group into one split.

    Patients that share a picture become one group named after both. A group in several given splits goes where most
    of its images are, which moves the fewest; a tie goes to the test set first.
    """
    rows = usable(manifest).copy()
    rows["set"] = joined(len(rows), rows["group"], rows["sha256"], rows["near"])
    for _, members in rows[rows.groupby("set")["path"].transform("size") > 1].groupby("set"):
        names = sorted(set(members["group"]) - {""})
        manifest.loc[members.index, "group"] = "+".join(names) or f"copies-{members['sha256'].iloc[0][:8]}"
        counts = members["split"].value_counts()
        best = min(counts.index, key=lambda split: (-counts[split], _FIRST_TO_KEEP.index(split)))
        manifest.loc[members.index, "split"] = best


def _exclude(manifest: pd.DataFrame, mask: pd.Series | np.ndarray, name: str) -> None:
    manifest.loc[mask & is_usable(manifest), "excluded"] = name


_REMEDIES = {
    "drop-blank": _drop_blank,
    "drop-conflicts": _drop_conflicts,
    "drop-copies": _drop_copies,
    "group-by-name": _group_by_name,
    "join-groups": _join_groups,
}
