"""The dashboard as `app` serves it: it answers, and it ends with the command that started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing

import pytest

from engine.cli.serve import port_is_free
from engine.store.home import REPOSITORY, Home

PATIENCE_SECONDS = 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "reaches"),
    [(signal.SIGINT, "kill"), (signal.SIGTERM, "kill"), (signal.SIGINT, "killpg")],
    ids=["interrupted", "ended", "Ctrl-C in a terminal"],
)
def test_server_answers_and_ends_with_its_command(home: Home, ending: signal.Signals, reaches: str) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "engine", "app", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as serving:
        try:
            assert serving.stderr is not None
            assert any(f"http://127.0.0.1:{port}/" in line for line in serving.stderr)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=PATIENCE_SECONDS) as answer:
                assert answer.read() == b"ok"
            getattr(os, reaches)(serving.pid, ending)
            assert serving.wait(PATIENCE_SECONDS) == 0
            assert "Abort" not in serving.stderr.read()
        finally:
            serving.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not port_is_free(port):
        assert time.monotonic() < deadline, "the server stayed behind"
        time.sleep(0.1)
