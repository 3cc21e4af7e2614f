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
    frozen: Frozen | None
    not_frozen: str = ""
    """Why the split is still open."""
    label: str = ""
    phantom: bool = False
    settled: float | None = None
    """When remedies, split and moves were last applied."""
