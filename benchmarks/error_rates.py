"""How often the verdict of a sweep is wrong, how often it finds what is there, and what its intervals cover.

Sweeps are simulated at the level of who is right (`tests/sweep/simulated.py`): no training, and the truth is known.
Each world has its own mixture of luck: of the test patients, of the seeds, of single trainings, of patients with
several images. Rates are given with their exact binomial 95 % intervals. Printed, and written as JSON:

    python -m benchmarks.error_rates --sweeps 1000 --out error_rates.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from scipy import stats

from engine.sweep.comparisons import compare
from engine.sweep.verdict import RULE, judge
from engine.sweep.verdict_words import Question
from tests.sweep.simulated import RATIOS, simulate

NULL: dict[str, dict[str, Any]] = {
    "all noises": {},
    "luck of the test set": {"lasting": 1.5},
    "tiny test set": {"patients": 25, "lasting": 1.5},
    "patients of 4 images": {"patients": 60, "images": 4, "lasting": 1.0},
    "luck of the seeds": {"patients": 300, "lasting": 0.05, "of_seed": 0.3},
    "seeds agree": {"patients": 300, "lasting": 1.0, "of_seed": 0.02, "fleeting": 0.2},
    "6 seeds": {"seeds": 6},
    "20 seeds": {"seeds": 20, "patients": 200},
}
"""Worlds in which all arms are equally good."""
PLANTED: dict[str, tuple[dict[str, Any], dict[float, float]]] = {
    "duplicates at -3 points, 300 patients": ({"patients": 300, "duplicates": -0.03}, {}),
    "+5 points at all ratios, 100 patients": ({}, dict.fromkeys(RATIOS, 0.05)),
    "+2 points at all ratios, 300 patients": ({"patients": 300}, dict.fromkeys(RATIOS, 0.02)),
    "+5 points at one ratio, 300 patients": ({"patients": 300}, {0.5: 0.05}),
    "-5 points at all ratios, 300 patients": ({"patients": 300}, dict.fromkeys(RATIOS, -0.05)),
}
"""Worlds in which something is there: settings, and what synthetic images add at each ratio."""


def rate(found: int, of: int) -> dict[str, float]:
    """A rate with its exact binomial 95 % interval (Clopper and Pearson 1934)."""
    interval = stats.binomtest(found, of).proportion_ci()
    return {"rate": found / of, "low": float(interval.low), "high": float(interval.high)}


def judged(world: dict[str, Any], effect: dict[float, float], sweeps: int, first: int) -> dict[str, Any]:
    """Rates of the verdicts of so many sweeps, and of intervals that hold 0 (the truth of a null world)."""
    question, found = Question(), Counter[str]()
    for sweep in range(first, first + sweeps):
        trials, parts = simulate(sweep, effect, **world)
        to_real, to_control = (
            compare(trials, question.arm, against, "accuracy", parts)
            for against in (question.baseline, str(question.control))
        )
        verdict = judge(question, to_real, to_control)
        found[verdict.verdict] += 1
        found["better than duplicates only"] += verdict.sentence.startswith("Better than duplicates")
        found["corrected intervals all hold 0"] += all(each.low_total <= 0 <= each.high_total for each in to_real)
        found["one interval by itself holds 0"] += to_real[0].low_alone <= 0 <= to_real[0].high_alone
    names = ("helps", "harms", "better than duplicates only")
    covered = ("corrected intervals all hold 0", "one interval by itself holds 0") if not effect else ()
    return {name: rate(found[name], sweeps) for name in (*names, *covered)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps of each world")
    parser.add_argument("--first", type=int, default=100_000, help="seed of the first; the tests use others")
    parser.add_argument("--out", type=Path, help="JSON file for the rates")
    arguments = parser.parse_args()
    started, rows = time.perf_counter(), {}
    worlds: dict[str, tuple[dict[str, Any], dict[float, float]]] = {
        **{f"null: {name}": (world, {}) for name, world in NULL.items()},
        **PLANTED,
    }
    for name, (world, effect) in worlds.items():
        rows[name] = judged(world, effect, arguments.sweeps, arguments.first)
        told = "; ".join(
            f"{what} {100 * one['rate']:.1f} % ({100 * one['low']:.1f} to {100 * one['high']:.1f})"
            for what, one in rows[name].items()
        )
        print(f"{name}: {told}", flush=True)
    print(f"{len(worlds)} worlds of {arguments.sweeps} sweeps in {time.perf_counter() - started:.0f} s")
    if arguments.out:
        content = {"rule": RULE, "sweeps": arguments.sweeps, "first": arguments.first, "worlds": rows}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
