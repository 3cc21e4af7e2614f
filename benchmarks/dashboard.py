"""How long people wait for the dashboard: a real Chromium on a home of 200 runs, 20 data sets and 10,000 images.

Every page is opened by its address and by its link, every widget on it is moved, each time until nothing on the page
changes any more; a press is answered with and without Streamlit's garbage collection after every rerun; the server's
memory is watched through 500 reruns of 5 sessions that come and go; then one tab stands open for ten minutes, and
one of every page beside it, and nobody touches them. Server and browser are warm: the first
visit, and the first press after a page was loaded, are reported apart, and what these computed is found by the later
ones. They share this machine, as on a laptop.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Browser, Error

from benchmarks.big_home import DATASETS, RUNS, make_big_home
from benchmarks.in_the_browser import OneChoiceError, Tab, Widget, widgets
from benchmarks.machine import describe_cpu
from benchmarks.served import Dashboard, chromium
from engine.review.quiz import begin_quiz
from engine.sampling.pools import Pool
from engine.store.home import Home
from engine.store.runs import Run, list_runs

OPEN_LAW, ANSWER_LAW = 2.0, 0.5
"""Seconds until a page shows its content, and until it has answered."""
REPEATS = 5
MOVES = 3
QUIZ = 20
"""Pictures of the quiz that is played."""
RERUNS, SESSIONS, VISIT = 500, 5, 25
"""Reruns in all, browsers at once, and reruns after which one of these leaves and another one comes."""
FLAT_PERCENT = 5.0
"""What the second half of the reruns may add to the server's memory."""
PRESSES = 10
"""Presses there and back, with and without garbage collection."""
IDLE_MINUTES, WATCHED_SECONDS = 10.0, 60.0
"""How long nobody touches the open tab before the server is watched, and for how long then."""
IDLE_PERCENT = 1.0
"""Of one core, that the server may take for one tab that nobody touches."""
PARTS = ("opening", "answers", "collecting", "memory", "idle")


def places(home: Home, made: dict[str, Any]) -> dict[str, str]:
    """What people look at, by name: the address below the server's."""
    training = next(run for run in list_runs(home, "train") if run.config()["gan"] == "stylegan2-ada")
    sweep = list_runs(home, "sweep")[0]
    return {
        "Overview": "",
        "Datasets": "datasets",
        "Train": f"train?run={training.id}",
        "Generate": "generate",
        "Generate, a pool of 10,000": f"generate?run={made['pool']}",
        "Quality of 10,000 images": f"quality?run={made['quality']}",
        "Evaluate": f"evaluate?run={sweep.id}",
        "Review": "review",
        "Runs": "runs",
        "Runs, one chosen": f"runs?run={sweep.id}",
    }


def time_opening(browser: Browser, server: Dashboard, addresses: dict[str, str]) -> list[dict[str, Any]]:
    """Seconds to open each page: first of all, then again by its address and by its link.

    The server's share of them is told in seconds of processor time, which do not depend on what else the machine does.
    """
    tab, rows = Tab(browser, server), []
    for name, address in addresses.items():
        first = tab.open(address)
        before = server.cpu_seconds()
        again = [tab.open(address) for _ in range(REPEATS)]
        own = (server.cpu_seconds() - before) / REPEATS
        trouble = tab.trouble()
        by_link = [] if "," in name or " of " in name else [_by_link(tab, name) for _ in range(REPEATS)]
        row = {
            "page": name,
            "first": first,
            "by_address": statistics.median(again),
            "server_cpu": own,
            "slowest": max(again),
            "by_link": statistics.median(by_link) if by_link else None,
            "trouble": trouble,
        }
        row["met"] = not trouble and max(row["by_address"], row["by_link"] or 0) < OPEN_LAW
        rows.append(row)
        print(f"{name:28} {_line(row)}", flush=True)
    tab.close()
    return rows


def _by_link(tab: Tab, name: str) -> float:
    tab.switch("Runs" if name != "Runs" else "Overview")
    return tab.switch(name)


