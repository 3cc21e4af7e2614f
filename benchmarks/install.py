"""How much requirements.txt downloads on each platform, what it occupies here, and how fast it is installed.

The sizes are those that the package index tells of the wheels that uv chooses, on the oldest system of each platform
that has all of them; told is also what an older one lacks. Only the index that pip is configured with is asked, none of
its further indexes and folders: those may hold the wheels of this machine alone.

`--time` installs in turns as a newcomer would without and with `make`, by `pip install -r requirements.txt` and by
`python install.py requirements.txt`, each into an empty virtual environment and with empty caches. Told are seconds,
the processor's seconds, and what then lies on the disk, with what pip keeps in its cache; and the seconds of the first
start of `doctor` and of the next, since install.py leaves it to Python to compile what is imported.

Ratios of one run are comparable; seconds depend on the line, the disk and the processor.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import install
from benchmarks.machine import describe_cpu
from engine.store.home import REPOSITORY

REQUIREMENTS = REPOSITORY / "requirements.txt"
MACOS = "MACOSX_DEPLOYMENT_TARGET"
# Systems from the oldest to the newest, each with how uv is told of it
PLATFORMS: dict[str, dict[str, dict[str, str]]] = {
    "Linux x86_64": {f"glibc 2.{n}": {"platform": f"x86_64-manylinux_2_{n}"} for n in (17, 28, 31, 34, 39)},
    "Linux arm64": {f"glibc 2.{n}": {"platform": f"aarch64-manylinux_2_{n}"} for n in (17, 28, 31, 34, 39)},
    "macOS arm64": {f"macOS {n}": {"platform": "aarch64-apple-darwin", MACOS: f"{n}.0"} for n in (12, 13, 14, 15, 26)},
    "macOS x86_64": {f"macOS {n}": {"platform": "x86_64-apple-darwin", MACOS: f"{n}.0"} for n in (12, 13, 14, 15, 26)},
    "Windows x86_64": {"any": {"platform": "x86_64-pc-windows-msvc"}},
}
WAYS = {"pip": ["-m", "pip", "install", "--quiet", "-r"], "install.py": [str(REPOSITORY / "install.py")]}


def resolve(system: dict[str, str], python: str, cache: str) -> dict[str, int]:
    """Bytes to download for each package on one system; raises install.UvError, which says what is missing."""
    settings = install.read_settings(install.run([*install.PIP, "config", "list"]).stdout)
    for name in ("extra-index-url", "find-links"):
        settings.pop(name, None)
    given, environment = install.hand_over(settings, os.environ)
    environment |= {"UV_CACHE_DIR": cache} | {name: value for name, value in system.items() if name == MACOS}
    # With a Python named uv looks for none, nor downloads one of the other version
    target = ["--python", sys.executable, "--python-platform", system["platform"], "--python-version", python]
    target += ["--only-binary", ":all:"]
    command = [*install.UV, "compile", "--quiet", "--format", "pylock.toml", *target, *given, str(REQUIREMENTS)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        missing = re.search(r"Because ([\w.-]+)(?:{[^}]*})?([^ ]*) has no wheels", result.stderr)
        raise install.UvError(f"{missing[1]}{missing[2]} has no wheel" if missing else result.stderr.strip())
    return install.wheel_sizes(result.stdout)


def measure_download(name: str, python: str, cache: str) -> dict[str, Any]:
    """The download on the oldest system of a platform that has every wheel, and what older ones lack."""
    row: dict[str, Any] = {"platform": name, "python": python, "missing": {}}
    for system, target in PLATFORMS[name].items():
        try:
            sizes = resolve(target, python, cache)
        except install.UvError as error:
            row["missing"][system] = str(error)
            continue
        row["oldest_system"] = system
        row["bytes"] = sum(sizes.values())
        row["bytes_pytorch"] = sum(size for package, size in sizes.items() if install.of_pytorch(package))
        row["cuda"] = any(package.startswith("nvidia-") for package in sizes)
        row["packages"] = dict(sorted(sizes.items(), key=lambda item: -item[1]))
        break
    return row


def show_download(row: dict[str, Any]) -> None:
    """A line for a platform, and one for each of its systems that lacks a wheel."""
    start = f"{row['platform']:<15} Python {row['python']:<5}"
    if "bytes" in row:
        print(
            f"{start} {row['bytes'] / 1e9:5.2f} GB in {len(row['packages'])} packages, of which "
            f"PyTorch{' with CUDA' * row['cuda']} {row['bytes_pytorch'] / 1e9:.2f} GB; oldest: {row['oldest_system']}"
        )
    for reason in dict.fromkeys(row["missing"].values()):
        print(f"{start} not on {', '.join(name for name, why in row['missing'].items() if why == reason)}: {reason}")
    sys.stdout.flush()


def this_platform() -> str:
    """The name in PLATFORMS of the machine that this runs on, if it stands there."""
    system, machine = platform.system(), platform.machine().lower()
    system, machine = (
        {"Darwin": "macOS"}.get(system, system),
        {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine),
    )
    return f"{system} {machine}"


def installed_bytes(packages: list[str]) -> int:
    """What packages occupy in this environment, without what Python compiled of them; 0 if one is not installed."""
    try:
        found = [path.locate() for package in packages for path in files(package) or () if path.suffix != ".pyc"]
    except PackageNotFoundError:
        return 0
    return sum(Path(str(path)).stat().st_size for path in found if Path(str(path)).is_file())


def time_installation(way: str) -> dict[str, float]:
    """One installation into an empty environment: seconds, and bytes on the disk."""
    # On the repository's disk: the system's temporary folder may be in memory
    artefacts = REPOSITORY / "test-artefacts"
    artefacts.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=artefacts) as folder:
        environment = {**os.environ, "PIP_CACHE_DIR": f"{folder}/pip"}
        for name in ("UV_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"):
            environment.pop(name, None)
        python = f"{folder}/venv/bin/python"
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)
        made = time.perf_counter()
        subprocess.run([python, *WAYS[way], str(REQUIREMENTS)], env=environment, check=True, stdout=subprocess.DEVNULL)
        ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        figures = {
            "seconds": ended - started,
            "seconds_venv": made - started,
            "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "bytes_on_disk": float(sum(path.lstat().st_size for path in Path(folder).rglob("*") if not path.is_dir())),
        }
        for name in ("seconds_first_start", "seconds_next_start"):
            started = time.perf_counter()
            command = [python, "-m", "engine", "doctor"]
            subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
            figures[name] = time.perf_counter() - started
        return figures


def time_ways(turns: int) -> dict[str, Any]:
    """Medians of both ways, which take turns, and how many times as long pip takes."""
    timings: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(turns):
        for way, found in timings.items():
            found.append(time_installation(way))
            last = found[-1]
            print(
                f"{way:<11} {last['seconds']:6.1f} s ({last['processor_seconds']:.1f} s of processor), "
                f"{last['bytes_on_disk'] / 1e9:.2f} GB on the disk; "
                f"doctor {last['seconds_first_start']:.1f} s, then {last['seconds_next_start']:.1f} s",
                flush=True,
            )
    seconds = {way: statistics.median(figures["seconds"] for figures in found) for way, found in timings.items()}
    ratio = seconds["pip"] / seconds["install.py"]
    print(f"pip takes {ratio:.2f} times as long")
    return {"turns": timings, "seconds": seconds, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--python", nargs="+", default=["3.12"], metavar="VERSION", help="of 3.11 to 3.13")
    parser.add_argument("--time", action="store_true", help="install both ways, several gigabytes each")
    parser.add_argument("--turns", type=int, default=1, help="how often")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("uv"):
        sys.exit(f"uv is not installed here, which chooses the wheels; get it: pip install '{install.UV_VERSIONS}'")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for python in arguments.python:
            for name in PLATFORMS:
                rows.append(measure_download(name, python, cache))
                show_download(rows[-1])
    installed = sum(installed_bytes(list(row["packages"])) for row in rows[:5] if row["platform"] == this_platform())
    print(f"Installed in this environment: {installed / 1e9:.2f} GB, without compiled Python")
    timings = time_ways(arguments.turns) if arguments.time else None
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": "install",
            "cpu": describe_cpu(),
            "cores": os.cpu_count(),
            "here": this_platform(),
            "downloads": rows,
            "bytes_installed": installed,
            "timings": timings,
        }
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
