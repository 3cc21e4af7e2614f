"""A home whose workers train by a script."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from engine.store.home import Home
from tests.jobs.scene import SCRIPTED, end_processes_of, make_dataset


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A worker takes over SIGTERM and Ctrl-C; one that runs inside a test gives them back."""
    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    yield
    for name, handler in handlers.items():
        signal.signal(name, handler)


@pytest.fixture
def scripted(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home with the frozen data set "empty", whose workers are scripted; nothing is left running after the test."""
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTED))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    make_dataset(home)
    yield home
    end_processes_of(home)
