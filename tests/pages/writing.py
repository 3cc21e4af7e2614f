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
TO_THE_DISK = frozenset(
    {
        *("write_text", "write_bytes", "unlink", "rmdir", "mkdir", "touch", "rename", "symlink_to", "hardlink_to"),
        *("chmod", "rmtree", "copyfile", "copytree", "copy2", "truncate", "makedirs", "removedirs", "mkdtemp"),
        *("extractall", "save_file", "Popen"),
    }
)
"""Methods and functions of Python and of libraries that change files, or start a process that may."""
SEAM = "engine.store.disk."
"""The functions through which the store changes the disk; they ask nobody, and who calls them has to."""
OF_TABLES = ("pd.", "columns=", "index")
"""`rename` is also a method of tables."""
READING = frozenset({"engine.store.index.entries", "engine.store.index.queue", "engine.store.databases.connect"})
"""Readers that keep the index of the runs in line with the folders, which changes no result; and how a database is
opened, reading or writing: under its lease where the home has leases. Who writes into it has to ask by itself."""
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


def written_here(node: ast.AST) -> list[str]:
    """The calls in this code that change files themselves, past the store's functions."""
    return [ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call) and _writes(call)]


def _writes(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):  # a bare name is one of the store's, which is followed by its name
        return isinstance(call.func, ast.Name) and call.func.id == "open" and _for_writing(call)
    if call.func.attr == "open":
        return _for_writing(call)
    of_table = call.func.attr == "rename" and any(mark in ast.unparse(call) for mark in OF_TABLES)
    return call.func.attr in TO_THE_DISK and not of_table


def _for_writing(call: ast.Call) -> bool:
    modes = [*call.args[:2], *(word.value for word in call.keywords if word.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return any(len(text) < 4 and set(text) & set("wax+") for text in texts)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions at the top of a module, and the methods of its classes as `Class.method`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{part.name}", part) for part in node.body if isinstance(part, ast.FunctionDef))


@cache
def engine_methods() -> dict[str, str]:
    """The methods of the engine's classes by their bare name, where that says whose they are."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        for name, _ in functions(parsed(path)):
            if "." in name:
                found.setdefault(name.partition(".")[2], []).append(f"{module_name(path)}.{name}")
    return {bare: full[0] for bare, full in found.items() if len(full) == 1 and bare not in TOO_COMMON}


@cache
def calls_of_engine() -> dict[str, set[str]]:
    """What each function of the engine may call, by qualified names."""
    methods = engine_methods()
    calls: dict[str, set[str]] = {}
    for path in MODULES:
        tree, module = parsed(path), module_name(path)
        names = {name: f"{module}.{name}" for name, _ in functions(tree) if "." not in name} | imported(tree)
        for name, node in functions(tree):
            calls[f"{module}.{name}"] = set(references(node, names, methods))
    return calls


@cache
def direct_writers() -> dict[str, list[str]]:
    """The engine's functions that change files themselves, or by the one seam to the disk, and how."""
    found = {
        f"{module_name(path)}.{name}": how
        for path in MODULES
        for name, node in functions(parsed(path))
        if (how := written_here(node))
    }
    seam = {name for name in found if name.startswith(SEAM)}
    by_seam = {name: sorted(called & seam) for name, called in calls_of_engine().items() if called & seam}
    return by_seam | found


@cache
def writers() -> frozenset[str]:
    """Qualified names of the engine's functions that write, directly or by what they call."""
    calls = calls_of_engine()
    found = PRIMITIVES | direct_writers().keys()
    while more := {name for name, called in calls.items() if called & found} - found - READING:
        found |= more
    return found
