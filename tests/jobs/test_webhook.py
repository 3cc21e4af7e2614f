"""The message at the end of a run: what it says, where it may go, and that no server can delay or fail a run."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.jobs.submit import delete, submit, wait
from engine.jobs.webhook import LONGEST_SECONDS, VARIABLE, WEBHOOK_FILE, checked_url, message, post, webhook_url
from engine.store.about import change_about
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Alarm, State, create_run
from tests.jobs.scene import training

CONTENT = {"id": "x", "kind": "train", "state": "finished", "sentence": "Training: finished.", "text": "x"}


@contextmanager
def served(status: int = 204, location: str = "", seconds: float = 0.0) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server on this machine that answers so after so long; its address, and the messages that it got."""
    got: list[dict[str, str]] = []
    freed = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            freed.wait(seconds)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        freed.set()
        server.shutdown()
        server.server_close()


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_a_message_arrives_and_a_server_may_misbehave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")  # not asked for this machine
    with served() as (url, got):
        assert post(url, CONTENT) == "" and got == [CONTENT]
        with served(302, location=url) as (elsewhere, _):
            assert "redirection" in post(elsewhere, CONTENT)
        assert len(got) == 1, "it was not followed"
    with served(500) as (url, _):
        assert post(url, CONTENT) == "it answered 500"
    with served(seconds=30) as (url, _):
        begun = time.monotonic()
        assert "did not answer" in post(url, CONTENT, seconds=0.2)
        assert time.monotonic() - begun < 5
    told = post(f"http://127.0.0.1:{closed_port()}/secret", CONTENT)
    assert "not reached" in told and "secret" not in told


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://127.0.0.1.example.org/",
        "http://0x7f000001/",
        "https:///secret",
        "http://[::1",
        "http://localhost:port/",
        "nonsense",
    ],
)
def test_other_addresses_are_refused_without_being_told(url: str) -> None:
    with pytest.raises(ErsatzError) as refused:
        checked_url(url)
    assert url not in str(refused.value)


def test_where_the_address_stands(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert webhook_url(home) == ""
    home.root.mkdir(parents=True, exist_ok=True)
    (home.root / WEBHOOK_FILE).write_text('url = "https://chat.example.org/hook"\n')
    assert webhook_url(home) == "https://chat.example.org/hook"
    monkeypatch.setenv(VARIABLE, "http://[::1]:9/x")
    assert webhook_url(home) == "http://[::1]:9/x"
    monkeypatch.delenv(VARIABLE)
    for content in ("url = 3", "= torn", 'url = "https://a.example"\nother = 1', 'url = "http://a.example"'):
        (home.root / WEBHOOK_FILE).write_text(content)
        with pytest.raises(ErsatzError):
            webhook_url(home)


def test_nobody_is_named(home: Home) -> None:
    """Titles, owners and errors may hold names: of people, and of patients in the names of files."""
    run = create_run(home, training("quick").plain(), "train")
    change_about(run, title="Anna's best", owner="anna@clinic.example", tags=("bo",))
    alarm = Alarm(name="collapse", sentence="anna", time=1.0)
    run.update(state=State.FAILED, ended=1.0, error="anna_smith.png cannot be read.", alarms=(alarm,))
    told = message(run)
    assert told == {
        "id": run.id,
        "kind": "train",
        "state": "failed",
        "sentence": "Training: failed. 1 alarm: collapse.",
        "text": f"Training: failed. 1 alarm: collapse. ({run.id})",
    }


def test_a_run_tells_its_end_and_waits_for_no_answer(scripted: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers only when the test is over: the run has ended by then, and can be deleted."""
    with served(seconds=LONGEST_SECONDS) as (url, got):
        monkeypatch.setenv(VARIABLE, url)
        run = submit(scripted, training("quick"))
        assert wait(run) is State.FINISHED
        deadline = time.monotonic() + 30
        while not got and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [(one["id"], one["state"]) for one in got] == [(run.id, "finished")]
        delete(run)
        assert not run.path.exists()
