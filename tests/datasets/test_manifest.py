"""A row of a manifest is either usable or left out."""

from __future__ import annotations

import pandas as pd

from engine.datasets.manifest import is_usable, left_out, usable


def test_every_row_is_usable_or_left_out() -> None:
    manifest = pd.DataFrame({"path": list("abcd"), "excluded": ["", "drop-copies", "", "by hand"]})
    assert is_usable(manifest).tolist() == [True, False, True, False]
    assert usable(manifest)["path"].to_dict() == {0: "a", 2: "c"}
    assert left_out(manifest)["path"].to_dict() == {1: "b", 3: "d"}
    assert usable(left_out(manifest)).empty
