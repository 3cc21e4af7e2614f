"""Pages that show what the ledger of test sets knows: sealing, plans, the history of a sweep, its second judgement."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.configs import SweepConfig
from engine.datasets import seal
from engine.datasets.dataset import Dataset
from engine.report.html import write_report
from engine.store import ledger
from engine.store.home import Home
from engine.store.runs import Run, create_run, list_runs
from engine.sweep.plans import plans
from engine.sweep.rejudging import rejudge
from engine.sweep.verdict import FORMER_RULE, RULE
from pages.evaluate import rejudging
from tests.fabricated import CLASSES, make_dataset, make_pool_run, make_sweep, make_training
from tests.pages.conftest import OpenPage, press, texts
from tests.pages.test_old_homes import ARCHIVE


def test_a_test_part_is_sealed_with_the_split_hidden_and_revealed(home: Home, open_page: OpenPage) -> None:
    make_dataset(home, frozen=False)
    app = open_page("datasets")
    press(app, "Freeze")
    next(box for box in app.checkbox if box.label == "Seal the test part too").check()
    press(app, "Freeze", "Freeze the split")
    dataset = Dataset.open(home, "phantom")
    assert dataset.frozen and seal.is_sealed(dataset)
    app = open_page("datasets", view="images")
    said = texts(app)
    assert "No sweep may read the test images" in said and "24 more are sealed test images" in said
    hidden = {Path(source).name for source in dataset.rows("test")["source"]}
    shown = {button.label for button in app.button}
    assert not hidden & shown and {Path(s).name for s in dataset.rows("valid")["source"]} & shown
    press(app, "Reveal")
    press(app, "Reveal", "Reveal the test part")
    assert any("no reason" in error.value for error in app.error)
    press(app, "Reveal")
    next(box for box in app.text_input if box.label == "Reason").set_value("The final evaluation.")
    press(app, "Reveal", "Reveal the test part")
    assert not seal.is_sealed(dataset)
    assert [event["reason"] for event in ledger.events(home) if event["event"] == "reveal"] == ["The final evaluation."]


def test_a_plan_is_registered_and_started_as_it_is(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(home)
    pool = make_pool_run(home, [make_training(home, name) for name in CLASSES], images=40)
    started: list[SweepConfig] = []

    def submit(home: Home, config: SweepConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        started.append(config)
        return create_run(home, config.plain(), "sweep")

    monkeypatch.setattr("pages.components.runs.submit", submit)
    app = open_page("evaluate")
    assert "No sweep has read this test set yet" in texts(app)
    press(app, "Register this plan")
    (plan,) = plans(home)
    assert plan.sweep().pool == pool.id and plan.sweep().pool_sha256
    app = open_page("evaluate")
    assert plan.id in texts(app) and "no sweep had read its test images by then" in texts(app)
    press(app, "Start this plan")
    assert started == [plan.sweep()]
    make_sweep(home, pool)
    app = open_page("evaluate")
    app.get("button_group")[0].set_value("New sweep").run()
    assert "This would be the 2nd sweep that reads this test set" in texts(app)


@pytest.fixture
def old(home: Home) -> Run:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home.root)
    return list_runs(home, "sweep")[0]


def test_an_old_verdict_stands_and_todays_is_shown_beside_it(
    old: Run, open_page: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line would do it in a process of its own."""

    def run_cli(*words: str, seconds: float) -> None:
        if words[0] == "judge":
            rejudge(old, SweepConfig.build(old.config()))
        else:
            write_report(old, rejudged="--rejudged" in words)

    monkeypatch.setattr(rejudging, "run_cli", run_cli)
    app = open_page("evaluate", run=old.id)
    said = texts(app)
    assert f"Judged by the rule of its time ({FORMER_RULE})" in said
    assert "This is the first sweep that read this test set" in said
    press(app, "Judge again by today's rule")
    said = texts(app)
    assert said.count("Quick look, no verdict") == 2 and "**Judged again**" in said
    assert FORMER_RULE in said and RULE in said and "The first verdict, above, stands" in said
    assert "Report of the second judgement" in [button.label for button in app.get("download_button")]