def _line(row: dict[str, Any]) -> str:
    link = "    –" if row["by_link"] is None else f"{row['by_link']:5.2f}"
    said = "met" if row["met"] else "MISSED"
    times = f"first {row['first']:5.2f}  address {row['by_address']:5.2f}  link {link}  server {row['server_cpu']:4.2f}"
    return f"{times}  {said} {' '.join(row['trouble'])}"


def time_answers(browser: Browser, server: Dashboard, addresses: dict[str, str]) -> list[dict[str, Any]]:
    """Seconds until each page has answered to each of its widgets, in each of its views."""
    tab, rows = Tab(browser, server), []
    for name, address in addresses.items():
        seen: set[tuple[str, str]] = set()
        views = [address]
        for view in views:  # grows while it is gone through
            tab.open(view)
            for widget in widgets(tab):
                if (widget.kind, widget.name) in seen:
                    continue
                seen.add((widget.kind, widget.name))
                try:
                    first, again, led_to = _moved(tab, view, widget)
                except OneChoiceError:
                    print(f"{name}: {widget.kind} {widget.name!r} has one choice", flush=True)
                    continue
                except Error as error:
                    print(f"{name}: {widget.kind} {widget.name!r}: {str(error).splitlines()[0]}", flush=True)
                    continue
                if "view=" in led_to and _view(led_to) not in {_view(known) for known in views}:
                    views.append(led_to)
                row = {"page": name, "view": _view(view), "widget": widget.kind, "name": widget.name, "first": first}
                row |= {"seconds": statistics.median(again), "slowest": max(again), "trouble": tab.trouble()}
                row["met"] = not row["trouble"] and max(first, row["seconds"]) < ANSWER_LAW
                rows.append(row)
                print(_said(row), flush=True)
    tab.close()
    return rows


def time_quiz(browser: Browser, server: Dashboard, home: Home, pool: str) -> dict[str, Any]:
    """Seconds from the key that answers "Real or fake?" to the next picture."""
    quiz = begin_quiz(Pool.open(Run(home, pool)), QUIZ, seed=0, seconds=0, author="Benchmark")
    tab = Tab(browser, server)
    tab.open(f"review?quiz={quiz.id}")
    tab.page.get_by_role("textbox", name="Your name").fill("Benchmark")
    tab.page.get_by_role("textbox", name="Your name").press("Enter")
    tab.answered()
    tab.page.get_by_role("button", name="Begin").click()
    tab.answered()
    seconds = []
    for _ in range(QUIZ - 1):  # the last one leads to the results
        tab.page.keyboard.press("ArrowLeft")
        seconds.append(tab.answered())
    told = {"page": "Review", "view": "quiz", "widget": "key", "name": "Real", "first": seconds[0]}
    row = told | {"seconds": statistics.median(seconds), "slowest": max(seconds), "trouble": tab.trouble()}
    row["met"] = not row["trouble"] and max(row["first"], row["seconds"]) < ANSWER_LAW
    tab.close()
    print(_said(row), flush=True)
    return row


def _said(row: dict[str, Any]) -> str:
    where, met = f"{row['page']} {row['view']}".strip(), "met" if row["met"] else "MISSED"
    return f"{where:36} {row['widget']:11} {row['name']:32.32} {row['seconds']:5.2f} {met:6} (first {row['first']:.2f})"


def _moved(tab: Tab, view: str, widget: Widget) -> tuple[float, list[float], str]:
    """Seconds of the first move after the page was loaded, those of the moves after it, and the address it led to."""
    tab.open(view)
    before = widget.chosen_instead(tab)
    first = widget.move(tab)
    led_to, again = tab.page.url.removeprefix(tab.server.url()), []
    for _ in range(MOVES):
        if before is not None:  # a choice answers to the first press alone: back to what was chosen before
            before.move(tab)
        again.append(widget.move(tab))
    return first, again, led_to


def _view(address: str) -> str:
    found = re.search(r"[?&]view=([^&]*)", address)
    return found.group(1) if found else ""


