"""What a sweep refuses to start on: leaks between generator and test, and pools of another data set."""

from __future__ import annotations

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError


def refuse_unsound(config: SweepConfig, dataset: Dataset, pool: Pool) -> None:
    """Raise `ErsatzError` with the reason when a sweep on this data set and pool would prove nothing."""
    dataset.require_frozen()
    _refuse_changed(config, dataset, pool)
    _refuse_small(dataset)
    pool.require_made_for(dataset)
    for split in ("test", "valid"):
        _refuse_leak(dataset, pool, split)


def _refuse_changed(config: SweepConfig, dataset: Dataset, pool: Pool) -> None:
    if config.dataset_fingerprint and config.dataset_fingerprint != dataset.fingerprint:
        raise ErsatzError(
            f"The data set {dataset.name} was changed since this sweep was set up; the split "
            f"{config.dataset_fingerprint[:12]}... was expected. Set up a new sweep."
        )
    if config.pool_sha256 and config.pool_sha256 != pool.sha256:
        raise ErsatzError(
            f"The pool {config.pool} was changed since this sweep was set up (images made again or excluded). "
            "Set up a new sweep."
        )


def _refuse_small(dataset: Dataset) -> None:
    if len(dataset.classes) < 2:
        raise ErsatzError(
            f"The data set {dataset.name} has one class; a classifier needs at least two. Import one with two classes."
        )
    for split in ("train", "valid", "test"):
        present = set(dataset.rows(split)["class"])
        absent = [name for name in dataset.classes if name not in present]
        if absent:
            raise ErsatzError(
                f"The {split} part of {dataset.name} has no image of the class {', '.join(absent)}; at least one of "
                "each class is expected. Import it again with another split."
            )


def _refuse_leak(dataset: Dataset, pool: Pool, split: str) -> None:
    held_out = set(dataset.rows(split)["sha256"])
    name = {"test": "test", "valid": "validation"}[split]
    seen = len(held_out & pool.training_hashes)
    if seen:
        raise ErsatzError(
            f"Leak: the generators of the pool were trained on {seen} of the {len(held_out)} different {name} images "
            f"of {dataset.name}; none is allowed. Train generators on the training split of this data set (drop copies "
            "when it is imported) and make a new pool."
        )
    copies = int(pool.rows()["sha256"].isin(held_out).sum())
    if copies:
        raise ErsatzError(
            f"Leak: {copies} images of the pool are identical to {name} images of {dataset.name}; none is allowed. "
            "Exclude them from the pool, and find out how they came there."
        )
