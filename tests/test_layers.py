"""The layers of the program: a module imports only from layers below it, in no circle, and the web process never torch.

`lint-imports` checks the same contracts (`[tool.importlinter]` in pyproject.toml) and draws the path of a breach.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from engine.store.home import REPOSITORY

CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
"""Those of `lint-imports`; the layers stand there alone."""
ENGINE = next(contract["layers"] for contract in CONTRACTS if contract.get("containers") == ["engine"])
LAYERS = [*({part.strip(" ()") for part in layer.split(":")} for layer in reversed(ENGINE)), {"pages", "app"}]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
MAY_IMPORT_LATE = (
    "engine/jobs/execution.py",
    "engine/cli",
    "engine/api.py",
    "engine/__init__.py",
    "engine/__main__.py",
)
"""Where heavy parts may be imported inside functions, so that a light command starts fast."""

MODULES = sorted([*REPOSITORY.glob("engine/**/*.py"), *REPOSITORY.glob("pages/**/*.py"), REPOSITORY / "app.py"])

ENTRANCES = (REPOSITORY / "engine" / "__init__.py", REPOSITORY / "engine" / "__main__.py")
"""They belong to no layer."""
LAYERED = [path for path in MODULES if path not in ENTRANCES]


def part_of(module: str) -> str | None:
    """`engine.gans.training` -> `gans`; `pages.components.home` -> `pages`; None for foreign modules."""
    names = module.split(".")
    if names[0] == "engine":
        return names[1] if len(names) > 1 and names[1] in RANK else None
    return names[0] if names[0] in ("pages", "app") else None


def own_part(path: Path) -> str | None:
    return part_of(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))


def imports(tree: ast.Module) -> Iterator[tuple[str, bool, int]]:
    """Every imported module with whether it is imported inside a function, and the line."""
    inside = {id(node) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for node in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inside, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in inside, node.lineno


@pytest.mark.parametrize("path", LAYERED, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_only_from_layers_below(path: Path) -> None:
    own = own_part(path)
    assert own is not None, "a new part of the engine needs its place in the layers of pyproject.toml"
    wrong = [
        f"line {line}: {module}"
        for module, _, line in imports(ast.parse(path.read_text()))
        if (part := part_of(module)) is not None and RANK[part] > RANK[own]
    ]
    assert not wrong


def test_no_import_leads_back() -> None:
    """Within a part either, and not by an import inside a function, which only hides the circle."""
    names = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES
    }
    graph = {
        name: {
            found
            for module, _, _ in imports(ast.parse(path.read_text()))
            if (found := next((known for known in (module, module.rpartition(".")[0]) if known in names), None))
        }
        for name, path in names.items()
    }
    assert graph["engine.jobs.submit"] > {"engine.jobs.prepare", "engine.store.runs"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_only_the_worker_and_the_command_line_import_late() -> None:
    late = [
        f"{path.relative_to(REPOSITORY)}:{line} {module}"
        for path in MODULES
        if not str(path.relative_to(REPOSITORY)).startswith(MAY_IMPORT_LATE)
        for module, inside, line in imports(ast.parse(path.read_text()))
        if inside and part_of(module) is not None
    ]
    assert not late


def test_packages_import_nothing() -> None:
    """`engine.configs` alone gathers its modules; elsewhere an import would drag torch into the web process.

    `engine` itself loads its interface when asked for.
    """
    busy = [
        str(path.relative_to(REPOSITORY))
        for path in REPOSITORY.glob("engine/**/__init__.py")
        if path.parent.name not in ("configs", "engine") and any(imports(ast.parse(path.read_text())))
    ]
    assert not busy


def test_pages_never_import_torch() -> None:
    """Every module that the pages import, loaded in a fresh process, leaves torch out."""
    modules = {
        node.module
        for path in [*REPOSITORY.glob("pages/**/*.py"), REPOSITORY / "app.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and part_of(node.module + ".x") is not None
    }
    assert "engine.jobs.submit" in modules
    code = (
        f"import importlib, sys\nfor name in {sorted(modules)!r}: importlib.import_module(name)\n"
        "print([name for name in ('torch', 'torchvision') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip().endswith("[]")
