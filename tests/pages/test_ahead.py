"""What is computed while nobody waits: once, in turn, and without a word where it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.datasets.previewing import preview
from engine.store.home import Home
from pages.components import ahead
from pages.components.ahead import compute_ahead
from tests import fabricated
from tests.pages.conftest import OpenPage

Computing = Callable[..., None]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pages compute ahead while the test waits for it; what was asked for."""
    asked: list[Any] = []

    def compute(what: Any, works: Sequence[Callable[[], object]], kept: float = 0.0) -> None:
        asked.append(what)
        for work in works:
            work()

    for module in ("datasets.preview", "evaluate.planning", "evaluate.results"):
        monkeypatch.setattr(f"pages.{module}.compute_ahead", compute)
    return asked


@pytest.fixture
def ahead_now(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The thread does not wait; a call returns once it has done all that it was asked for."""
    monkeypatch.setattr(ahead, "DELAY", 0.0)

    def rest() -> None:
        done = threading.Event()
        compute_ahead(object(), [done.set])
        assert done.wait(30)

    return rest


def test_each_is_computed_once_and_what_fails_stops_nothing(ahead_now: Callable[[], None]) -> None:
    done: list[str] = []
    name = object()

    def fail() -> None:
        raise ValueError("damaged")

    for _ in range(2):
        compute_ahead((name, "a"), [lambda: done.append("first"), fail, lambda: done.append("second")])
    compute_ahead((name, "b"), [lambda: done.append("third")])
    ahead_now()
    assert done == ["first", "second", "third"]


def test_what_a_cache_has_forgotten_is_computed_again(
    ahead_now: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[float] = []
    name, clock = object(), [100.0]
    monkeypatch.setattr(ahead.time, "monotonic", lambda: clock[0])
    for now in (100.0, 159.0, 161.0):
        clock[0] = now
        compute_ahead(name, [lambda now=now: done.append(now)], kept=60.0)
    ahead_now()
    assert done == [100.0, 161.0]


def test_the_phantom_is_looked_at_before_it_is_chosen(
    home: Home, open_page: OpenPage, at_once: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr("pages.datasets.preview.preview", lambda *told: looked.append(told[0].layout) or preview(*told))
    app = open_page("datasets")
    assert looked == ["phantom"]
    next(group for group in app.get("button_group") if group.key == "way").set_value("phantom").run()
    assert not app.exception
    assert "320" in [metric.value for metric in app.metric]
    assert looked == ["phantom"]


def test_a_sweep_has_its_other_figures_and_the_next_plan_ready(
    home: Home, open_page: OpenPage, at_once: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = fabricated.make_everything(home)
    app = open_page("evaluate", run=sweep.id)
    assert [what[0] for what in at_once] == ["sweep", "new sweep"]
    for later in ("engine.report.outcomes.mean_curves", "pages.evaluate.results.figure_sweep"):
        monkeypatch.setattr(later, None)  # a call would fail
    for metric in ("sensitivity", "auroc"):
        chosen = next(box for box in app.selectbox if box.label == "Metric")
        chosen.set_value(metric).run()
        assert not app.exception
    app.session_state["table"] = "Curves"
    app.run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 3, "the sweep's, and both curves"
