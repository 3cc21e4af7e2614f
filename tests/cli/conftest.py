"""Run the command line in this process, as `python -m engine ...` would."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine.cli.main import main
from engine.store.home import Home


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def command(home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ending]:
    def run(*arguments: str) -> Ending:
        monkeypatch.setattr(sys, "argv", ["engine", *arguments])
        capfd.readouterr()
        try:
            main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        else:
            code = 0
        return Ending(code, *capfd.readouterr())

    return run
