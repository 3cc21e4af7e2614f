"""Data sets that hold the images of another one, as hard links where the disk allows it, with a split of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from engine.datasets.audit import audit, blocking
from engine.datasets.dataset import Dataset, frozen_now, reason_not_to_freeze, write_both
from engine.datasets.image_stats import MEASURED, keep_measures
from engine.datasets.making import new_dataset
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.read_only import refuse_writing


def write_derived(
    dataset: Dataset, name: str, manifest: pd.DataFrame, label: str, provenance: dict[str, Any], refusal: str
) -> None:
    """Make the frozen data set `name` from `dataset` with another manifest (as `image_stats.measured` gives it), all of
    its folder or nothing.

    `provenance` is what makes it another one. An `ErsatzError` that begins with `refusal` when its split has a finding
    that blocks and that was not accepted for `dataset`.
    """
    findings = audit(manifest, dataset.path)
    accepted = dataset.info.frozen.accepted if dataset.info.frozen else ()
    if grave := [finding for finding in blocking(findings) if finding["name"] not in accepted]:
        raise ErsatzError(f"{refusal} {reason_not_to_freeze(grave)}")
    looked, manifest = manifest, manifest.drop(columns=list(MEASURED))
    info = dataset.info.model_copy(
        update={
            "name": name,
            "label": label,
            "config": {**dataset.info.config, "name": name},
            "audit": dataset.info.audit.model_copy(update={"findings": findings}),
            "provenance": dataset.info.provenance.model_copy(update=provenance),
            "frozen": frozen_now(manifest, dataset.info, blocking(findings)),
        }
    )
    with new_dataset(dataset.home, name) as folder:
        for path in manifest["path"]:
            link(dataset.path / path, folder / path)
        keep_measures(folder, looked)
        write_both(folder, manifest, info)


def link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no such links."""
    refuse_writing(target)
    disk.make_folder(target.parent)
    try:
        disk.link(source, target)
    except FileNotFoundError:
        raise ErsatzError(
            f"{source} is missing; the image as imported is expected. Restore it, or import the data again."
        ) from None
    except OSError:
        disk.copy(source, target)
