"""`doctor`: is this machine fit for Ersatz, and what will it use?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.markup import escape

from engine.cli.output import show, table
from engine.cli.serve import people_sign_in, port_is_free
from engine.cluster.checking import check_cluster
from engine.gpus import visible
from engine.jobs.error_report import report
from engine.jobs.home_repair import repair_home
from engine.jobs.kinds import kinds
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import write_bytes
from engine.store.home import Home
from engine.store.lock_way import LOCKS, MARKER_FILE, has_leases, way_of
from engine.store.roles import TEAM_FILE, read_team

PACKAGES = ("torch", "torchvision", "streamlit", "plotly", "pandas", "pillow", "onnx")
MINIMUM_FREE_GIB = 2.0


@dataclass(frozen=True)
class Check:
    name: str
    state: Literal["ok", "note", "fail"]
    found: str


def examine(home: Home, port: int) -> list[Check]:
    """Every check, in the order in which a newcomer meets its subject."""
    return [
        _python(),
        *_packages(),
        _machine(),
        _training_device(),
        _sampling_device(),
        *_home(home),
        *_cluster(home),
        _port(port),
        _sign_in(home),
    ]


def examine_node() -> list[Check]:
    """What matters on a node of a cluster: a job of `_cluster` calls it there."""
    return [
        _python(),
        *(check for check in _packages() if check.state == "fail"),
        _training_device(),
        _sampling_device(),
    ]


def mend_home(home: Home, dry_run: bool, as_json: bool) -> bool:
    """Say what crashes left and what was done about it; whether all is as it should be now."""
    found = repair_home(home, dry_run)
    rows = [[("would mend" if dry_run else "mended") if each.mended else "left", each.what] for each in found]
    cells = [[*row, escape(each.sentence)] for row, each in zip(rows, found, strict=True)]
    show(
        [asdict(each) for each in found], as_json, table("", ["", "what", "found"], cells) if cells else "All is well."
    )
    return all(each.mended for each in found) and not (dry_run and found)


def pack_report(home: Home, path: Path, as_json: bool) -> None:
    """Write a report on what went wrong to a file outside of the home."""
    write_bytes(path, report(home))
    show({"path": str(path)}, as_json, f"{escape(str(path))}: look through it before you send it.")


def as_values(checks: list[Check]) -> list[dict[str, Any]]:
    return [asdict(check) for check in checks]


def _python() -> Check:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    found = platform.python_version() + (
        "" if fits else "; expected 3.11 to 3.13, make the environment with one of these"
    )
    return Check("Python", "ok" if fits else "fail", found)


def _packages() -> list[Check]:
    runtime = "onnxruntime" if sys.platform == "darwin" else "onnxruntime-gpu"
    checks = []
    for package in (*PACKAGES, runtime):
        try:
            checks.append(Check(package, "ok", version(package)))
        except PackageNotFoundError:
            checks.append(Check(package, "fail", "not installed; run `pip install -r requirements.txt`"))
    return checks


def _machine() -> Check:
    memory = psutil.virtual_memory().total / 2**30
    return Check("Machine", "ok", f"{os.cpu_count()} CPU cores, {memory:.0f} GiB of memory, {platform.system()}")


def _training_device() -> Check:
    """What torch computes on, after a small convolution there."""
    try:
        import torch
    except ImportError as error:
        return Check("Training", "fail", f"torch cannot be imported ({error}); run `pip install -r requirements.txt`")
    from engine.devices import trial

    found = visible()
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        for number, name in enumerate(names):
            if problem := trial(torch.device("cuda", number)):
                return Check("Training", "fail", f"CUDA on {name}, where {problem}; {_NEW_DRIVER}, or {_ON_CPU}")
        return Check("Training", "ok", f"CUDA on {', '.join(names)}, where a convolution came out right")
    if problem := trial(torch.device("cpu")):
        return Check("Training", "fail", f"on the CPU, where {problem}; install torch anew for this processor")
    if not found:
        return Check("Training", "note", "on the CPU; no CUDA GPU was found, so training takes longer")
    remedy = _NEW_DRIVER if torch.version.cuda else "install the build of torch for CUDA (pytorch.org)"
    return Check(
        "Training",
        "fail",
        f"{found[0].name or 'a GPU'} is there, but torch {torch.__version__} cannot use it, and training would go to "
        f"the CPU; {remedy}",
    )


_NEW_DRIVER = "update the driver or install a torch that knows this GPU (pytorch.org)"
_ON_CPU = "choose the device cpu"


def _sampling_device() -> Check:
    """What ONNX Runtime computes on, after a network of one node there."""
    try:
        from engine.sampling.providers import trial, without_cuda
    except ImportError as error:
        advice = "run `pip install -r requirements.txt`"
        return Check("Sampling", "fail", f"ONNX Runtime cannot be imported ({error}); {advice}")
    refusal = without_cuda()
    if not refusal:
        return Check("Sampling", "ok", "ONNX Runtime on CUDA, where a convolution came out right")
    if problem := trial(None):
        return Check("Sampling", "fail", f"ONNX Runtime on the CPU, where {problem}")
    if found := visible():
        name = found[0].name or "a GPU"
        return Check("Sampling", "fail", f"{name} is there, but images are sampled on the CPU: {refusal}")
    return Check("Sampling", "ok", "ONNX Runtime on the CPU, where a convolution came out right")


def _home(home: Home) -> list[Check]:
    try:
        disk.make_folder(home.root)
        with tempfile.TemporaryFile(dir=home.root):
            pass
    except OSError as error:
        return [
            Check(
                "Home", "fail", f"{home.root} cannot be written ({error.strerror}); set ERSATZ_HOME to another folder"
            )
        ]
    free = shutil.disk_usage(home.root).free / 2**30
    enough = free >= MINIMUM_FREE_GIB
    advice = "" if enough else f"; at least {MINIMUM_FREE_GIB:.0f} GiB are advised"
    return [
        Check("Home", "ok", str(home.root)),
        _locks(home),
        Check("Disk", "ok" if enough else "note", f"{free:.0f} GiB free{advice}"),
    ]


def _cluster(home: Home) -> list[Check]:
    """For a home that uses a cluster: its scheduler, and what a short job finds on a node."""
    findings = check_cluster(home, [kind.name for kind in kinds()], "engine.cli.doctor:examine_node")
    return [Check(finding.name, finding.state, finding.found) for finding in findings]


def _locks(home: Home) -> Check:
    """Which way the home locks, and why."""
    try:
        way = way_of(home.root, at_once=True)
    except ErsatzError as error:
        return Check("Locks", "fail", str(error))
    if not way.leases and has_leases(home.root):
        return Check("Locks", "fail", f"{way}, but the home has leases (locks/{MARKER_FILE}); unset {LOCKS}")
    return Check("Locks", "ok", str(way))


def _port(port: int) -> Check:
    if port_is_free(port):
        return Check("Port", "ok", f"{port} is free for the dashboard")
    return Check("Port", "note", f"{port} is in use (perhaps the dashboard is open already); --port takes another")


def _sign_in(home: Home) -> Check:
    try:
        signing_in = people_sign_in(home)
    except ErsatzError as error:
        return Check("Sign-in", "fail", str(error))
    if not signing_in:
        return Check("Sign-in", "ok", "off: whoever reaches the dashboard is an editor, by default this machine alone")
    if find_spec("authlib") is None:
        return Check("Sign-in", "fail", 'Authlib is not installed; run `pip install "streamlit[auth]"`')
    try:
        team = read_team(home)
    except ErsatzError as error:
        return Check("Sign-in", "fail", str(error))
    if team.default is None and not team.named:
        return Check("Sign-in", "note", f"nobody has a role; name people in {home.root / TEAM_FILE} (docs/team.md)")
    return Check("Sign-in", "ok", f"{len(team.named)} addresses and domains have a role")
