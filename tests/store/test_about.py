"""What people say of a run: kept beside it, and never lost when two of them speak at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.store.about import ABOUT_FILE, About, about, change_about, change_tags
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.home import REPOSITORY, Home
from engine.store.runs import create_run


def test_fields_change_one_by_one(home: Home) -> None:
    run = create_run(home, {"kind": "train"}, "quick")
    assert about(run) == About()
    change_about(run, title="The good one", owner="ada")
    change_tags(run, add=["paper  figure", "best"])
    assert change_tags(run, add=["best"], remove=["paper figure"]).tags == ("best",)
    assert change_about(run, archived=True) == About("The good one", ("best",), True, "ada")
    assert about(run) == About("The good one", ("best",), True, "ada")
    assert change_about(run, title=" ![x](http://u)  $k$ ").title == "! x (http://u) k", "pages show it to everybody"
    assert run.config() == {"kind": "train"}, "what people say never changes the run"


def test_what_cannot_be_said_is_refused(home: Home) -> None:
    run = create_run(home, {"kind": "train"}, "quick")
    for tag in ("", "  ", "a,b", "x" * 41):
        with pytest.raises(ErsatzError, match="cannot be a tag"):
            change_tags(run, add=[tag])
    (run.path / ABOUT_FILE).write_text('{"name": "by hand"}')
    with pytest.raises(ErsatzError, match="changed by hand"):
        about(run)
    run.delete()
    with pytest.raises(RunDeleted):
        change_about(run, title="too late")


def test_two_people_at_once_lose_nothing(home: Home) -> None:
    run = create_run(home, {"kind": "train"}, "quick")
    code = (
        "import sys; from engine.store.home import Home; from engine.store.runs import Run\n"
        "from engine.store.about import change_tags\n"
        "for i in range(20): change_tags(Run(Home.from_environment(), sys.argv[1]), add=[f'{sys.argv[2]}{i}'])"
    )
    people = [subprocess.Popen([sys.executable, "-c", code, run.id, name], cwd=REPOSITORY) for name in ("a", "b")]
    assert [person.wait() for person in people] == [0, 0]
    assert len(about(run).tags) == 40
