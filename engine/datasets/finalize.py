"""From a manifest to a split that can be frozen: audit, remedies, split, moves by hand, audit again."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets import remedies, splitting
from engine.datasets.audit import audit, blocking
from engine.datasets.copies import GIVEN_GROUP
from engine.datasets.dataset import frozen_now, reason_not_to_freeze, write_both
from engine.datasets.dataset_info import Audit, DatasetInfo
from engine.datasets.findings import Finding
from engine.datasets.image_stats import MEASURED, keep_measures, measured
from engine.datasets.manifest import is_usable, usable
from engine.datasets.watched import UNWATCHED, Watched

MOVED = "moved"
"""Column of the split to which an image was moved by hand; '' for all others."""

OUT_BY_HAND, BY_HAND = "out_by_hand", "by-hand"
"""Column of the images that a person left out, and why they are, in `excluded`."""


def settle(
    manifest: pd.DataFrame, config: ImportConfig, folder: Path, watched: Watched = UNWATCHED
) -> tuple[pd.DataFrame, Audit]:
    """The manifest after remedies, split and moves, and the audit: findings before (`found`) and after (`findings`).

    `folder` holds the images. A manifest that was settled before starts again from the source's own splits and groups.
    """
    looked = measured(as_given(manifest), folder, watched)
    keep_measures(folder, looked)
    found = audit(looked, folder)
    settled = moved_by_hand(splitting.assign(remedies.apply(looked, config.remedies), config))
    settled = splitting.cut_training(settled, config.train_per_class, config.seed)
    record = Audit(findings=audited(settled, config, folder), found=found, remedies=config.remedies)
    return settled.drop(columns=list(MEASURED)), record


def audited(manifest: pd.DataFrame, config: ImportConfig, folder: Path) -> list[Finding]:
    """Findings about a settled manifest; shares that images were moved away from by hand are not missed."""
    by_lot = MOVED not in manifest or (manifest[MOVED] == "").all()
    return audit(manifest, folder, splitting.wanted_shares(manifest, config) if by_lot else None)


def as_given(manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest as the source gave it: its own splits and groups, nothing left out but by a person."""
    manifest = manifest.copy()
    for column, given in (("split", "given"), ("group", GIVEN_GROUP)):
        if given in manifest:
            manifest[column] = manifest[given]
    manifest["excluded"] = ""
    if OUT_BY_HAND in manifest:
        manifest.loc[manifest[OUT_BY_HAND] != "", "excluded"] = BY_HAND
    return manifest


def moved_by_hand(manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest with every image moved by hand in the split it was moved to; what remains must be sound."""
    if MOVED not in manifest:
        return manifest
    moved = (manifest[MOVED] != "") & is_usable(manifest)
    manifest = manifest.assign(split=manifest["split"].mask(moved, manifest[MOVED]))
    splitting.check(usable(manifest))
    return manifest


def write_settled(folder: Path, manifest: pd.DataFrame, info: DatasetInfo, config: ImportConfig, freeze: bool) -> None:
    """Write manifest.csv and dataset.json; with `freeze` frozen, if no grave finding is left.

    `info` holds the new audit. Why a split is left open is recorded in `not_frozen`.
    """
    left = blocking(info.audit.findings)
    frozen, reason = None, ""
    if left:
        reason = reason_not_to_freeze(left)
    elif freeze:
        frozen = frozen_now(manifest, info, [])
    else:
        reason = "Its split was left open for changes."
    state = {"config": config.plain(), "settled": time.time(), "frozen": frozen, "not_frozen": reason}
    write_both(folder, manifest, info.model_copy(update=state))
