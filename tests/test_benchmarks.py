"""Every benchmark still finds what it imports from the engine; running them all takes hours."""

from __future__ import annotations

import importlib

import pytest

from engine.store.home import REPOSITORY

MODULES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in REPOSITORY.glob("benchmarks/**/*.py")
    if path.name != "__main__.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_imports(module: str) -> None:
    if module == "benchmarks.fuzzing":
        pytest.importorskip("atheris", reason="atheris is no requirement of the program")
    importlib.import_module(module)
