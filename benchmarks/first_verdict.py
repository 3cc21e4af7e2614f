"""From nothing to a verdict: `python -m engine demo` from an empty home, the whole and each of its steps in seconds.

Each row is a journey of its own: on one thread or on all cores, with the browser closed or open on the Overview, which
is then drawn again every two seconds. With --clone a row begins with `git clone` of this repository and `make`, which
installs everything into an environment of its own. --twice takes the first row once more in another home, in the size
that the machine was found to have, and compares the verdicts: the same seed must give the same sentence.

Nothing else should run meanwhile. The figures of two machines cannot be compared but by the CPU that they name.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe_cpu
from benchmarks.served import Dashboard, chromium, chromium_here
from engine.store.home import REPOSITORY, Home
from engine.store.runs import Run

STEPS = ("import", "train", "pool", "quality", "sweep")
AIMS = {"journey": 300.0, "clone to verdict": 480.0}
"""Seconds, on two cores with AVX2 and no bf16."""


def journey(home: Path, program: Path, options: list[str], threads: str) -> dict[str, Any]:
    """Run the demo to its verdict; its seconds, those of its steps, and what it said."""
    environment = {**os.environ, "ERSATZ_HOME": str(home)}
    environment.pop("OMP_NUM_THREADS", None)
    command = [str(program), "-m", "engine", "demo", "--no-serve", "--json", *options]
    if threads == "one":
        environment["OMP_NUM_THREADS"] = "1"
        command = [*one_core(), *command]
    began = time.monotonic()
    done = subprocess.run(command, cwd=_root(program), env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.monotonic() - began
    result = json.loads(done.stdout)
    steps = {step: _seconds(Home(home), result[step]) for step in STEPS}
    return {
        "seconds": seconds,
        "steps": steps,
        "size": result["size"],
        "said": result["size_sentence"],
        "verdict": result["verdict"],
        "sentence": result["sentence"],
    }


def one_core() -> list[str]:
    """What is put before a command so that it has one core, as far as the system can."""
    return ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if hasattr(os, "sched_getaffinity") else []


def _root(program: Path) -> Path:
    """The checkout that a Python in `.venv` belongs to; this one for any other Python."""
    checkout = program.parents[2]
    return checkout if (checkout / "engine").is_dir() else REPOSITORY


def _seconds(home: Home, ids: str | list[str]) -> float:
    """From the moment that the first of these runs was asked for to the end of the last."""
    found = [Run(home, run_id).status() for run_id in ([ids] if isinstance(ids, str) else ids)]
    return max(status.ended or 0.0 for status in found) - min(status.created for status in found)


@contextmanager
def browser(home: Path, wanted: bool) -> Iterator[None]:
    """A dashboard of the home with a tab on the Overview, if wanted."""
    if not wanted:
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    dashboard = Dashboard(Home(home), home.parent / "dashboard.log")
    dashboard.start()
    try:
        with chromium() as found:
            page = found.new_page()
            page.goto(dashboard.url())
            yield
    finally:
        dashboard.stop()


def installed(folder: Path) -> tuple[Path, float]:
    """A fresh clone with everything installed, its Python, and the seconds that both took."""
    began = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
    subprocess.run(["make", ".venv/installed"], cwd=folder, check=True, stdout=sys.stderr)
    return folder / ".venv" / "bin" / "python", time.monotonic() - began


def compare(cases: list[tuple[str, str]], options: list[str], clone: bool, twice: bool) -> dict[str, Any]:
    """A row for each case of threads and browser."""
    rows: list[dict[str, Any]] = []
    content: dict[str, Any] = {"rows": rows}
    # The last supervisor ends a moment after its run, and may still write a lock.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        program = Path(sys.executable)
        install = 0.0
        if clone:
            program, install = installed(Path(folder) / "clone")
            content["clone_and_install_seconds"] = install
            print(f"clone and install {install:.0f} s", flush=True)
        for number, (threads, opened) in enumerate(cases):
            home = Path(folder) / f"home-{number}"
            with browser(home, opened == "open"):
                found = journey(home, program, options, threads)
            rows.append({"threads": threads, "browser": opened, **found})
            if clone:
                rows[-1]["clone_to_verdict_seconds"] = install + found["seconds"]
            _tell(rows[-1])
        if twice:
            again = journey(Path(folder) / "again", program, ["--size", rows[0]["size"]], cases[0][0])
            rows.append({"threads": cases[0][0], "browser": "closed", **again})
            _tell(rows[-1])
            content["same_sentence_twice"] = again["sentence"] == rows[0]["sentence"]
            print(f"the same sentence twice: {content['same_sentence_twice']}", flush=True)
    return content


def _tell(row: dict[str, Any]) -> None:
    steps = "  ".join(f"{step} {seconds:.0f}" for step, seconds in row["steps"].items())
    whole = f", clone to verdict {row['clone_to_verdict_seconds']:.0f} s" if "clone_to_verdict_seconds" in row else ""
    print(
        f"{row['threads']:<4} thread{'s' if row['threads'] == 'all' else ''}, browser {row['browser']:<7} size "
        f"{row['size']:<9} journey {row['seconds']:4.0f} s ({steps}){whole}\n    {row['sentence']}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--threads", choices=["one", "all"], nargs="+", default=["all", "one"])
    parser.add_argument("--browser", choices=["closed", "open"], nargs="+", default=["closed", "open"])
    parser.add_argument("--clone", action="store_true", help="from a fresh clone, with the time of the install")
    parser.add_argument("--twice", action="store_true", help="the first row again: the sentence must be the same")
    parser.add_argument("--size", help="as of `demo`; the default is what the machine is found to be good for")
    arguments = parser.parse_args()
    if "open" in arguments.browser and chromium_here() is None:
        raise SystemExit("There is no Chromium on this machine; install it, or leave it out with --browser closed.")
    cases = [(threads, opened) for threads in arguments.threads for opened in arguments.browser]
    options = ["--size", arguments.size] if arguments.size else []
    content = compare(cases, options, arguments.clone, arguments.twice)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": "first_verdict",
            "cpu": describe_cpu(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "torch": torch.__version__,
            "aims": AIMS,
            **content,
        }
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
