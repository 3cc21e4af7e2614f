"""How pages and lists grow: up to 2,000 runs, a pool of 100,000 images, 200,000 rows of metrics, 500 classes.

One thing at a time is made larger in a home that was made up without training (`made_up_home.py`). Of each size: the
processor time of each page's script (its first and its second look, in a process of its own), of `Workspace.runs`, of
`python -m engine runs` and `runs ID`; and how it grows, as the exponent of a power law through the sizes (1 is linear).
Of the largest, a real server with a real Chromium: seconds to the page's content, and the server's memory before and
after twenty visits.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil

from benchmarks.in_the_browser import Tab
from benchmarks.made_up_home import Made, Size, make_home
from benchmarks.served import Dashboard, chromium
from engine.api import Workspace
from engine.store.home import REPOSITORY, Home

SIZES = {
    "runs": (200, 500, 1000, 2000),
    "pool": (1_000, 10_000, 100_000),
    "rows": (2_000, 20_000, 200_000),
    "classes": (5, 50, 500),
}
OPEN_LAW, EXPONENT_LAW, FLAT_PERCENT = 2.0, 1.1, 5.0
"""Seconds to a page's content, growth, and what the last ten visits may add to the server's memory."""
VISITS = 20
MADE = "made.json"


def places(made: Made) -> dict[str, tuple[str, dict[str, str]]]:
    """What people look at, by name: the page and its query."""
    return {
        "Overview": ("overview", {}),
        "Datasets": ("datasets", {"dataset": "phantom"}),
        "Train": ("train", {"run": made.training}),
        "Train, new": ("train", {"view": "new", "dataset": "phantom"}),
        "Generate": ("generate", {"run": made.training}),
        "Generate, pool": ("generate", {"run": made.pool}),
        "Quality": ("quality", {"run": made.quality}),
        "Quality, snapshots": ("quality", {"run": made.training}),
        "Evaluate": ("evaluate", {"run": made.sweep}),
        "Evaluate, new": ("evaluate", {"view": "New sweep", "pool": made.pool}),
        "Review": ("review", {"run": made.pool}),
        "Review, deciding": ("review", {"run": made.pool, "view": "Accept or reject"}),
        "Runs": ("runs", {}),
        "Runs, one": ("runs", {"run": made.training}),
    }


def measure_scripts(home: Home, made: Made) -> dict[str, Any]:
    """Processor seconds of each page's script and of `Workspace.runs`; memory of this process at the end, MiB."""
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    def look(page: str, query: dict[str, str]) -> None:
        app = AppTest.from_file(str(REPOSITORY / "pages" / "entrance" / "entry.py"), default_timeout=300)
        if page != "overview":
            app._page_hash = calc_hash(page)
        app.query_params.update(query)
        app.run()
        if app.exception:
            raise SystemExit(f"{page}: {app.exception[0].message}")

    look("account", {})  # imports what every page needs
    found: dict[str, Any] = {}
    for name, (page, query) in places(made).items():
        both = partial(look, page, query)
        found[name] = {"first": _seconds(both), "again": _seconds(both)}
    workspace = Workspace(home.root)
    workspace.runs()
    found["Workspace.runs"] = {"first": math.nan, "again": _seconds(workspace.runs)}
    return {"places": found, "mebibytes": psutil.Process().memory_info().rss / 2**20}


def _seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measure_commands(made: Made) -> dict[str, dict[str, float]]:
    """Processor seconds of the commands that list and show runs."""
    return {
        name: {"first": math.nan, "again": _of_child([sys.executable, "-m", "engine", *words])}
        for name, words in (("runs", ["runs"]), ("runs ID", ["runs", made.training]))
    }


