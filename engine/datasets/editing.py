"""Changes to a data set whose split is not frozen yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.configs import ImportConfig
from engine.datasets.audit import audit
from engine.datasets.dataset import Dataset
from engine.datasets.settling import settle, write_settled
from engine.store.errors import ErsatzError
from engine.store.files import write_json

SPLIT_SETTINGS = frozenset({"split", "train_share", "valid_share", "split_counts", "train_per_class", "seed"})


def apply_remedies(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Apply further remedies, split again by the same settings and audit; the split stays open for a look at it."""
    before = dataset.info["config"]["remedies"]
    return _settle_again(dataset, {"remedies": [*before, *(name for name in names if name not in before)]})


def resplit(dataset: Dataset, changes: dict[str, Any]) -> Dataset:
    """Split again with other settings (`SPLIT_SETTINGS`), remedies kept, audit; the split stays open."""
    if others := set(changes) - SPLIT_SETTINGS:
        raise ErsatzError(
            f"{sorted(others)[0]} is no setting of the split; expected one of {', '.join(sorted(SPLIT_SETTINGS))}. "
            "Import the data again to change other settings."
        )
    return _settle_again(dataset, changes)


def reaudit(dataset: Dataset) -> list[dict[str, Any]]:
    """Audit the data set as it is, frozen or not, and record the findings; the split does not change."""
    findings = audit(dataset.manifest, dataset.path)
    info = {**dataset.info, "audit": {**dataset.info["audit"], "findings": findings}}
    write_json(dataset.path / "dataset.json", info)
    return findings


def _settle_again(dataset: Dataset, changes: dict[str, Any]) -> Dataset:
    if dataset.frozen:
        raise ErsatzError(
            f"The split of data set {dataset.name} is frozen, so that results on it stay comparable; only an open one "
            "can be changed. Import the data again under another name to change it."
        )
    config = ImportConfig.build({**dataset.info["config"], **changes})
    manifest, record = settle(dataset.manifest, config, dataset.path)
    write_settled(dataset.path, manifest, {**dataset.info, "audit": record}, config, freeze=False)
    return Dataset.open(dataset.home, dataset.name)
