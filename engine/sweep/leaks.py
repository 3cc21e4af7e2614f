"""What a sweep refuses to start on: leaks between generator and test, pools of another data set, folds that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from engine.configs import SweepConfig
from engine.configs.evaluation import Fold
from engine.datasets.dataset import COLUMNS, Dataset
from engine.datasets.patients import known_of
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.sweep.arms import require_enough
from engine.sweep.external import refuse_unfit
from engine.sweep.splits import Split, named_splits, pool_part


def refuse_unsound(config: SweepConfig, splits: Sequence[Split], external: Dataset | None = None) -> None:
    """Raise `ErsatzError` with the reason when a sweep on these data sets and pools would prove nothing.

    `external`: the second test set, where there is one.
    """
    for named, split in zip(named_splits(config), splits, strict=True):
        dataset, pool = split.dataset, split.pool
        dataset.require_frozen()
        _refuse_changed(named, dataset, pool)
        _refuse_small(dataset)
        _refuse_unknown(config, dataset)
        pool.require_made_for(dataset)
        for part in ("test", "valid"):
            _refuse_leak(dataset, pool, part)
        counts = {name: len(dataset.rows("train", name)) for name in dataset.classes}
        rows = pool_part(split, config)[0]
        makers = pool.makers(rows)
        made = [rows["class"][makers.of == number].value_counts() for number in range(makers.count)]
        available = {name: min(int(of.get(name, 0)) for of in made) for name in dataset.classes}
        require_enough(config, counts, available, makers.count)
    _refuse_uneven(config, splits)
    _refuse_overlap([split.dataset for split in splits])
    if external is not None:
        refuse_unfit(config, external, splits)


def _refuse_uneven(config: SweepConfig, splits: Sequence[Split]) -> None:
    """Several generators a class take turns over the seeds, each as often as the others and alike in every fold."""
    counts = sorted({split.pool.generators_a_class for split in splits})
    if len(counts) > 1:
        raise ErsatzError(
            f"The pools of the folds have {' and '.join(map(str, counts))} generators a class; equally many are "
            "expected. Make the pools of all folds from as many generators."
        )
    (count,) = counts
    if config.claims and config.seeds % count:
        more = config.seeds + count - config.seeds % count
        raise ErsatzError(
            f"The pool has {count} generators a class, which take turns, and {config.seeds} seeds do not share them "
            f"evenly; a multiple of {count} is expected. Set seeds to {more}."
        )


def _refuse_changed(named: Fold, dataset: Dataset, pool: Pool) -> None:
    dataset.require_fingerprint(named.dataset_fingerprint, "This sweep")
    if named.pool_sha256 and named.pool_sha256 != pool.sha256:
        raise ErsatzError(
            f"The pool {named.pool} was changed since this sweep was set up (images made again or excluded). "
            "Set up a new sweep."
        )


def _refuse_unknown(config: SweepConfig, dataset: Dataset) -> None:
    """Classes, metadata columns or patients that the config names and the data set does not have."""
    if unknown := [name for name in config.extra_classes if name not in dataset.classes]:
        raise ErsatzError(
            f"extra_classes names {', '.join(unknown)}; {dataset.name} has the classes {', '.join(dataset.classes)}. "
            "Name some of these, or none for all."
        )
    if unknown := [name for name in config.subgroups if name in COLUMNS or name not in dataset.manifest]:
        raise ErsatzError(
            f"subgroups names {', '.join(unknown)}, which is no metadata column of {dataset.name}. "
            "Import the data with these metadata columns, or leave the subgroups out."
        )
    if config.level == "patient" and not known_of([dataset], "test").any:
        raise ErsatzError(
            f"level is patient, but {dataset.name} knows the patient of no test image (sets of copies are no "
            "patients). Import it with a group column, or set level to image."
        )


def _refuse_overlap(folds: Sequence[Dataset]) -> None:
    """Folds must be splits of the same images, and each image and patient be tested in one of them at most."""
    first = folds[0]
    images = [set(fold.manifest["sha256"]) for fold in folds]  # each fold leaves out others to keep its training small
    for fold, found in zip(folds, images, strict=True):
        same_form = (fold.classes, fold.size, fold.mode) == (first.classes, first.size, first.mode)
        if not same_form or found != images[0]:
            raise ErsatzError(
                f"The folds {first.name} and {fold.name} are not splits of the same images; a cross-validation tests "
                "each image of one data set once. Make the folds from one data set."
            )
    for one, other in combinations(folds, 2):
        for column, what in (("sha256", "images"), ("group", "patients or groups")):
            both = (set(one.rows("test")[column]) & set(other.rows("test")[column])) - {""}
            if both:
                raise ErsatzError(
                    f"{len(both)} {what} are in the test parts of both {one.name} and {other.name}; in a "
                    "cross-validation each is tested once at most. Make the folds from one data set."
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
