"""A message to an address of the user's choice when a run has ended: `ERSATZ_WEBHOOK`, or `webhook.toml` in the home.

`python -m engine.jobs.webhook RUN`, started by the supervisor once the run's state is on the disk, in a process of its
own: a server that hangs delays nothing, and one that refuses fails nothing. The message is JSON,

    {"id": "20261130-...", "kind": "train", "state": "finished", "sentence": "...", "text": "..."}

`text` is the sentence with the id, as chat servers expect it. No title, data set, error or owner is told, since these
may name people; an id holds what the run was called when it was submitted. Only https, or http to this machine: the
address is often a secret itself. Nothing of an answer is read but its status, and no redirection is followed.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import subprocess
import threading
import tomllib
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from engine.jobs.kinds import kind_shown
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.processes import module_command, module_environment
from engine.store.runs import Run, State

VARIABLE = "ERSATZ_WEBHOOK"
WEBHOOK_FILE = "webhook.toml"
EXPECTED = 'url = "https://..."'
SECONDS = 5.0
"""For each step of the connection."""
LONGEST_SECONDS = 15.0
"""For all of it: a server may send a byte every four seconds."""


def webhook_url(home: Home) -> str:
    """The address to tell; empty when there is none. Raises `ErsatzError` when it is not one that may be told."""
    given = os.environ.get(VARIABLE, "").strip()
    return checked_url(given or _in_file(home))


def checked_url(url: str) -> str:
    """`url` if it is empty, https, or http to this machine."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if host and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        return url
    raise ErsatzError(
        f"The webhook has an address that is not used; https://..., or http:// to this machine, is expected. "
        f"Mend {VARIABLE} or {WEBHOOK_FILE}."
    )


def tell_end(run: Run) -> None:
    """Start the process that tells of a run's end, if somebody wants to know; whatever goes wrong is only logged."""
    try:
        url = webhook_url(run.home)
    except ErsatzError as error:
        _log(run, str(error))
        return
    if not url:
        return
    with suppress(OSError):
        disk.spawn(
            module_command("engine.jobs.webhook", run.id),
            cwd=run.home.root,
            env=module_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=os.name != "nt",
        )


def message(run: Run) -> dict[str, str]:
    """What is told of a run that has ended."""
    status = run.status()
    state, kind = run.state_of(status), kind_shown(run.kind)
    sentence = f"{kind.label}: {state.value}."
    if status.alarms:
        several = len(status.alarms) > 1
        sentence += f" {len(status.alarms)} alarm{'s' * several}: {', '.join(alarm.name for alarm in status.alarms)}."
    verdict = status.result.get("verdict")
    if state is State.FINISHED and isinstance(verdict, str) and verdict:
        control = "control, " if status.result.get("control") else ""
        sentence += f" {control.capitalize() or 'Verdict: '}{verdict}."
    return {
        "id": run.id,
        "kind": kind.name,
        "state": state.value,
        "sentence": sentence,
        "text": f"{sentence} ({run.id})",
    }


def post(url: str, content: dict[str, str], seconds: float = SECONDS) -> str:
    """Send a message; empty when it was taken, else why not, without the address."""
    request = urllib.request.Request(
        url, json.dumps(content).encode(), {"Content-Type": "application/json", "User-Agent": "ersatz"}, method="POST"
    )
    handlers: list[Any] = [_NoRedirect()]
    if _is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=seconds) as answer:
            return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}" + (
            ", a redirection, which is not followed" if 300 <= error.code < 400 else ""
        )
    except TimeoutError:
        return f"it did not answer within {seconds:g} s"
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return f"it did not answer within {seconds:g} s"
        return f"it was not reached ({type(reason).__name__})"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an error: the message is for the address that was given."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _in_file(home: Home) -> str:
    path = home.root / WEBHOOK_FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as error:
        raise ErsatzError(
            f'{WEBHOOK_FILE} cannot be read as TOML; url = "https://..." is expected. Mend it.'
        ) from error
    url = values.get("url", "")
    if not isinstance(url, str) or values.keys() - {"url"}:
        raise ErsatzError(f'{WEBHOOK_FILE} holds something else than url = "https://...". Mend it.')
    return url.strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log(run: Run, sentence: str) -> None:
    """A line in the run's log; nothing where that cannot be written any more."""
    with suppress(OSError, ErsatzError), disk.appended(run.log_path) as log:
        log.write(f"Webhook: {sentence}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_id")
    run = Run(Home.from_environment(), parser.parse_args().run_id)
    told: list[str] = []

    def send() -> None:
        with suppress(ErsatzError):
            told.append(post(webhook_url(run.home), message(run)))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    sender.join(LONGEST_SECONDS)
    why = told[0] if told else f"it did not answer within {LONGEST_SECONDS:g} s" if sender.is_alive() else ""
    if why:
        _log(run, f"the end of the run was not told: {why}.")


if __name__ == "__main__":
    main()
