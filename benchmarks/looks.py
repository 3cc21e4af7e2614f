"""How often a sweep that is read at several planned looks is wrong, and what the looks gain, by simulation.

Sweeps of the last look's repetitions are simulated (`tests/sweep/simulated.py`), and the looks are those of their first
repetitions, judged as the program judges them. Read each time at 5 % shows what planning saves from. Printed:

    python -m benchmarks.looks --sweeps 500
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd
from scipy import stats

from engine.configs import SweepConfig
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.look_results import boundary_of, look_result
from engine.sweep.metric_table import Parts
from engine.sweep.statistics import ALPHA
from engine.sweep.verdict import judge
from engine.sweep.verdict_words import Question
from tests.sweep.simulated import RATIOS, simulate

LOOKS = (8, 16, 24)
WORLDS: dict[str, tuple[dict[str, Any], dict[float, float]]] = {
    "null: all noises": ({}, {}),
    "null: luck of the seeds": ({"patients": 300, "lasting": 0.05, "of_seed": 0.3}, {}),
    "null: luck of the test set": ({"lasting": 1.5}, {}),
    "+4 points at all ratios, luck of the seeds": (
        {"patients": 300, "lasting": 0.05, "of_seed": 0.3},
        dict.fromkeys(RATIOS, 0.04),
    ),
    "+5 points at all ratios, all noises": ({}, dict.fromkeys(RATIOS, 0.05)),
}


def at_looks(sweep: tuple[pd.DataFrame, Parts], config: SweepConfig) -> Iterator[tuple[str, bool, float, float]]:
    """Of each look: the verdict, whether any interval against the real images left 0 out, the nominal alpha, and the
    information."""
    trials, parts = sweep
    question, earlier = Question(), ()
    for seeds in config.looks:
        now = trials[trials["seed"] < seeds]
        known = {cell: {seed: part for seed, part in of.items() if seed < seeds} for cell, of in parts.items()}

        def compared(alpha: float, now: pd.DataFrame = now, known: Parts = known) -> list[list[Comparison]]:
            return [
                compare(now, question.arm, against, "accuracy", known, alpha)
                for against in (question.baseline, str(question.control))
            ]

        boundary = boundary_of(config.at(seeds), earlier, sum(compared(ALPHA), []))
        assert boundary is not None
        to_real, to_control = compared(boundary.alpha)
        verdict = judge(question, to_real, to_control)
        earlier = look_result(config.at(seeds), earlier, boundary, verdict)
        left_out = any(each.p_corrected < each.alpha for each in to_real)
        yield verdict.verdict, left_out, boundary.alpha, boundary.fraction


def at_five_percent(sweep: tuple[pd.DataFrame, Parts], looks: tuple[int, ...]) -> Iterator[tuple[str, bool]]:
    """The same, read each time as if it were the only one."""
    trials, parts = sweep
    question = Question()
    for seeds in looks:
        now = trials[trials["seed"] < seeds]
        to_real, to_control = (
            compare(now, question.arm, against, "accuracy", parts)
            for against in (question.baseline, str(question.control))
        )
        yield judge(question, to_real, to_control).verdict, any(each.p_corrected < each.alpha for each in to_real)


def shown(found: int, of: int) -> str:
    """A rate in per cent with its exact binomial 95 % interval."""
    interval = stats.binomtest(found, of).proportion_ci()
    return f"{100 * found / of:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=500, help="simulated sweeps of each world")
    parser.add_argument("--first", type=int, default=200_000, help="seed of the first")
    parser.add_argument("--spending", default="obrien-fleming", help="obrien-fleming or pocock")
    arguments = parser.parse_args()
    started = time.perf_counter()
    config = SweepConfig.build(
        {"name": "s", "dataset": "d", "pool": "p", "looks": LOOKS} | {"spending": arguments.spending}
    )
    for name, (world, effect) in WORLDS.items():
        count, alphas, information, repetitions = Counter[str](), [0.0] * len(LOOKS), [0.0] * len(LOOKS), 0
        for seed in range(arguments.first, arguments.first + arguments.sweeps):
            sweep = simulate(seed, effect, seeds=LOOKS[-1], **world)
            planned, repeated = list(at_looks(sweep, config)), list(at_five_percent(sweep, LOOKS))
            for place, (_, _, alpha, fraction) in enumerate(planned):
                alphas[place] += alpha / arguments.sweeps
                information[place] += fraction / arguments.sweeps
            first = next((place for place, look in enumerate(planned) if look[0] != "no evidence"), None)
            repetitions += LOOKS[-1] if first is None else LOOKS[first]
            if first is not None:
                count[f"planned looks: {planned[first][0]}"] += 1
            count["planned looks: some interval leaves 0 out at some look"] += any(look[1] for look in planned)
            told = next((verdict for verdict, _ in repeated if verdict != "no evidence"), "")
            if told:
                count[f"read at 5 % each time: {told}"] += 1
            count["read at 5 % each time: some interval leaves 0 out"] += any(left for _, left in repeated)
            count[f"once, at {LOOKS[0]}: {repeated[0][0]}"] += 1
            count[f"once, at {LOOKS[-1]}: {repeated[-1][0]}"] += 1
            count[f"once, at {LOOKS[0]}: some interval leaves 0 out"] += repeated[0][1]
        print(f"{name}: looks {LOOKS}, {config.spending}")
        print("  nominal alpha on average: " + ", ".join(f"{100 * alpha:.2f} %" for alpha in alphas))
        print("  information on average: " + ", ".join(f"{100 * share:.0f} %" for share in information))
        print(f"  repetitions on average: {repetitions / arguments.sweeps:.1f}")
        for what in sorted(count):
            if not what.endswith("no evidence"):
                print(f"  {what}: {shown(count[what], arguments.sweeps)}", flush=True)
    print(f"{len(WORLDS)} worlds of {arguments.sweeps} sweeps in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
