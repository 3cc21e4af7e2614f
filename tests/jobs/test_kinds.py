"""The table of the kinds of runs: complete, light, and open to a kind that stands in one file."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from engine.cli import main as cli
from engine.configs import PipelineConfig, PoolConfig
from engine.jobs import kinds as table
from engine.jobs.commands import general_command
from engine.jobs.kinds import kind_named, kind_of, kinds, parse_config, register
from engine.jobs.results import PipelineResult
from engine.jobs.run_kind import AnyResult, ImpactTexts, RunKind
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.plugins import PLUGINS, named
from engine.store.runs import State, create_run, list_runs
from tests.jobs.scene import end_processes_of
from tests.pages.conftest import OpenPage, open_page, press, texts

__all__ = ["open_page"]

KINDS = kinds()


@pytest.fixture
def countdown(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose processes, and this one, know the kind of `tests/fabricated/countdown.py`."""
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv(PLUGINS, "tests.fabricated.countdown")
    register(importlib.import_module("tests.fabricated.countdown").COUNTDOWN)  # imported before, it does not do so now
    yield home
    end_processes_of(home)


def typed(*words: str, answer: str = "") -> str:
    """What the command line prints."""
    ending = CliRunner().invoke(cli.app, words, input=answer)
    assert ending.exit_code == 0, (ending.output, ending.exception)
    return ending.output


def shown_in(link: str) -> str:
    """What the table of runs shows in the place of a link."""
    return unquote(link).partition("#")[2]


def test_a_kind_in_one_file_is_everywhere(countdown: Home, open_page: OpenPage) -> None:
    """Submitted, run by a real worker, listed by the command line and on the Runs page, repeated, and deleted."""
    assert "is finished. Counted to launch." in typed(
        "submit", "countdown", "--set", "name=launch", "--set", "numbers=5"
    )
    (run,) = list_runs(countdown, "countdown")
    assert run.config() == {"kind": "countdown", "name": "launch", "numbers": 5, "counted_in": countdown.root.name}
    assert [row["left"] for row in run.read_metrics()[0]] == [5, 4, 3, 2, 1]
    assert run.status().device == "cpu", "it waited for the processor, as its kind says"

    (listed,) = json.loads(typed("runs", "--kind", "countdown", "--json"))
    assert (listed["run"], listed["state"], listed["done"]) == (run.id, "finished", 5)

    app = open_page("runs", run=run.id)
    row = app.dataframe[0].value.iloc[0]
    assert (shown_in(row["what"]), row["outcome"]) == ("Countdown launch", "5 numbers")
    assert list(row["curve"]) == [5, 4, 3, 2, 1]
    line = next(block.value for block in app.code if "engine submit " in block.value).splitlines()[0]
    assert shlex.split(line)[3:5] == ["submit", "countdown"]
    typed(*shlex.split(line)[3:])
    again = list_runs(countdown, "countdown")[0]
    assert (again.config(), again.state()) == (run.config(), State.FINISHED)

    app = press(open_page("runs", run=run.id), "Delete")
    assert "The numbers that were counted." in texts(app)
    press(app, "Delete", "Delete it")
    assert not run.exists()
    assert "Deleted" in typed("delete", again.id, answer="y\n")
    assert list_runs(countdown) == []


def test_its_settings_are_checked_before_there_is_a_run(countdown: Home) -> None:
    for words, sentence in (
        (("countdown", "--set", "name=failure"), "Nobody counts down to a failure"),
        (("countdown", "--set", "name=a", "--set", "numbers=0"), "numbers is 0"),
        (("countdown", "--set", "name"), "expected FIELD=VALUE"),
        (("quiz",), "kind of run is 'quiz'; expected one of journey, .*, countdown"),
    ):
        ending = CliRunner().invoke(cli.app, ["submit", *words])
        assert isinstance(ending.exception, ErsatzError)
        assert re.search(sentence, str(ending.exception))
    assert list_runs(countdown) == []


