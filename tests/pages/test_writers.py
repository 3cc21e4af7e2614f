"""Everything that writes is known from the code: who asks for a role before it, and what a public demo refuses."""

from __future__ import annotations

import ast

from engine.store.home import REPOSITORY
from tests.pages.writing import (
    PRIMITIVES,
    SEAM,
    TOO_COMMON,
    calls_of_engine,
    direct_writers,
    engine_methods,
    functions,
    imported,
    references,
    writers,
    written_here,
)

PAGES = sorted(REPOSITORY.glob("pages/**/*.py"))
OF_REVIEWERS = "engine.review."
"""What a reviewer may change: answers, decisions and comments."""
UNDER_A_GUARD = {
    "engine.sampling.video._write_mp4": "a temporary folder",
    "engine.sampling.video.write_video": "a temporary folder",
    "engine.gpus._ask": "a question to the driver",
    "engine.store.unknown_errors._kept": "asks itself whether this is a demo, and then keeps nothing",
    "engine.store.index._build": "only `_ensure` calls it, which reads alone in a demo",
}


def test_a_page_changes_files_by_the_engine_alone() -> None:
    wrong = {
        str(path.relative_to(REPOSITORY)): how for path in PAGES if (how := written_here(ast.parse(path.read_text())))
    }
    assert not wrong


def test_a_reviewer_changes_nothing_but_reviews() -> None:
    methods = engine_methods()
    writing = writers()
    wrong, seen = [], 0
    for path in PAGES:
        module = ast.parse(path.read_text())
        for name, function in functions(module):
            if any(ast.unparse(statement) == "require(Role.REVIEWER)" for statement in ast.walk(function)):
                seen += 1
                called = set(references(function, imported(module), methods)) & writing
                wrong += [f"{path.name}:{name} {one}" for one in sorted(called) if not one.startswith(OF_REVIEWERS)]
    assert seen >= 5
    assert not wrong


def test_methods_that_write_have_names_of_their_own() -> None:
    """A method that shares its name cannot be followed; no page may call one that writes by such a name."""
    methods, writing = engine_methods(), writers()
    hidden = {
        name.rpartition(".")[2]
        for name in writing - PRIMITIVES
        if name.rpartition(".")[2] not in methods and name.rsplit(".", 2)[1][:1].isupper()
    }
    assert hidden >= {"acquire", "update"}  # locks and runs; no page holds a lock, and `update` is a dictionary's
    followed = hidden - TOO_COMMON
    wrong = [
        f"{path.relative_to(REPOSITORY)}:{call.lineno} {ast.unparse(call.func)}"
        for path in PAGES
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in followed
    ]
    assert not wrong


def test_a_demo_refuses_every_writer_that_a_page_can_reach() -> None:
    """Whatever changes a file asks the store first, or is called only by what does."""
    methods = engine_methods()
    calls, direct = calls_of_engine(), direct_writers()
    reached: set[str] = set()
    for path in PAGES:
        module = ast.parse(path.read_text())
        reached |= set(references(module, imported(module), methods))
    while more := {called for name in reached for called in calls.get(name, ())} - reached:
        reached |= more
    callers: dict[str, set[str]] = {}
    for name, called in calls.items():
        for one in called:
            callers.setdefault(one, set()).add(name)

    def guarded(name: str, seen: tuple[str, ...] = ()) -> bool:
        if calls.get(name, set()) & PRIMITIVES:
            return True
        above = callers.get(name, set()) & reached - {name}
        return bool(above) and name not in seen and all(guarded(one, (*seen, name)) for one in above)

    assert "engine.store.runs.Run.clear_stop" in direct.keys() & reached
    of_store = {name for name in direct if name.startswith(("engine.store.files.", SEAM))}
    wrong = {
        name: how
        for name, how in direct.items()
        if name in reached and name not in of_store and not guarded(name) and name not in UNDER_A_GUARD
    }
    assert not wrong