def _of_child(command: list[str]) -> float:
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def measure_server(home: Home, made: Made, log: Path) -> dict[str, Any]:
    """Seconds to each page's content in a Chromium, and the server's memory, MiB, over twenty visits of a page each."""
    server = Dashboard(home, log)
    server.start()
    try:
        with chromium() as browser:
            addresses = {
                name: f"{'' if page == 'overview' else page}?{urlencode(query)}"
                for name, (page, query) in places(made).items()
            }
            tab = Tab(browser, server)
            opened = {name: {"first": tab.open(path), "again": tab.open(path)} for name, path in addresses.items()}
            tab.close()
            memory = [server.mebibytes()]
            tour = list(addresses.values())
            for visit in range(VISITS):
                tab = Tab(browser, server)
                tab.open(tour[visit % len(tour)])
                tab.close()
                memory.append(server.mebibytes())
    finally:
        server.stop()
    return {"opened": opened, "memory": memory, "growth_percent": 100 * (memory[-1] / memory[VISITS // 2] - 1)}


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Slope of the logarithms: what lies below a constant cost does not count as growth."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 1e-3)), 1)[0])


def measure(dimension: str, sizes: list[int], folder: Path, browser: bool) -> dict[str, Any]:
    """All measurements of one thing that grows."""
    by_size: dict[int, dict[str, Any]] = {}
    server = None
    for size in sizes:
        home = Home(folder / f"{dimension}-{size}")
        os.environ["ERSATZ_HOME"] = str(home.root)
        wanted = {dimension: size} | ({"pool": max(40, 4 * size)} if dimension == "classes" else {})
        began = time.monotonic()
        made = make_home(home, Size(**wanted))
        (home.root / MADE).write_text(json.dumps(asdict(made)))
        print(f"{dimension} {size:,}: made in {time.monotonic() - began:.0f} s", flush=True)
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.scale", "--scripts", str(home.root)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        by_size[size] = json.loads(answer.stdout.splitlines()[-1])
        by_size[size]["places"] |= measure_commands(made)
        if size == sizes[-1] and browser:
            server = measure_server(home, made, folder / "server.log")
    growth = {
        name: exponent(sizes, [by_size[size]["places"][name]["again"] for size in sizes])
        for name in by_size[sizes[0]]["places"]
    }
    return {"sizes": by_size, "exponents": growth, "server": server}


def report(dimension: str, found: dict[str, Any]) -> bool:
    """Print the figures; whether every law is met."""
    sizes = list(found["sizes"])
    print(f"\n{dimension}: processor seconds of the second look (and of the first at the largest), and the exponent")
    print(f"{'':20}" + "".join(f"{size:>10,}" for size in sizes) + f"{'first':>10}{'exponent':>10}{'browser':>10}")
    good = True
    for name, grown in found["exponents"].items():
        rows = [found["sizes"][size]["places"][name] for size in sizes]
        opened = found["server"]["opened"].get(name, {}).get("again") if found["server"] else None
        met = rows[-1]["again"] < OPEN_LAW and grown <= EXPONENT_LAW and (opened or 0) < OPEN_LAW
        met = met or name in ("runs", "runs ID")  # a process that starts and imports: its growth alone counts
        good &= met
        figures = "".join(f"{row['again']:>10.2f}" for row in rows) + f"{rows[-1]['first']:>10.2f}{grown:>10.2f}"
        print(f"{name:20}{figures}{'' if opened is None else f'{opened:.2f}':>10}{'' if met else '  MISSED'}")
    held = ", ".join(f"{found['sizes'][size]['mebibytes']:.0f}" for size in sizes)
    print(f"memory of the scripts' process, MiB: {held}")
    if found["server"]:
        memory, grown = found["server"]["memory"], found["server"]["growth_percent"]
        good &= grown < FLAT_PERCENT
        print(f"server over {VISITS} visits, MiB: {memory[0]:.0f} to {memory[-1]:.0f}, the last ten {grown:+.1f} %")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--only", choices=SIZES, nargs="+", default=list(SIZES), help="what is to grow")
    parser.add_argument("--quick", action="store_true", help="without the largest size")
    parser.add_argument("--no-browser", action="store_true", help="the scripts alone")
    parser.add_argument("--scripts", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.scripts:  # a process of its own for each home
        made = Made(**json.loads((chosen.scripts / MADE).read_text()))
        print(json.dumps(measure_scripts(Home(chosen.scripts), made)))
        return
    results, good = {}, True
    with tempfile.TemporaryDirectory() as temporary:
        for dimension in chosen.only:
            sizes = list(SIZES[dimension])[: -1 if chosen.quick else None]
            results[dimension] = measure(dimension, sizes, Path(temporary).resolve(), not chosen.no_browser)
            good &= report(dimension, results[dimension])
            if chosen.out:
                chosen.out.write_text(json.dumps(results, indent=2) + "\n")
    if not good:
        sys.exit(1)


if __name__ == "__main__":
    main()
