"""A home made by an earlier version opens on every page, and its report is written again with the same numbers.

`tests/homes/before-the-redesign.zip` is a demo of seconds on the phantom, made by the version before there were
`engine.jobs.kinds`, `engine.publications` and ids of checks; without snapshots and logs, to be small.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from engine.api import Run, Workspace
from engine.datasets.dataset import Dataset
from engine.jobs.kinds import parse_config, result_of
from engine.report.html import write_report
from engine.report.pool_verdict import FAR
from engine.sampling.sampler import Sampler
from engine.store.files import read_json
from engine.store.home import Home
from engine.store.runs import State, list_runs
from engine.sweep.checks import check_id
from pages.components.pool_standing import TITLES

ARCHIVE = Path(__file__).parents[1] / "homes" / "before-the-redesign.zip"


@pytest.fixture
def old(home: Home) -> Home:
    """The home of the test, with what is in the archive."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home.root)
    return home


def run_of(home: Home, kind: str) -> Run:
    return Workspace(home.root).runs(kind)[0]


def test_every_run_and_config_is_read(old: Home) -> None:
    runs = list_runs(old)
    assert sorted(run.kind for run in runs) == ["import", "journey", "pool", "quality", "sweep", "train", "train"]
    for run in runs:
        assert run.state() is State.FINISHED and run.status().beside == 1
        config = parse_config(run.config())
        assert config.plain() | run.config() == config.plain() or run.kind == "journey"  # which has a size now
    sweep = result_of(run_of(old, "sweep"))
    journey = result_of(run_of(old, "journey"))
    assert (journey.verdict, journey.sentence) == (sweep.verdict, sweep.sentence)
    assert sorted(journey.runs()) == sorted(run.id for run in runs if run.kind != "journey")
    assert result_of(run_of(old, "quality")).flags == {"copy": 0, "near-copy": 0, "repeat": 0}
    assert [alarm.kimg for alarm in run_of(old, "train").status().alarms] == [0.4]
    dataset = Dataset.open(old, "phantom")
    dataset.require_frozen()
    assert dataset.classes == ["bleed", "normal"]
    assert Sampler.open(run_of(old, "train").path, "cpu").sample([3]).shape == (1, 32, 32, 1)


def test_the_report_has_the_same_numbers(old: Home) -> None:
    """But for the intervals of arms, which are made anew from the trials and by Student's t where seeds are few."""
    sweep = run_of(old, "sweep")
    before = {path.name: pd.read_csv(path) for path in sweep.path.glob("*.csv")}
    assert len(before) > 8
    text = write_report(sweep).read_text()
    assert sweep.status().result["sentence"] in text
    for name, table in before.items():
        found = pd.read_csv(sweep.path / name).rename(columns={"p_corrected": "p_holm"})
        if name == "cells.csv":
            found, table = (one.drop(columns=["low", "high"]) for one in (found, table))
        pd.testing.assert_frame_equal(found[list(table)], table)
        assert found.drop(columns=list(table)).isna().all(axis=None), "nothing is known that was not"


def test_checks_without_ids_are_known_by_their_words(old: Home) -> None:
    checks = read_json(run_of(old, "sweep").path / "summary.json")["checks"]
    assert checks and all("id" not in check for check in checks)
    assert all(check_id(check) for check in checks)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("overview", "journey"),
        ("datasets", "import"),
        ("train", "train"),
        ("generate", "train"),
        ("quality", "quality"),
        ("evaluate", "sweep"),
        ("review", ""),
        ("runs", "sweep"),
    ],
)
def test_every_page_opens(old: Home, open_page: Callable, page: str, kind: str) -> None:
    app = open_page(page, **({"run": run_of(old, kind).id} if kind else {}))
    assert not app.exception
    assert [error.value for error in app.error if TITLES[FAR] not in error.value] == []  # its pool is a red one
    assert app.title
