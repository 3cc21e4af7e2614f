"""Nothing that came from outside is more than text on a page: no picture is fetched, no link or formula made."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from engine.report.html import write_report
from engine.store.home import Home
from engine.store.runs import list_runs
from pages.components.format import breakable, plain
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


class Tags(HTMLParser):
    """What a browser would carry out of an HTML file."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = [(name, value or "") for name, value in attributes]
        outside = [value for name, value in told if name in ("src", "href") and re.match(r"(?i)http|javascript", value)]
        if (
            "attacker" in str(outside)
            or any(name.startswith("on") for name, _ in told)
            or "javascript:" in str(outside)
        ):
            self.found.append(f"<{tag} {told}>")


def test_the_report_carries_out_nothing_either(home: Home) -> None:
    """Nor do the strings of its figures end the script that they stand in."""
    fill(home)
    page = write_report(list_runs(home, "sweep")[0]).read_text()
    tags = Tags()
    tags.feed(page)
    assert "attacker.example" in page, "else nothing was tested"
    assert tags.found == []
    assert "</script><a" not in page


def test_the_detector_sees_what_is_alive() -> None:
    assert len(lively(HOSTILE)) >= 4
    assert len(lively(f"a `b` {HOSTILE}`")) >= 1


def test_long_names_may_end_a_line_between_their_parts() -> None:
    name = "adenocarcinoma_left.lower.lobe_T2"
    shown = breakable(plain(name))
    assert shown.split("\u200b") == ["adenocarcinoma_", "left.", "lower.", "lobe_", "T2"]
    assert breakable("Seed 12 of P001_2.png") == "Seed 12 of P001_2.png", "short words stay whole"
