"""Remedies mark what the audit found, keep the test set, and join what belongs together."""

from __future__ import annotations

import pandas as pd
import pytest

from engine.datasets.remedies import apply
from engine.store.errors import ErsatzError


def manifest(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Rows of (class, split, group, sha256, near)."""
    table = pd.DataFrame(rows, columns=["class", "split", "group", "sha256", "near"])
    table.insert(0, "path", [f"{number}.png" for number in range(len(rows))])
    blank = {"near_twin": "", "near_turned": "", "excluded": ""}
    return table.assign(source=table["path"], spread=100.0, **blank)


def test_no_remedy_changes_nothing() -> None:
    before = manifest(("a", "train", "", "x", ""), ("b", "test", "", "x", ""))
    after = apply(before, ())
    pd.testing.assert_frame_equal(after[before.columns], before)


def test_of_copies_the_one_in_the_test_set_stays() -> None:
    after = apply(
        manifest(
            ("a", "train", "", "x", ""), ("a", "test", "", "x", ""), ("a", "valid", "", "x", ""),
            ("a", "train", "", "y", ""), ("a", "valid", "", "y", ""),
            ("a", "", "", "z", ""), ("a", "", "", "z", ""), ("a", "train", "", "w", ""),
        ),
        ("drop-copies",),
    )  # fmt: skip
    assert after.index[after["excluded"] == ""].tolist() == [1, 4, 5, 7]
    assert set(after["excluded"]) == {"", "drop-copies"}


def test_copies_with_two_labels_are_all_dropped_and_never_one_of_them_kept() -> None:
    before = manifest(
        ("a", "train", "", "x", ""), ("b", "train", "", "x", ""), ("a", "test", "", "x", ""),
        ("a", "train", "", "y", "near-001"), ("b", "train", "", "z", "near-001"), ("a", "train", "", "w", ""),
    )  # fmt: skip
    assert (apply(before, ("drop-copies",))["excluded"] == "").all()
    both = ("drop-copies", "drop-conflicts")
    assert apply(before, both)["excluded"].tolist() == ["drop-conflicts"] * 3 + [""] * 3, "alike is not the same"
    before["near_twin"] = ["", "", "", "twin-001", "twin-001", ""]
    assert apply(before, both)["excluded"].tolist() == ["drop-conflicts"] * 5 + [""]


def test_joined_groups_follow_their_majority_and_a_tie_goes_to_the_test_set() -> None:
    after = apply(
        manifest(
            ("a", "train", "P1", "1", ""), ("a", "train", "P1", "2", ""), ("a", "test", "P1", "3", ""),
            ("a", "train", "P2", "4", ""), ("a", "test", "P2", "5", ""),
            ("a", "valid", "P3", "6", ""),
        ),
        ("join-groups",),
    )  # fmt: skip
    assert after["split"].tolist() == ["train"] * 3 + ["test"] * 2 + ["valid"]
    assert after["given"].tolist() == ["train", "train", "test", "train", "test", "valid"]
    assert after["group"].tolist() == ["P1"] * 3 + ["P2"] * 2 + ["P3"]


def test_near_copies_join_the_groups_they_connect() -> None:
    after = apply(
        manifest(
            ("a", "train", "P1", "1", "near-001"), ("a", "test", "P2", "2", "near-001"), ("a", "test", "P2", "3", ""),
            ("a", "train", "", "44444444ff", "near-002"), ("a", "train", "", "5", "near-002"),
            ("a", "train", "", "6", ""), ("a", "train", "", "7", ""),
        ),
        ("join-groups",),
    )  # fmt: skip
    assert after["group"].tolist() == ["P1+P2"] * 3 + ["copies-44444444"] * 2 + ["", ""]
    assert after["split"][:3].tolist() == ["test"] * 3


def test_excluded_rows_take_no_part() -> None:
    before = manifest(("a", "train", "P1", "1", ""), ("b", "test", "P1", "1", ""), ("a", "train", "", "2", ""))
    before.loc[1, "excluded"] = "drop-blank"
    after = apply(before, ("drop-conflicts", "drop-copies", "join-groups"))
    assert after["excluded"].tolist() == ["", "drop-blank", ""]
    assert after["split"].tolist() == ["train", "test", "train"]


def test_blank_images_are_dropped() -> None:
    before = manifest(("a", "", "", "1", ""), ("a", "", "", "2", ""))
    before["spread"] = [3.0, 90.0]
    assert apply(before, ("drop-blank",))["excluded"].tolist() == ["drop-blank", ""]


def test_groups_are_read_from_names_only_where_none_is_known() -> None:
    before = manifest(("a", "", "", "1", ""), ("a", "", "X", "2", ""), ("a", "", "", "3", ""))
    before["source"] = ["in/P012_slice3.png", "P013_1.png", "other.png"]
    assert apply(before, ("group-by-name",))["group"].tolist() == ["P012", "X", ""]


def test_an_unknown_remedy_is_refused_by_name() -> None:
    with pytest.raises(ErsatzError, match=r"no remedy 'pray'.*drop-copies"):
        apply(manifest(("a", "", "", "1", "")), ("pray",))
