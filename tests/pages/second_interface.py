"""What waits for connections on a machine with a second interface: `unshare -rn python -m ... FOLDER [OPTION...]`.

To be run in a network namespace of its own, where the dashboard is all that there is. Prints the port of the dashboard,
every socket that waits, and at which of the two addresses the dashboard answers.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.served import Dashboard
from engine.store.home import Home

ADDRESS = "192.0.2.7"
"""Of the second interface (RFC 5737: an address for documentation)."""
INTERFACE = (
    "link set lo up",
    "link add outside type veth peer name beyond",
    f"address add {ADDRESS}/24 dev outside",
    "link set beyond up",
    "link set outside up",
)


def waiting() -> list[tuple[str, str, int]]:
    """Kind, address and port of every socket of this namespace that anybody may talk to."""
    return sorted(
        ("tcp" if one.type == socket.SOCK_STREAM else "udp", one.laddr.ip, one.laddr.port)
        for one in psutil.net_connections("inet")
        if one.status == psutil.CONN_LISTEN or (one.type == socket.SOCK_DGRAM and not one.raddr)
    )


def answers(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with suppress(OSError), socket.create_connection((address, port), timeout=5):
        return True
    return False


if __name__ == "__main__":
    for words in INTERFACE:
        subprocess.run(["ip", *words.split()], check=True)
    assert waiting() == []
    folder = Path(sys.argv[1])
    served = Dashboard(Home(folder / "home"), folder / "streamlit.log", *sys.argv[2:])
    served.start()
    try:
        at = {address: answers(address, served.port) for address in ("127.0.0.1", ADDRESS)}
        print(json.dumps({"port": served.port, "waiting": waiting(), "answers": at}))
    finally:
        served.kill()
