"""Nothing that came from outside is more than text on a page: no picture is fetched, no link or formula made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.store.home import Home
from engine.store.runs import list_runs
from tests.pages.hostile_home import HOSTILE, alive, fill, lively

PAGES = [
    ("overview", "", {}),
    ("datasets", "", {"dataset": "phantom"}),
    ("datasets", "", {"dataset": "phantom", "part": "findings"}),
    ("datasets", "", {"view": "all"}),
    ("train", "train", {}),
    ("train", "", {"view": "new"}),
    ("generate", "train", {}),
    ("generate", "pool", {"view": "Pools"}),
    ("quality", "quality", {}),
    ("quality", "quality", {"view": "New check"}),
    ("evaluate", "sweep", {}),
    ("evaluate", "sweep", {"view": "New sweep"}),
    ("evaluate", "sweep", {"table": "Self-checks"}),
    ("review", "", {"view": "Comments"}),
    ("review", "pool", {"view": "Accept or reject"}),
    ("runs", "sweep", {}),
    ("runs", "train", {}),
    ("runs", "import", {}),
]


@pytest.mark.parametrize(("page", "kind", "query"), PAGES)
def test_no_page_carries_out_what_somebody_wrote(
    home: Home, open_page: Callable, page: str, kind: str, query: dict[str, str]
) -> None:
    fill(home)
    run = {"run": list_runs(home, kind)[0].id} if kind else {}
    assert alive(open_page(page, **run, **query)) == []


def test_the_detector_sees_what_is_alive() -> None:
    assert len(lively(HOSTILE)) >= 4
    assert len(lively(f"a `b` {HOSTILE}`")) >= 1
