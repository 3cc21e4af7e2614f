"""The commands around the ledger of test sets: plans, seals, who has read, and second judgements."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.datasets.dataset import Dataset
from engine.jobs import submit as jobs
from engine.store.home import Home
from engine.store.runs import Run, create_run, list_runs
from engine.sweep.verdict import FORMER_RULE, RULE
from tests.cli.conftest import Ending
from tests.fabricated import CLASSES, make_dataset, make_pool_run, make_training

Command = Callable[..., Ending]
ARCHIVE = Path(__file__).parents[1] / "homes" / "before-the-redesign.zip"


@pytest.fixture
def pool(home: Home) -> Run:
    make_dataset(home)
    return make_pool_run(home, [make_training(home, name) for name in CLASSES], images=40)


def test_a_sealed_set_is_planned_revealed_and_swept_as_planned(
    home: Home, pool: Run, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("dataset", "freeze", "phantom", "--seal", "--json").json["sealed"]
    refused = command("sweep", pool.id, "--detach")
    assert refused.code == 1 and "python -m engine dataset reveal phantom" in refused.err
    assert refused.err.strip().count("\n") == 0
    plan = command("plan", "register", pool.id, "--seeds", "6", "--primary-ratio", "0.5", "--json").json
    assert (plan["read_before"], plan["images"], plan["config"]["seeds"]) == (0, 24, 6)
    assert command("plan", "list", "--json").json[0]["id"] == plan["id"]
    assert plan["sha256"] in command("plan", "show", plan["id"]).out.replace("\n", "")
    assert command("dataset", "reveal", "phantom").code == 2, "a reason is asked for"
    revealed = command("dataset", "reveal", "phantom", "--reason", "The end.", "--json")
    assert revealed.json["plans"] == [plan["id"]]
    seen = command("dataset", "ledger", "phantom", "--json").json
    assert [event["event"] for event in seen["seals"]] == ["seal", "reveal"] and not seen["sealed"]

    for words in (["--seeds", "8"], ["--preset", "demo"], [pool.id]):
        departs = command("sweep", *words, "--plan", plan["id"])
        assert departs.code == 1 and plan["id"] in departs.err
    assert "No pool is named" in command("sweep").err
    started: list[Any] = []

    def submit(home: Home, config: Any, place: str = "") -> Run:
        started.append(config)
        return create_run(home, config.plain(), "sweep")

    monkeypatch.setattr(jobs, "submit", submit)
    assert command("sweep", "--plan", plan["id"], "--name", "final", "--detach").code == 0
    assert started[0].plain() == {**plan["config"], "name": "final"}


def test_an_old_sweep_is_counted_and_judged_again(home: Home, command: Command) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home.root)
    (run,) = list_runs(home, "sweep")
    told = command("sweep", "judge", run.id, "--json").json
    assert (told["first"]["rule"], told["again"]["rule"]) == (FORMER_RULE, RULE)
    assert told["judged"].startswith("Judged again on ") and "; first judged on " in told["judged"]
    assert command("judge", run.id).code == 0
    assert command("report", run.id, "--rejudged", "--json").json["path"].endswith("rejudged/report.html")
    assert "first sweep that read this test set" in command("runs", run.id).out.replace("\n", " ")
    assert command("delete", run.id, "--yes").code == 0
    (kept,) = command("dataset", "ledger", "phantom", "--json").json["sweeps"]
    assert (kept["run"], kept["deleted"], kept["found"], kept["shared"]) == (run.id, True, True, 48)
    refused = command("dataset", "freeze", "phantom", "--seal")
    assert refused.code == 1 and "cannot be sealed" in refused.err
    assert not Dataset.open(home, "phantom").info.frozen.sealed
