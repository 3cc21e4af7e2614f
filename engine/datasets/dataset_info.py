"""`dataset.json`: what a data set is, where it came from, what the audit found, and whether its split is frozen."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from engine.store.versioned import Result, Versioned

Mode = Literal["L", "RGB"]
"""Of the stored images, as Pillow names it: grey or colour."""


class _Kept(Result):
    """A part of the file that is written again: fields that are not known here stay in it."""

    model_config = ConfigDict(extra="allow")


class Frozen(_Kept):
    """When the split was frozen, and as what."""

    fingerprint: str
    """Hash of the split, see `dataset.fingerprint_of`."""
    time: float
    accepted: tuple[str, ...] = ()
    """Names of the grave findings that were accepted all the same."""
    sealed: bool = False
    """Whether the test part was sealed; the ledger says whether it was revealed since, see `seal`."""


class Audit(_Kept):
    """Findings (see `audit`) before the remedies and after them."""

    findings: list[dict[str, Any]]
    """As the data set is now."""
    found: list[dict[str, Any]] = Field(default_factory=list)
    """As it was imported."""
    remedies: tuple[str, ...] = ()


class Provenance(_Kept):
    """Where the images came from and what was done to all of them alike."""

    preprocessing: dict[str, Any]
    """Part of the fingerprint, so that it is kept as it was written."""
    source: str = ""
    layout: str = ""
    ersatz: str = ""
    """Version of the program that imported it."""
    images: int = 0
    """Images found; some may have been left out since."""
    labels: dict[str, list[str]] = Field(default_factory=dict)
    """Class -> the labels of the source that mean it."""
    notes: tuple[str, ...] = ()
    """What was left out or decided on the way, in sentences."""
    offers: tuple[str, ...] = ()
    """Other settings that the source suggests, in sentences."""
    modes: dict[str, int] = Field(default_factory=dict)
    bits: dict[str, int] = Field(default_factory=dict)
    colour_images: int = 0
    left_out: dict[str, str] = Field(default_factory=dict)
    """File that cannot be used -> reason."""
    time: float | None = None
    seconds: float | None = None
    fold: dict[str, Any] | None = None
    """Of a fold: its parent, its number and how the folds were drawn, see `folds.fold_of`."""
    held_back: dict[str, Any] | None = None
    """Of a data set without some training images: its parent and how they were drawn, see `holding_back`."""


class Positive(_Kept):
    """Which of two classes is positive, and who says so; see `positive_class`."""

    name: str
    origin: Literal["import", "names", "changed", "guessed"]
    """Named at the import, proposed by the names of the classes, changed since; or guessed, which is never written."""
    reason: str = ""
    """What in the names tells it, as a clause."""
    time: float | None = None
    """When it was changed."""


class DatasetInfo(Versioned):
    """The content of `dataset.json`. Fields that are not known here stay in it when it is written again."""

    model_config = ConfigDict(extra="allow")

    name: str
    classes: list[str]
    size: int
    mode: Mode
    audit: Audit
    provenance: Provenance
    config: dict[str, Any]
    """Settings of the import as they were written, whatever settings there are now."""
    positive: Positive | None = None
    """None of more than two classes, and of a data set that was imported before it was asked."""
    frozen: Frozen | None
    not_frozen: str = ""
    """Why the split is still open."""
    label: str = ""
    phantom: bool = False
    settled: float | None = None
    """When remedies, split and moves were last applied."""
    manifest_sha256: str = ""
    """Hash of the manifest.csv that this file is about, see `agreement`; '' of before it was kept."""
