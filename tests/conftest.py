"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.store.home import REPOSITORY, Home

# Several tests run side by side, and threads that wait for each other's cores are slower than one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home that this process and the processes it starts write to."""
    monkeypatch.setenv("ERSATZ_HOME", str(tmp_path / "home"))
    return Home.from_environment()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real medical images, which is not part of the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real images are not at {REAL_DATA}")
    return REAL_DATA
