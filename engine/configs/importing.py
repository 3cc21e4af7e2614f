"""Config of an import: files as people keep them -> one frozen data set."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from engine.configs.base import Config
from engine.configs.windows import window_of

Layout = Literal["auto", "folder", "csv", "zip", "npz", "dicom", "phantom"]
Remedy = Literal["drop-copies", "drop-conflicts", "join-groups", "group-by-name", "drop-blank"]


class ImportConfig(Config):
    """What to import, in which form to keep it, and how to split it."""

    kind: Literal["import"] = "import"
    name: str
    """Name of the data set; its folder below the home's `datasets/`."""
    source: str = ""
    """Folder, CSV file, ZIP, .npz or DICOM folder, or a MedMNIST name (medmnist:pneumoniamnist); empty: the phantom."""
    layout: Layout = "auto"
    """How the source is laid out; auto looks at it."""
    folders: str = ""
    """What the levels of folders stand for, from the outermost: class, split, patient or - (nothing), such as
    split/class or class/patient; empty: found out, or asked. Levels below the last one named do not matter."""
    csv: str = ""
    """CSV with the labels, when it does not lie in the source folder alone."""
    csv_encoding: str = ""
    """Encoding of the CSV, such as cp1252 for an older Excel; empty: UTF-8."""
    csv_header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first line of the CSV names the columns; without names they are called 1, 2, ...; auto looks."""
    image_column: str = ""
    """CSV column with file names or ids; empty: guessed."""
    label_column: str = ""
    """CSV column with the class; empty: guessed."""
    group_column: str = ""
    """CSV column with the patient or other group that must stay in one split; empty: one named so; -: none."""
    split_column: str = ""
    """CSV column with the split (train, valid, test); empty: one whose name and values say so; -: none."""
    metadata_columns: tuple[str, ...] = ()
    """CSV columns to keep for subgroups in the evaluation, such as sex, age group or scanner."""
    class_names: dict[str, str] = Field(default_factory=dict)
    """Labels or folder names to rename, as found -> wanted; several may share one name (aliases)."""
    only_classes: tuple[str, ...] = ()
    """Import only these classes (names after renaming); empty: all."""
    positive: str = ""
    """Of two classes the positive one, the finding that is looked for (its name or its label); empty: as the names
    tell, or asked."""
    size: Literal[16, 32, 64, 128, 256, 512, 1024] = 64
    """Width and height of the stored images in pixels."""
    mode: Literal["auto", "L", "RGB"] = "auto"
    """Grey (L) or colour (RGB); auto looks at the pixels: colour if any image is in full colour or at least half are
    tinted, else grey, also of files with three equal channels."""
    resize: Literal["pad", "crop", "stretch"] = "pad"
    """How images become square: zero-pad, centre crop or stretch; the same for all images."""
    window: tuple[float, float] | None = None
    """Window of grey images of more than 8 bits as centre,width in their units (HU in CT), or its name: brain, stroke,
    subdural, bone, temporal-bone, lung, mediastinum, angio, soft-tissue, abdomen, liver, spine; none: each DICOM file's
    own, else one range for all."""
    frames: Literal["ask", "first", "middle", "all"] = "ask"
    """Frames, pages or slices to take of files that hold several; those of one file are of one patient."""
    every: int = Field(default=1, ge=1)
    """Of the frames or slices of a file or of a DICOM series: every n-th."""
    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    """Direction in which volumes (NIfTI) are cut into slices."""
    slice_values: tuple[float, float] | None = None
    """Only slices with values in this range (HU in CT) in at least 1 % of their pixels."""
    mask_suffix: str = ""
    """What the names of masks or of their folders end in, such as _mask, which are then never images; only slices with
    a marked pixel in the mask of their volume are taken. Empty: told from images by their names; -: there are none."""
    keep_ids: bool = False
    """Keep patient ids as DICOM files hold them; without it they are hashed with a salt of the home."""
    ignore_ids: bool = False
    """Ignore the patient ids of DICOM files, which anonymising may have made all alike."""
    split: Literal["auto", "given", "random"] = "auto"
    """Keep the source's splits (given), draw them (random), or given where they exist (auto)."""
    train_share: float = Field(default=0.7, gt=0, lt=1)
    """Share of images for training in a random split."""
    valid_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of images for validation in a random split; the rest is the test set."""
    split_counts: tuple[int, int, int] | None = None
    """Exact numbers of training, validation and test images of a random split; overrides the shares."""
    train_per_class: int = Field(default=0, ge=0)
    """Keep at most this many training images of each class, drawn by the seed, to study small sets; 0: all."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random split and of the phantom."""
    remedies: tuple[Remedy, ...] = ()
    """Audit findings to mend before the split."""
    max_pixels: int = Field(default=64_000_000, gt=0)
    """Largest width x height accepted of one source image (guards against decompression bombs)."""
    skip_unreadable: bool = False
    """Leave out files that cannot be used and record which; without it, one such file stops the import."""
    freeze: bool = True
    """Freeze the split after the import, unless the audit finds leaks or label conflicts."""

    @field_validator("window", mode="before")
    @classmethod
    def _named_window(cls, given: Any) -> Any:
        return window_of(given)

    @field_validator("window")
    @classmethod
    def _wide_window(cls, window: tuple[float, float] | None) -> tuple[float, float] | None:
        if window is not None and not (all(map(math.isfinite, window)) and window[1] > 0):
            raise ValueError("expected a finite centre and a width above 0")
        return window

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.train_share + self.valid_share >= 1:
            raise ValueError("train_share + valid_share must leave room for a test set (sum below 1)")
        if not self.source and self.layout not in ("phantom",):
            raise ValueError("source is empty; expected a folder, file or MedMNIST name unless layout is phantom")
        if self.folders:
            _check_folders(self.folders.split("/"))
        if self.slice_values is not None and self.slice_values[0] > self.slice_values[1]:
            raise ValueError("slice_values must be the lower value and then the upper one")
        return self


def _check_folders(levels: list[str]) -> None:
    unknown = [level for level in levels if level not in ("class", "split", "patient", "-")]
    if unknown:
        raise ValueError(f"folders has the level {unknown[0]!r}; class, split, patient and - are expected")
    twice = [level for level in levels if level != "-" and levels.count(level) > 1]
    if twice:
        raise ValueError(f"folders names {twice[0]} twice; once is expected, as in split/class")
    if "class" not in levels:
        raise ValueError("folders names no class; one level of classes is expected, as in split/class")
