"""On a machine with a network, nothing but the dashboard waits for connections, and only where it was told to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.store.home import REPOSITORY
from tests.pages.second_interface import ADDRESS

NAMESPACE = ("unshare", "--map-root-user", "--net")
PROBE = "ip link set lo up && ip link add outside type veth peer name beyond"

pytestmark = pytest.mark.slow


def seen_from_inside(folder: Path, *options: str) -> dict[str, Any]:
    """What `second_interface` finds in a namespace of its own."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("unshare and ip, of util-linux and iproute2, are not here")
    if subprocess.run([*NAMESPACE, "sh", "-c", PROBE], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a network namespace with a second interface")
    command = [*NAMESPACE, sys.executable, "-m", "tests.pages.second_interface", str(folder), *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_usual_dashboard_is_for_this_machine_alone(tmp_path: Path) -> None:
    seen = seen_from_inside(tmp_path)
    assert seen["waiting"] == [["tcp", "127.0.0.1", seen["port"]]]
    assert seen["answers"] == {"127.0.0.1": True, ADDRESS: False}


def test_a_dashboard_for_others_opens_nothing_else(tmp_path: Path) -> None:
    seen = seen_from_inside(tmp_path, "--server.address=0.0.0.0")
    assert seen["waiting"] == [["tcp", "0.0.0.0", seen["port"]]]
    assert seen["answers"] == {"127.0.0.1": True, ADDRESS: True}
