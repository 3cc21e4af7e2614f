"""Whether a split's parts share a picture or a patient: looked for again wherever a frozen split is used.

The audit has refused such a split before it was frozen. This asks the manifest itself, so that neither a crash, an
older version nor a hand in the files lets a classifier be tested on what it was trained on.
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

LEAKS = {
    "sha256": ("exact-copies-across-splits", "picture"),
    "group": ("group-across-splits", "patient or group"),
}
"""Column of the manifest -> the audit's name for a value that is in two parts, and what such a value is."""


def shared_by_parts(rows: pd.DataFrame, column: str) -> int:
    """How many values of `column` (not '') are in more than one part of the split of `rows`, those that count."""
    known = rows[(rows[column] != "") & (rows["split"] != "")]
    pairs = known[[column, "split"]].drop_duplicates()
    return int((pairs[column].value_counts() > 1).sum())


def leak_between_parts(rows: pd.DataFrame, accepted: Collection[str] = ()) -> str:
    """Such as `5 pictures and 4 patients or groups in more than one part`; '' where there is none, or where it was
    accepted (`accepted`: names of findings) when the split was frozen.
    """
    counts = {what: shared_by_parts(rows, column) for column, (name, what) in LEAKS.items() if name not in accepted}
    found = [f"{count} {_several(what) if count > 1 else what}" for what, count in counts.items() if count]
    return f"{' and '.join(found)} in more than one part" if found else ""


def _several(what: str) -> str:
    return " or ".join(f"{word}s" for word in what.split(" or "))
