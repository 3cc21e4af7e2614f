"""The data set that a fold is of, found by the hash of its split."""

from __future__ import annotations

from engine.datasets.dataset import Dataset
from engine.store.errors import ErsatzError


def parent_of(fold: Dataset) -> Dataset | None:
    """The data set that a fold is of; None of other data sets, and where that one is gone or another one now."""
    fact = fold.info.provenance.fold
    if not fact or not (fold.home.dataset(fact["parent"]) / "dataset.json").is_file():
        return None
    try:
        parent = Dataset.open(fold.home, fact["parent"])
    except ErsatzError:  # damaged
        return None
    return parent if parent.fingerprint == fact["parent_fingerprint"] else None
