"""What the audit says about a split as such: a share far from the one asked for, a test part too small to tell."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from engine.datasets.copies import GIVEN_GROUP, joined
from engine.datasets.findings import Finding, finding
from engine.datasets.smallest_difference import ASSUMED_ACCURACY, DISAGREEMENT, smallest_difference
from engine.datasets.splitting import SPLITS

FAR = 0.05
"""A split whose share of the images is further than this from the one asked for is worth a warning."""
TELLING = 0.10
"""A test part that cannot show a difference of 10 points of accuracy is worth a warning."""
FEWEST_OF_A_CLASS = 10
"""With fewer test images of a class, one image moves its sensitivity by more than 10 points."""


def uneven_split(rows: pd.DataFrame, wanted: tuple[float, float, float] | None) -> Iterator[Finding]:
    """Shares of all images that were split, `rows`, that are far from those `wanted`, with what made them so."""
    if wanted is None or rows.empty or (rows["split"] == "").any():
        return
    reached = rows["split"].value_counts(normalize=True).reindex(list(SPLITS), fill_value=0.0)
    if max(abs(reached[split] - share) for split, share in zip(SPLITS, wanted, strict=True)) <= FAR:
        return
    told = ("/".join(f"{100 * share:.0f}" for share in shares) for shares in (wanted, reached))
    yield finding(
        "uneven-split",
        "warning",
        len(rows),
        f"Wanted for training, validation and test were {next(told)} % of the images, reached {next(told)} %, "
        f"{_cause(rows, max(wanted[1:]))} would allow an even split.",
        [],
    )


def _cause(rows: pd.DataFrame, room: float) -> str:
    """What makes the shares uneven, and what more there should be."""
    units = pd.Series(joined(len(rows), rows["group"], rows["sha256"], rows["near"]), rows.index)
    more = f"more {_units(rows)}"
    sizes = units.value_counts(normalize=True)
    large = sizes[sizes > room]
    if large.empty and units.is_unique:
        return "since each split has a whole number of the few images of each class; more images"
    if large.empty:
        return f"since the images of a patient, and copies of a picture, stay together; {more}"
    named = _of_source(rows)[units == large.index[0]]
    what = "patient" if (named != "").any() else "set of copies"
    if len(large) == 1:
        return f"since one {what} has {100 * large.iloc[0]:.0f} % of the images; {more}"
    return f"since {len(large)} {what}s alone have {100 * large.sum():.0f} % of the images; {more}"


def _of_source(rows: pd.DataFrame) -> pd.Series:
    """The groups that the source names; those that a remedy made of copies or of file names are no patients."""
    return rows[GIVEN_GROUP] if GIVEN_GROUP in rows else rows["group"]


def _units(rows: pd.DataFrame) -> str:
    """What more of would help: patients where the source names them, else images."""
    return "patients" if (_of_source(rows) != "").any() else "images"


def small_test(rows: pd.DataFrame) -> Iterator[Finding]:
    """A test part that can hardly tell two classifiers apart, with the smallest difference that it could show."""
    test = rows[rows["split"] == "test"]
    if test.empty:
        return
    units = len(set(joined(len(test), test["group"], test["sha256"], test["near"])))
    difference = smallest_difference(units)
    by_class = test["class"].value_counts().reindex(sorted(rows["class"].unique()), fill_value=0)
    few = by_class[by_class < FEWEST_OF_A_CLASS]
    if difference is not None and difference <= TELLING and few.empty:
        return
    size, what = f"{len(test)} image{'s' * (len(test) != 1)}", _units(test)
    if (_of_source(test) != "").all():
        size += f" of {units} patient{'s' * (units != 1)}"
    elif units < len(test):
        size += f", {units} of them independent (what belongs together counts once)"
    right = f"{100 * ASSUMED_ACCURACY:.0f} %"
    if difference is None:
        limit = (
            f"no classifier could be shown to be better than one that is right for {right}, not even one without errors"
        )
    else:
        limit = (
            f"a classifier must be {100 * difference:.0f} points better than one that is right for {right} to be told "
            f"apart four times in five (p < 0.05, if they disagree on {100 * max(DISAGREEMENT, difference):.0f} %)"
        )
    of_class = "".join(f"; of class {name} it has {count}" for name, count in few.items()) if len(few) < 4 else ""
    yield finding(
        "small-test",
        "warning",
        len(test),
        f"The test part has {size}: {limit}{of_class}. Test on more {what}, or by cross-validation, which tests on "
        "all.",
        [],
    )
