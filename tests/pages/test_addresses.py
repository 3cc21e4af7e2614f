"""What an address says is a choice among what there is: no value of a link opens a file outside of the home."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.store.home import REPOSITORY, Home
from pages.components.navigation import ICONS as PAGES
from tests import fabricated
from tests.pages.conftest import OpenPage, texts

ASKING = ("get", "put", "pop", "setdefault", "choice_in_url", "several_in_url")
SECRET = "nobody-may-read-this"
HOSTILE = ["../../outside/bait", "train:{outside}/bait.png", "9" * 5000]
"""A path upwards, one from the root in the place of a picture, and a number beyond all limits."""

_opened: list[str] = []
"""What Python has opened or listed since the last test; a hook cannot be taken back, so there is one."""


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], str | bytes):
        name = arguments[0]
        _opened.append(name.decode(errors="replace") if isinstance(name, bytes) else name)


sys.addaudithook(_note)


def parameters() -> set[str]:
    """The names that some page looks for in its address; a few words more do no harm."""
    found: set[str] = set()
    for path in REPOSITORY.glob("pages/**/*.py"):
        module = ast.parse(path.read_text())
        constants = {
            target.id: node.value.value
            for node in ast.walk(module)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in ASKING:
                values = [constants.get(one.id) if isinstance(one, ast.Name) else one for one in call.args]
                named = [one.value if isinstance(one, ast.Constant) else one for one in values]
                found |= {one for one in named if isinstance(one, str) and one.isidentifier()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_link_opens_nothing_outside_of_the_home(page: str, open_page: OpenPage, home: Home, tmp_path: Path) -> None:
    sweep = fabricated.make_everything(home, quality=True)
    outside = tmp_path / "outside"
    (outside / "bait").mkdir(parents=True)
    for name in ("config.json", "status.json", "dataset.json", "pool.json", "manifest.csv", "bait.png", "log.txt"):
        (outside / "bait" / name).write_text(SECRET)
    names = parameters()
    assert names >= {"run", "dataset", "pool", "quiz", "view", "image", "again", "compare"}
    kept = {"run": sweep.id} if page in ("runs", "evaluate") else {}
    for value in HOSTILE:
        _opened.clear()
        app = open_page(page, **{**dict.fromkeys(names, value.format(outside=outside)), **kept})
        assert SECRET not in texts(app)
        assert not [one for one in _opened if "outside" in one], value
