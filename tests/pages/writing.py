"""Which functions of the engine write to the home: found by following calls from what the store writes with."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from engine.store.home import REPOSITORY

MODULES = [path for path in REPOSITORY.glob("engine/**/*.py") if path.parent.name != "cli" and path.name != "api.py"]
"""The command line and the Python interface call the engine; no page calls them."""
PRIMITIVES = frozenset(
    {
        *(f"engine.store.files.{name}" for name in ("disk_errors", "replacing", "new_folder")),
        "engine.store.locks.FileLock",
        "engine.store.read_only.refuse_writing",
    }
)
READING = frozenset({"engine.store.index.entries", "engine.store.index.queue"})
"""Readers that keep the index of the runs in line with the folders, which changes no result."""
OF_PYTHON = (dict, list, set, str, Path, threading.Thread, type(threading.Lock()))
TOO_COMMON = frozenset(name for kind in OF_PYTHON for name in dir(kind)) | {
    "close",
    "lock",
    "read",
    "save",
    "step",
    "wait",
    "write",
}
"""Methods of Python's own types too: a call of them says nothing about whose method it is."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.Module) -> dict[str, str]:
    """What each name of a module stands for: `submit` -> `engine.jobs.submit.submit`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def references(node: ast.AST, names: dict[str, str], methods: dict[str, str]) -> Iterator[str]:
    """Everything that code may call: functions by their name, and methods that only one class has."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part.id in names:
            yield names[part.id]
        elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load):
            if isinstance(part.value, ast.Name) and part.value.id in names:
                yield f"{names[part.value.id]}.{part.attr}"
            if part.attr in methods:
                yield methods[part.attr]


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions at the top of a module, and the methods of its classes as `Class.method`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{part.name}", part) for part in node.body if isinstance(part, ast.FunctionDef))


def engine_methods() -> dict[str, str]:
    """The methods of the engine's classes by their bare name, where that says whose they are."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        for name, _ in functions(parsed(path)):
            if "." in name:
                found.setdefault(name.partition(".")[2], []).append(f"{module_name(path)}.{name}")
    return {bare: full[0] for bare, full in found.items() if len(full) == 1 and bare not in TOO_COMMON}


def writers(methods: dict[str, str]) -> set[str]:
    """Qualified names of the engine's functions that write, directly or by what they call."""
    calls: dict[str, set[str]] = {}
    for path in MODULES:
        tree, module = parsed(path), module_name(path)
        names = {name: f"{module}.{name}" for name, _ in functions(tree) if "." not in name} | imported(tree)
        for name, node in functions(tree):
            calls[f"{module}.{name}"] = set(references(node, names, methods))
    found = set(PRIMITIVES)
    while more := {name for name, called in calls.items() if called & found} - found - READING:
        found |= more
    return found
