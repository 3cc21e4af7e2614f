"""What the audit finds and what mends it, in words for people who see it for the first time."""

from __future__ import annotations

from typing import Any

from engine.datasets.finalize import BY_HAND

SEVERITIES: dict[str, tuple[Any, str, str]] = {
    "conflict": ("red", ":material/error:", "label conflict"),
    "leak": ("red", ":material/water_drop:", "leak"),
    "warning": ("orange", ":material/warning:", "warning"),
    "info": ("blue", ":material/info:", "for your information"),
}
"""Colour, icon and word of each severity, the gravest first."""

REMEDIES = {
    "drop-copies": "Keep one of each copy",
    "drop-conflicts": "Drop the conflicting images",
    "join-groups": "Move each group into one split",
    "group-by-name": "Group by file name",
    "drop-blank": "Drop the blank images",
}

WHAT_THEY_DO = {
    "drop-copies": "Of images that are the same to the pixel, one is kept (the one in the test set first).",
    "drop-conflicts": "Images that occur with two different labels are left out, all of them: none can be trusted.",
    "join-groups": "Whatever shows one patient or one picture becomes one group, and each group lies in one split.",
    "group-by-name": "What stands before the last number of a file name is taken for the patient, who then stays in "
    "one split.",
    "drop-blank": "Images with next to nothing on them are left out.",
}

FINDINGS = {
    "exact-copies-across-classes": "Same picture, two labels",
    "near-copies-across-classes": "Nearly the same picture, two labels",
    "look-alikes-across-classes": "Look alike, two labels",
    "exact-copies-across-splits": "Same picture in two splits",
    "near-copies-across-splits": "Nearly the same picture in two splits",
    "group-across-splits": "One patient in two splits",
    "exact-copies": "Same picture twice",
    "near-copies": "Nearly the same picture twice",
    "patients-in-names": "File names look like patients",
    "near-blank": "Blank or nearly blank",
    "class-counts": "Images by class",
    "tiny-classes": "Very small classes",
    "imbalance": "Unequal classes",
    "uneven-split": "Not the shares that were asked for",
    "small-test": "Test part too small to tell",
    "mixed-sizes": "Several sizes",
    "mixed-modes": "Several kinds of colour",
    "mixed-bit-depths": "Several bit depths",
}

OF_THE_WHOLE = frozenset(
    {"class-counts", "imbalance", "mixed-sizes", "mixed-modes", "mixed-bit-depths", "uneven-split", "small-test"}
)
"""Findings about the set, and not about some images in particular."""

LEFT_OUT = {
    **REMEDIES,
    "train-per-class": "Beyond the number of training images asked for",
    BY_HAND: "Left out by hand",
}
"""Why an image is left out."""

PROBLEMS = (
    ("0 bytes", "Copy the file again, or delete it."),
    ("max_pixels", "Raise “Max pixels” under More settings if you trust the file."),
    ("bomb", "Delete it, unless you know where it is from."),
    ("channels", "Save it as a grey or colour image."),
    ("", "Open it in an image viewer. If that fails too, delete it or export it again."),
)
"""What to do about a file that cannot be used, by what its reason says; the last fits all."""


def finding_title(name: str) -> str:
    """A finding in a few words."""
    return FINDINGS.get(name, name.replace("-", " ").capitalize())


def what_to_do(reason: str) -> str:
    """What to do about a file that cannot be used."""
    return next(advice for words, advice in PROBLEMS if words in reason)


def split_word(split: str) -> str:
    """A split as people call it."""
    return {"train": "training", "valid": "validation", "test": "test"}.get(split, split)
