"""Serve the dashboard."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from engine.cli.output import notices
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import Home, dashboard_folder
from engine.store.read_only import READ_ONLY, read_only

ADDRESS = "127.0.0.1"
HOSTS = "ERSATZ_HOSTS"
"""Names by which people reach the dashboard, divided by blanks or commas; `*.clinic.example` is all below one."""
LOCAL = (ADDRESS, "localhost", "::1")


def port_is_free(port: int, address: str = ADDRESS) -> bool:
    """Whether a server could listen there now."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def require_free_port(port: int, address: str = ADDRESS) -> None:
    """Raise `ErsatzError` when another program listens there."""
    if not port_is_free(port, address):
        raise ErsatzError(
            f"Port {port} is in use by another program (perhaps the dashboard is open already); a free one is "
            f"expected. Stop that program, or choose another port with --port {port + 1}."
        )


def serve(
    home: Home,
    port: int,
    page: str = "",
    address: str = ADDRESS,
    open_browser: bool = True,
    demo: bool = False,
    hosts: Sequence[str] = (),
) -> None:
    """Run the dashboard until Ctrl-C.

    `page` is the path and query to open first, `demo` lets it write nothing, and `hosts` are names by which people
    reach it beside this machine's own.
    """
    require_free_port(port, address)
    url = f"http://{address}:{port}/{page}"
    command = [sys.executable, "-m", "streamlit", "run", str(dashboard_folder() / "app.py")]
    command += [f"--secrets.files={file}" for file in secrets_files(home)]
    command += [f"--server.port={port}", f"--server.address={address}", "--server.headless=true"]
    # said here too: a variable of the environment goes before the config.toml beside app.py
    command += ["--server.fileWatcherType=none"]
    environment = {**os.environ, "ERSATZ_HOME": str(home.root)}
    if hosts:
        environment[HOSTS] = " ".join(hosts)
    if demo or read_only():
        environment[READ_ONLY] = "1"
        command += ["--server.maxUploadSize=0"]  # else a visitor could fill the memory
    elif not people_sign_in(home) and address not in LOCAL:
        notices.print(
            f"Everybody who can reach {address} will be able to change and delete everything: nobody has to sign in. "
            "docs/team.md says how to change that.",
            style="yellow",
            soft_wrap=True,
        )
    # Ctrl-C in a terminal reaches the server too, which ends by itself and, as it inherits this, is silent about it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C: the server must not stay behind
    with disk.spawn(command, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            while server.poll() is None and port_is_free(port, address):
                time.sleep(0.1)
            if server.poll() is None:
                notices.print(
                    f"Ersatz is at [link={url}]{url}[/link]; Ctrl-C ends it. Runs go on without it.", soft_wrap=True
                )
                if open_browser and _has_display():
                    webbrowser.open(url)
            server.wait()
        except KeyboardInterrupt:
            server.terminate()
    if server.returncode > 0:
        raise ErsatzError(f"The dashboard ended with exit code {server.returncode}; its messages are above.")


def secrets_files(home: Home) -> list[Path]:
    """The files with secrets that there are, for Streamlit; what a later one says goes before an earlier one."""
    folders = dict.fromkeys((Path.home(), Path.cwd(), dashboard_folder()))
    files = [folder / ".streamlit" / "secrets.toml" for folder in folders]
    return [file for file in (*files, home.root / "secrets.toml") if file.is_file()]


def people_sign_in(home: Home) -> bool:
    """Whether a provider is configured: one of the files with secrets has a part `[auth]`.

    An `ErsatzError` says which file cannot be read; Streamlit would serve everybody, as if there were none.
    """
    found = False
    for file in secrets_files(home):
        try:
            found |= "auth" in tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ErsatzError(
                f"{file} cannot be read as TOML ({error}), and it may say who has to sign in; mend or remove it, "
                "then start the dashboard again."
            ) from error
    return found


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
