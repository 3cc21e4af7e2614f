"""A second test set: every classifier of a sweep is read on another data set too, such as another hospital's.

All images of that data set are read, whichever part they are in, for nothing here was trained on any of them. The
trials are the same: their training, their choice of weights and their test images do not know of it. What it shows
stands beside the result on the sweep's own test images and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.patients import PATIENT, with_patients
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.sweep.analysis_units import EXTERNAL_SCORES
from engine.sweep.splits import Split

EXTERNAL_FILE = "external_images.csv"
EXTERNAL_FOLD = -1
"""What stands for the fold where the reading of the external images is recorded."""


def open_external(home: Home, config: SweepConfig) -> Dataset | None:
    """The external data set that the config names; an `ErsatzError` when it is absent or was changed since."""
    if not config.external:
        return None
    dataset = Dataset.open(home, config.external)
    dataset.require_frozen()
    dataset.require_fingerprint(config.external_fingerprint, "This sweep")
    return dataset


def refuse_unfit(config: SweepConfig, external: Dataset, splits: Sequence[Split]) -> None:
    """Raise `ErsatzError` where the external images have another form or other classes, or were seen in training."""
    own = splits[0].dataset
    if (external.size, external.mode) != (own.size, own.mode):
        raise ErsatzError(
            f"The external data set {external.name} has {external.mode} images of {external.size} px, and {own.name} "
            f"{own.mode} of {own.size} px; the same form is expected. Import it again in that form."
        )
    rows = with_patients(external)
    there = sorted(set(rows["class"]))
    if there != sorted(own.classes):
        raise ErsatzError(
            f"The external data set {external.name} has images of the classes {', '.join(there)}, and {own.name} has "
            f"{', '.join(own.classes)}; the same are expected. Rename or drop classes when it is imported."
        )
    if config.level == "patient" and not (rows[PATIENT] != "").any():
        raise ErsatzError(
            f"level is patient, but {external.name} knows the patient of no image. Import it with a group column, or "
            "set level to image."
        )
    hashes = set(rows["sha256"])
    for split in splits:
        seen = {
            f"in the data set {split.dataset.name}": set(split.dataset.rows()["sha256"]),
            "among the images that the generators of the pool saw": split.pool.training_hashes,
            "in the pool": set(split.pool.rows()["sha256"]),
        }
        for where, others in seen.items():
            if both := len(hashes & others):
                raise ErsatzError(
                    f"Leak: {both} of the {len(hashes)} different images of the external data set {external.name} are "
                    f"{where} too; none is allowed. Leave them out of it, or choose another."
                )


def external_table(external: Dataset, folds: int) -> pd.DataFrame:
    """The external images in the order of their scores: the content of `external_images.csv`.

    Columns: path, class, group, known_patient, sha256, fold. In a cross-validation the classifier of every fold reads
    all of them, so that they stand there once a fold; an image of no group is then a group of its own, for it is the
    same image in every fold.
    """
    rows = with_patients(external)[["path", "class", "group", PATIENT, "sha256"]].fillna("")
    if folds > 1:
        alone = rows["group"] == ""
        rows = rows.assign(group=rows["group"].mask(alone, "image " + rows["sha256"]))
    tables = [rows.assign(fold=fold) for fold in range(folds)]
    if folds > 1:  # a patient counts once in each fold: the classifiers are not put together
        tables = [
            table.assign(**{PATIENT: rows[PATIENT].where(rows[PATIENT] == "", rows[PATIENT] + f", fold {fold}")})
            for fold, table in enumerate(tables)
        ]
    return pd.concat(tables, ignore_index=True)


def external_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with the scores of the external images in place of those of the test images."""
    return trials.drop(columns="scores").rename(columns={EXTERNAL_SCORES: "scores"})
