"""A link to what is not here says so, whatever the page shows instead."""

from __future__ import annotations

import pytest

from engine.store.home import Home
from tests import fabricated
from tests.pages.conftest import OpenPage, texts

GONE = "20200101-000000-gone-00000000"


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("evaluate", {"run": GONE}),
        ("evaluate", {"view": "New sweep", "pool": GONE}),
        ("evaluate", {"view": "New sweep", "again": GONE}),
        ("evaluate", {"compare": GONE}),
        ("quality", {"run": GONE}),
        ("train", {"view": "new", "from": GONE}),
    ],
)
def test_a_run_that_is_gone_is_named_once(page: str, query: dict[str, str], open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    fabricated.make_training(home, "bleed")
    assert texts(open_page(page, **query)).count(f"There is no run {GONE} here") == 1


def test_a_run_of_another_kind_is_said_to_be_no_sweep(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    training = fabricated.make_training(home, "bleed")
    assert "which is no sweep" in texts(open_page("evaluate", run=training.id))
    assert "which is no sweep" not in texts(open_page("evaluate", run=training.id, view="New sweep"))