def test_a_run_whose_kind_is_gone_is_listed_by_its_id(countdown: Home, open_page: OpenPage, monkeypatch) -> None:
    run = create_run(countdown, {"kind": "countdown", "name": "launch"}, "countdown")
    run.update(state=State.FINISHED)
    monkeypatch.delenv(PLUGINS)
    del table._TABLE["countdown"]
    assert shown_in(open_page("runs").dataframe[0].value.iloc[0]["what"]) == run.id
    with pytest.raises(ErsatzError, match="kind of run is 'countdown'; expected one of journey, import"):
        parse_config(run.config())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_complete(kind: RunKind) -> None:
    """What it names by text is there, and takes what it will be given."""
    assert kind_named(kind.name) is kind
    assert kind.config.model_fields["kind"].default == kind.name
    assert list(inspect.signature(named(kind.execute)).parameters)[:4] == [
        "run",
        "config",
        "report",
        "should_stop",
    ]
    assert list(inspect.signature(named(kind.prepare)).parameters) == ["home", "config"]
    assert (REPOSITORY / "pages" / f"{kind.page}.py").is_file() or (REPOSITORY / "pages" / kind.page).is_dir()
    assert kind.title is not None
    assert kind.command is not None
    assert (kind.result is AnyResult) == (kind.name in ("import", "pool")), "these leave files alone"
    assert kind.deletion_impact.lost != ImpactTexts().lost, "what goes with it is said in words of its own"


def test_a_journey_is_kept_as_it_always_was(home: Home) -> None:
    """With folds lists of runs, without them their ids alone, and nothing that is not made yet."""
    kept: dict[str, Any] = {"import": "a", "dataset": "d", "train": ["b", "c"], "pool": "p"}
    folded = {"dataset": "d", "folds": ["d1", "d2"], "train": ["b"], "pool": ["p", "q"], "quality": ["r"], "sweep": "s"}
    for values, runs in ((kept, ["a", "b", "c", "p"]), (folded, ["b", "p", "q", "r", "s"])):
        found = PipelineResult.parse(values, "it")
        assert found.plain() == values
        assert found.runs() == runs
    run = create_run(home, PipelineConfig().plain(), "journey")
    assert kind_named("journey").result_of(run.status()) is None
    run.update(result=kept)
    assert kind_named("journey").result_of(run.status()) == PipelineResult.parse(kept, "it")


def test_a_kind_without_a_model_of_its_result_has_it_as_it_is(countdown: Home) -> None:
    run = create_run(countdown, {"kind": "countdown", "name": "launch"}, "countdown")
    run.update(result={"sentence": "Counted to launch."})
    assert kind_named("countdown").result_of(run.status()).sentence == "Counted to launch."


def test_the_table_is_light() -> None:
    """Every waiting supervisor and every page reads it."""
    heavy = ("torch", "pandas", "PIL", "scipy", "streamlit")
    code = f"import sys, engine.jobs.supervisor; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_two_kinds_of_one_name_are_refused(countdown: Home) -> None:
    kind = kind_named("countdown")
    register(kind)
    with pytest.raises(ErsatzError, match="There is a kind of run 'countdown' already"):
        register(replace(kind, label="Another"))


def test_a_plug_in_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLUGINS, "nowhere.to_be_found")
    with pytest.raises(ErsatzError, match=r"ERSATZ_PLUGINS names nowhere\.to_be_found, which cannot be imported"):
        kinds()


def test_the_general_command_gives_the_same_settings() -> None:
    config = PoolConfig.build({"name": "my pool", "dataset": "d", "generators": [{"run": "r"}], "psi": 0.5})
    words = general_command(config).words
    assert words[:2] == ("submit", "pool")
    settings = dict(word.split("=", 1) for word in words[3::2])
    assert kind_of(config).parsed({name: json.loads(value) for name, value in settings.items()}) == config
