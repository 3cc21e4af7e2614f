"""How often a sweep that is read at several planned looks is wrong, and what the looks gain, by simulation.

Sweeps of the last look's repetitions are simulated (`tests/sweep/simulated_worlds.py`), and the looks are those of
their first repetitions, judged as the program judges them. Read at 5 % each time shows what planning saves from.

    python -m benchmarks.looks --sweeps 500
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd
from scipy import stats

from engine.configs import SweepConfig
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.look_results import LookResult, boundary_of, look_result
from engine.sweep.metric_table import Parts
from engine.sweep.statistics import ALPHA
from engine.sweep.verdict import judge
from engine.sweep.verdict_words import Question
from tests.sweep.simulated_worlds import Sweep, World, simulate
from tests.sweep.worlds import NULL, everywhere

LOOKS = (8, 16, 24)
WORLDS: dict[str, World] = {
    "null, luck of the seeds": NULL["luck of the seeds"],
    "null, all noises": NULL["all noises"],
    "null, luck of the test set": NULL["luck of the test set"],
    "+4 points at all shares, luck of the seeds": replace(NULL["luck of the seeds"], effect=everywhere(0.04)),
    "+5 points at all shares, all noises": World(effect=everywhere(0.05)),
}
"""Worlds of `tests/sweep/worlds.py`, read at several numbers of repetitions."""


@dataclass(frozen=True)
class Look:
    """A verdict, and whether any interval against the real images left 0 out: with the look's alpha, and at 5 %."""

    verdict: str
    leaves_out: bool
    alone: str
    alone_leaves_out: bool
    alpha: float
    information: float


def at_looks(sweep: Sweep, config: SweepConfig) -> Iterator[Look]:
    """The looks at a sweep, one after the other, whatever they find."""
    trials, parts = sweep.table, sweep.parts
    question = Question()
    earlier: tuple[LookResult, ...] = ()
    for seeds in config.looks:
        now = trials[trials["seed"] < seeds]
        known = {cell: {seed: part for seed, part in of.items() if seed < seeds} for cell, of in parts.items()}

        def compared(alpha: float, now: pd.DataFrame = now, known: Parts = known) -> list[list[Comparison]]:
            return [
                compare(now, question.arm, against, "accuracy", known, alpha=alpha)
                for against in (question.baseline, str(question.control))
            ]

        alone = compared(ALPHA)
        boundary = boundary_of(config.at(seeds), earlier, [*alone[0], *alone[1]])
        assert boundary is not None
        to_real, to_control = compared(boundary.alpha)
        verdict = judge(question, to_real, to_control)
        earlier = look_result(config.at(seeds), earlier, boundary, verdict)
        yield Look(
            verdict.verdict,
            leaves_out(to_real),
            judge(question, *alone).verdict,
            leaves_out(alone[0]),
            boundary.alpha,
            boundary.fraction,
        )


def leaves_out(comparisons: list[Comparison]) -> bool:
    """Whether some interval leaves 0 out."""
    return any(each.p_corrected < each.alpha for each in comparisons)


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
    for name, world in WORLDS.items():
        count, alphas, information, repetitions = Counter[str](), [0.0] * len(LOOKS), [0.0] * len(LOOKS), 0
        for seed in range(arguments.first, arguments.first + arguments.sweeps):
            looks = list(at_looks(simulate(seed, replace(world, seeds=LOOKS[-1])), config))
            for place, look in enumerate(looks):
                alphas[place] += look.alpha / arguments.sweeps
                information[place] += look.information / arguments.sweeps
            first = next((place for place, look in enumerate(looks) if look.verdict != "no evidence"), None)
            repetitions += LOOKS[-1] if first is None else LOOKS[first]
            if first is not None:
                count[f"planned looks: {looks[first].verdict}"] += 1
            count["planned looks: some interval leaves 0 out at some look"] += any(look.leaves_out for look in looks)
            told = next((look.alone for look in looks if look.alone != "no evidence"), "no evidence")
            count[f"read at 5 % each time: {told}"] += 1
            count["read at 5 % each time: some interval leaves 0 out"] += any(look.alone_leaves_out for look in looks)
            for place in (0, -1):
                count[f"once, at {LOOKS[place]}: {looks[place].alone}"] += 1
                count[f"once, at {LOOKS[place]}: some interval leaves 0 out"] += looks[place].alone_leaves_out
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