def watch_memory(
    browser: Browser, server: Dashboard, addresses: dict[str, str], reruns: int, linger: float
) -> dict[str, Any]:
    """The server's memory while sessions come, look around and go."""
    tabs = [Tab(browser, server) for _ in range(SESSIONS)]
    tour = list(addresses.values())
    for tab in tabs:
        tab.open(tour[0])
    history = [{"reruns": 0, "mebibytes": server.mebibytes()}]
    done = 0
    while done < reruns:
        number = done // VISIT % SESSIONS
        tabs[number].close()
        tabs[number] = Tab(browser, server)
        for turn in range(VISIT):
            tab = tabs[(number + turn) % SESSIONS]
            if turn % 5 == 0 or not (found := widgets(tab)):
                tab.open(tour[(done // 5) % len(tour)])
            else:
                try:
                    found[done % len(found)].move(tab)
                except Error:  # hidden by now: look at another page instead
                    tab.open(tour[done % len(tour)])
            done += 1
        history.append({"reruns": done, "mebibytes": server.mebibytes()})
        print(f"{done:4} reruns  {history[-1]['mebibytes']:7.0f} MiB", flush=True)
    for tab in tabs:
        tab.close()
    time.sleep(linger)
    half = [row for row in history if row["reruns"] >= reruns / 2]
    slope = float(np.polyfit([row["reruns"] for row in half], [row["mebibytes"] for row in half], 1)[0])
    growth = 100 * slope * reruns / 2 / half[0]["mebibytes"]
    return {
        "sessions": SESSIONS,
        "history": history,
        "after_all_left": server.mebibytes(),
        "mebibytes_per_100_reruns": 100 * slope,
        "growth_percent_of_second_half": growth,
        "met": growth < FLAT_PERCENT,
    }


def watch_idle(browser: Browser, server: Dashboard, addresses: dict[str, str], minutes: float) -> dict[str, Any]:
    """The server's share of a core, in per cent, while tabs stand open and nobody touches them."""
    tabs = [Tab(browser, server)]
    tabs[0].open("")
    time.sleep(60 * minutes)
    one = _share(server)
    for address in addresses.values():
        tabs.append(Tab(browser, server))
        tabs[-1].open(address)
    time.sleep(WATCHED_SECONDS)
    found = {"minutes": minutes, "one_tab_percent": one, "tabs": len(tabs), "all_tabs_percent": _share(server)}
    for tab in tabs:
        tab.close()
    return found | {"met": one < IDLE_PERCENT}


def _share(server: Dashboard) -> float:
    before = server.cpu_seconds()
    time.sleep(WATCHED_SECONDS)
    return 100 * (server.cpu_seconds() - before) / WATCHED_SECONDS


def compare_collecting(browser: Browser, home: Home, log: Path) -> dict[str, Any]:
    """A press answered with and without Streamlit's garbage collection after every rerun, the two servers in turns."""
    seconds: dict[str, list[float]] = {"true": [], "false": []}
    processor: dict[str, list[float]] = {"true": [], "false": []}
    servers = {on: Dashboard(home, log, STREAMLIT_RUNNER_POST_SCRIPT_GC=on) for on in seconds}
    try:
        tabs = {}
        for on, server in servers.items():
            server.start()
            tabs[on] = Tab(browser, server)
            tabs[on].open("datasets")
        findings = next(widget for widget in widgets(tabs["true"]) if widget.name.startswith("Findings"))
        facts = findings.chosen_instead(tabs["true"])
        assert facts is not None, "one part of the data set is always chosen"
        for press in range(2 * PRESSES):
            for on, tab in tabs.items():
                before = servers[on].cpu_seconds()
                seconds[on].append((facts if press % 2 else findings).move(tab))
                processor[on].append(servers[on].cpu_seconds() - before)
    finally:
        for server in servers.values():
            server.stop()
    found = {
        f"{what}_{word}": statistics.median(values[on])
        for what, values in (("seconds", seconds), ("server_cpu", processor))
        for on, word in (("true", "collecting"), ("false", "without"))
    }
    return found | {"presses": 2 * PRESSES, "ratio": found["seconds_collecting"] / found["seconds_without"]}


def report(results: dict[str, Any]) -> None:
    """What missed its law, and the counts."""
    opened, answered, memory = results.get("opening"), results.get("answers"), results.get("memory")
    if opened is not None:
        print(f"{sum(row['met'] for row in opened)} of {len(opened)} pages open within {OPEN_LAW:g} s")
    if answered is not None:
        print(f"{sum(row['met'] for row in answered)} of {len(answered)} widgets answer within {ANSWER_LAW:g} s")
        for row in sorted(answered, key=lambda row: -max(row["first"], row["seconds"])):
            if not row["met"]:
                where = f"{row['page']} {row['view']}".strip()
                times = f"{row['seconds']:5.2f} s, first {row['first']:.2f} s"
                print(f"  {times}  {where}: {row['widget']} {row['name']} {' '.join(row['trouble'])}")
    if (compared := results.get("collecting")) is not None:
        print(
            f"A press, collecting garbage after every rerun: {compared['seconds_collecting']:.2f} s, server "
            f"{compared['server_cpu_collecting']:.2f} s; without: {compared['seconds_without']:.2f} s, server "
            f"{compared['server_cpu_without']:.2f} s: {compared['ratio']:.1f} times as long"
        )
    if memory is not None:
        said = "flat" if memory["met"] else "GROWING"
        print(
            f"Memory: {said}, {memory['mebibytes_per_100_reruns']:+.1f} MiB per 100 reruns in the second half, "
            f"{memory['history'][-1]['mebibytes']:.0f} MiB at the end, {memory['after_all_left']:.0f} after all left"
        )
    if (idle := results.get("idle")) is not None:
        print(
            f"Idle for {idle['minutes']:g} min, the server takes {idle['one_tab_percent']:.2f} % of a core for a tab "
            f"({'met' if idle['met'] else 'MISSED'}), {idle['all_tabs_percent']:.2f} % for {idle['tabs']} tabs"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--home", type=Path, help="where the big home is, or is to be made; else a temporary folder")
    parser.add_argument("--only", choices=PARTS, help="measure one thing only")
    parser.add_argument("--page", help="only the places whose name begins so")
    parser.add_argument("--reruns", type=int, default=RERUNS, help="reruns through which the memory is watched")
    parser.add_argument("--minutes", type=float, default=IDLE_MINUTES, help="how long nobody touches the open tab")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        home = Home((chosen.home or Path(temporary) / "home").resolve())
        os.environ["ERSATZ_HOME"] = str(home.root)
        made = make_big_home(home)
        addresses = {name: path for name, path in places(home, made).items() if name.startswith(chosen.page or "")}
        wanted = [chosen.only] if chosen.only else PARTS
        results: dict[str, Any] = {
            "home": made,
            "laws": {"open": OPEN_LAW, "answer": ANSWER_LAW, "runs": RUNS, "datasets": DATASETS},
            "machine": {"processor": describe_cpu(), "cores": os.cpu_count()},
            "load_before": psutil.getloadavg(),
        }
        server = Dashboard(home, Path(temporary) / "streamlit.log")
        server.start()
        try:
            with chromium() as browser:
                if "opening" in wanted:
                    results["opening"] = time_opening(browser, server, addresses)
                if "answers" in wanted:
                    results["answers"] = time_answers(browser, server, addresses)
                    if "Review" in addresses:
                        results["answers"].append(time_quiz(browser, server, home, made["pool"]))
                if "collecting" in wanted:
                    results["collecting"] = compare_collecting(browser, home, Path(temporary) / "collecting.log")
                if "memory" in wanted:
                    results["memory"] = watch_memory(browser, server, addresses, chosen.reruns, linger=130)
                if "idle" in wanted:
                    results["idle"] = watch_idle(browser, server, addresses, chosen.minutes)
        finally:
            server.stop()
        results["load_after"] = psutil.getloadavg()
    report(results)
    if chosen.out:
        chosen.out.write_text(json.dumps(results, indent=2) + "\n")
    rows = [row for part in ("opening", "answers") for row in results.get(part, [])]
    if not all(row["met"] for row in (*rows, *filter(None, [results.get("idle")]))):
        sys.exit(1)


if __name__ == "__main__":
    main()
