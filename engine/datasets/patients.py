"""Which patients are known: the groups of the source's own, not those that a remedy made to keep pictures together.

A data set's column `group` says what belongs together: a patient, images whose file names begin alike, or a set of
copies that `join-groups` joined. All of them are units for the split and for statistics, for they are not independent;
but only what the source itself named is a patient. This is the one place that tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.datasets.audit import name_prefixes
from engine.datasets.copies import GIVEN_GROUP
from engine.datasets.dataset import Dataset

PATIENT = "known_patient"
"""Column of a table of images with the patient of each; '' where unknown."""
BY_NAME = "group-by-name"
"""The remedy that reads groups from file names."""

_COPIES = r"copies-[0-9a-f]{8}"
"""What `join-groups` calls a set of copies of which no member had a group."""


@dataclass(frozen=True)
class Known:
    """What is known of the patients of some images."""

    images: int
    patients: int
    """Patients whom the source names; images of the same patient are known to be so."""
    named: int
    """Further groups that were read from the names of files, which are a guess at patients."""
    images_named: int
    """Images of those groups."""
    images_without: int
    """Images of which neither is known."""
    sets: int
    """Sets of copies that a remedy joined, of unknown patients."""
    torn: int
    """Patients and groups with images in several splits."""

    @property
    def any(self) -> bool:
        """Whether some images are known to be of one patient, or taken to be by their names."""
        return bool(self.patients or self.named)

    @property
    def all(self) -> bool:
        """Whether the source names the patient of every image."""
        return not (self.images_named or self.images_without)

    @property
    def words(self) -> str:
        """`12 patients`, `12 groups read from file names`, or both; empty where nothing is known."""
        parts = [_count(self.patients, "patient")] if self.patients else []
        parts += [f"{_count(self.named, 'group')} read from file names"] if self.named else []
        return " and ".join(parts)


def patients_of(dataset: Dataset) -> pd.Series:
    """The patient of each row of the manifest (by its index), '' where unknown.

    With the remedy `group-by-name` a file name stands in where the source names nobody, see `named_rows`.
    """
    given = _given(dataset)
    return given.where(given != "", name_prefixes(dataset.manifest)) if _by_name(dataset) else given


def named_rows(dataset: Dataset) -> pd.Series:
    """A mask of the manifest's rows whose patient was read from the name of the file, which is a guess."""
    given = _given(dataset)
    if not _by_name(dataset):
        return pd.Series(False, given.index)
    return (given == "") & (name_prefixes(dataset.manifest) != "")


def with_patients(dataset: Dataset, split: str | None = None) -> pd.DataFrame:
    """The rows that count, of one split if one is given, with the column `PATIENT`."""
    rows = dataset.rows(split)
    return rows.assign(**{PATIENT: patients_of(dataset)[rows.index]})


def patients_in(table: pd.DataFrame) -> pd.Series:
    """The patient of each row of a table of images, '' where unknown.

    Tables of before there was `PATIENT` have groups alone: those that are called sets of copies are no patients.
    """
    if PATIENT in table:
        return table[PATIENT].astype(str)
    groups = table["group"].astype(str)
    return groups.mask(groups.str.fullmatch(_COPIES), "")


def known_of(datasets: Iterable[Dataset], split: str | None = None) -> Known:
    """What is known of the patients of these data sets (the folds of one, or one), in one split if it is given."""
    parts = [with_patients(dataset, split).assign(named=named_rows(dataset), of=dataset.name) for dataset in datasets]
    rows = pd.concat(parts, ignore_index=True)
    named, known = rows["named"], (rows[PATIENT] != "") & ~rows["named"]
    unknown = rows[PATIENT] == ""
    joined = rows[unknown & (rows["group"] != "")]
    groups = rows[rows["group"] != ""].groupby(["of", "group"])["split"].nunique()
    return Known(
        images=len(rows),
        patients=int(rows.loc[known, PATIENT].nunique()),
        named=int(rows.loc[named, PATIENT].nunique()),
        images_named=int(named.sum()),
        images_without=int(unknown.sum()),
        sets=int(joined["group"].nunique()),
        torn=int((groups > 1).sum()),
    )


def clusters_in(table: pd.DataFrame) -> np.ndarray:
    """What belongs together `[N]`, as text: the group of each row; an image without one stands for itself."""
    group = table["group"].astype(str).to_numpy(object)
    alone = np.array([f"image {place}" for place in range(len(group))], object)
    return np.where(group != "", "group " + group, alone)


def _given(dataset: Dataset) -> pd.Series:
    """The source's own groups."""
    manifest = dataset.manifest
    if GIVEN_GROUP in manifest:
        return manifest[GIVEN_GROUP]
    return patients_in(manifest[["group"]])


def _by_name(dataset: Dataset) -> bool:
    return BY_NAME in (dataset.info.config.get("remedies") or ())


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
