"""The dashboard as `app` serves it: it answers, and it ends with the command that started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from engine.cli import doctor
from engine.cli.serve import port_is_free, serve
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home, dashboard_folder

PATIENCE_SECONDS = 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "reaches"),
    [(signal.SIGINT, "kill"), (signal.SIGTERM, "kill"), (signal.SIGINT, "killpg")],
    ids=["interrupted", "ended", "Ctrl-C in a terminal"],
)
def test_server_answers_and_ends_with_its_command(home: Home, ending: signal.Signals, reaches: str) -> None:
    port = free_port()
    command = [sys.executable, "-m", "engine", "app", "--port", str(port), "--host", "*.clinic.example"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as serving:
        try:
            assert serving.stderr is not None
            assert any(f"http://127.0.0.1:{port}/" in line for line in serving.stderr)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=PATIENCE_SECONDS) as answer:
                assert answer.read() == b"ok"
            named = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "ersatz.clinic.example"})
            with urllib.request.urlopen(named, timeout=PATIENCE_SECONDS) as answer:
                assert answer.status == 200
            getattr(os, reaches)(serving.pid, ending)
            assert serving.wait(PATIENCE_SECONDS) == 0
            assert "Abort" not in serving.stderr.read()
        finally:
            serving.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not port_is_free(port):
        assert time.monotonic() < deadline, "the server stayed behind"
        time.sleep(0.1)


def test_no_file_is_watched(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit would watch every module of every package, whoever starts it."""
    commands: list[Sequence[str]] = []

    def spawn(command: Sequence[str], **_: Any) -> subprocess.Popen[bytes]:
        commands.append(command)
        return subprocess.Popen([sys.executable, "-c", ""])

    monkeypatch.setattr(disk, "spawn", spawn)
    ending = signal.getsignal(signal.SIGTERM)
    serve(home, free_port(), open_browser=False)
    signal.signal(signal.SIGTERM, ending)
    assert "--server.fileWatcherType=none" in commands[0]
    own = tomllib.loads((dashboard_folder() / ".streamlit" / "config.toml").read_text())
    assert own["server"]["fileWatcherType"] == "none", "for `streamlit run app.py`"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_secrets_that_cannot_be_read_keep_the_dashboard_from_starting(home: Home) -> None:
    """Streamlit would serve everybody, as if nobody had to sign in."""
    home.root.mkdir()
    (home.root / "secrets.toml").write_text("[auth\n")
    with pytest.raises(ErsatzError, match="cannot be read as TOML"):
        serve(home, 0, open_browser=False)
    assert doctor._sign_in(home).state == "fail"
