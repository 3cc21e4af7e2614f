"""From a manifest to a split that can be frozen: audit, remedies, split, audit again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets import copies, remedies, splitting
from engine.datasets.audit import audit, blocking
from engine.datasets.dataset import frozen_now, reason_not_to_freeze, write_manifest
from engine.store.files import write_json

MEASURED = ("near", "spread")
"""Columns that `copies.measure` adds; they are not kept in manifest.csv."""


def settle(manifest: pd.DataFrame, config: ImportConfig, folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The manifest after remedies and split, and the audit: findings before (`found`) and after (`findings`).

    `folder` holds the images. A manifest that was settled before starts again from the source's own splits.
    """
    manifest = manifest.copy()
    if "given" in manifest:
        manifest["split"] = manifest["given"]
    manifest["excluded"] = ""
    measured = copies.measure(manifest, folder)
    found = audit(measured, folder)
    measured = splitting.assign(remedies.apply(measured, config.remedies), config)
    measured = splitting.cut_training(measured, config.train_per_class, config.seed)
    record = {"found": found, "remedies": list(config.remedies), "findings": audit(measured, folder)}
    return measured.drop(columns=list(MEASURED)), record


def write_settled(
    folder: Path, manifest: pd.DataFrame, info: dict[str, Any], config: ImportConfig, freeze: bool
) -> None:
    """Write manifest.csv and dataset.json; with `freeze` frozen, if no grave finding is left.

    `info` holds the new audit. Why a split is left open is recorded in `not_frozen`.
    """
    left = blocking(info["audit"]["findings"])
    info = {**info, "config": config.plain(), "frozen": None, "not_frozen": ""}
    if left:
        info["not_frozen"] = reason_not_to_freeze(left)
    elif freeze:
        info["frozen"] = frozen_now(manifest, info, [])
    else:
        info["not_frozen"] = "Its split was left open for changes."
    write_manifest(folder / "manifest.csv", manifest)
    write_json(folder / "dataset.json", info)
