"""How often the verdict of a sweep is wrong, how often it finds what is there, and what its intervals cover.

Sweeps are simulated at the level of softmax scores (`tests/sweep/simulated_worlds.py`) in worlds (`tests/sweep/
worlds.py`) whose truth is known, and judged by the program's own code. Rates are given with their exact binomial 95 %
intervals. Beside the power stands that of an oracle: a mixed model of the same differences to which the covariance of
their luck is told, so that it holds |z| against the true quantile, under the same rule. Printed as tables for
docs/protocol.md, and written as JSON:

    python -m benchmarks.error_rates --sweeps 1000 --out error_rates.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from engine.sweep.comparisons import Comparison
from engine.sweep.max_t import critical_value
from engine.sweep.statistics import two_way_interval
from engine.sweep.verdict import RULE, judge
from engine.sweep.verdict_words import Question
from tests.sweep.simulated_worlds import CELLS, RATIOS, Sweep, World, compared, simulate
from tests.sweep.worlds import NULL, PLANTED

ENDS = ("low_total", "high_total", "low_alone", "high_alone", "low", "high")
SHOWN = (("real", 0.0), ("real+synthetic", 0.5))
"""Arms whose intervals are looked at."""
AT = RATIOS.index(0.5)
COVERAGES = {
    "all to real": "corrected, to the real images: all hold",
    "all to duplicates": "corrected, to the duplicates: all hold",
    "one share": "one share by itself",
    "mean": "the mean over the shares by itself",
    "seeds alone": "seeds alone, one share",
    "arm": "an arm, seeds and patients",
}


def rate(found: int, of: int) -> dict[str, float]:
    """A rate with its exact binomial 95 % interval (Clopper and Pearson 1934)."""
    interval = stats.binomtest(int(found), of).proportion_ci()
    return {"rate": found / of, "low": float(interval.low), "high": float(interval.high)}


def told(one: dict[str, float]) -> str:
    """In per cent, as `1.2 (0.6 to 2.1)`."""
    return f"{100 * one['rate']:.1f} ({100 * one['low']:.1f} to {100 * one['high']:.1f})"


def studied(world: World, sweeps: int, first: int) -> dict[str, Any]:
    """Rates of verdicts, and of intervals that hold the truth, in so many sweeps of a world."""
    verdicts: Counter[str] = Counter()
    rows, arms, question = [], [], Question(metric=world.metric)
    for number in range(first, first + sweeps):
        sweep = simulate(number, world)
        families = compared(sweep, question)
        verdict = judge(question, *families)
        verdicts[verdict.verdict] += 1
        verdicts["better than duplicates only"] += verdict.sentence.startswith("Better than duplicates")
        rows.append([[_numbers(each) for each in family] for family in families])
        arms.append(_arms(sweep))
    found, of_arms = np.array(rows), np.array(arms)  # [sweeps, 2 families, R + 1, ...], [sweeps, arms, 3]
    means, ends = found[..., 0], found[..., 1:]
    truth = np.zeros(means.shape[1:]) if world.null and not world.duplicates else means.mean(0)
    result = {name: rate(verdicts[name], sweeps) for name in ("helps", "harms", "better than duplicates only")}
    result["oracle helps"], result["oracle harms"] = (rate(each, sweeps) for each in oracle(means))
    holds = {
        name: (ends[..., at] <= truth + 1e-12) & (truth - 1e-12 <= ends[..., at + 1])
        for name, at in (("total", 0), ("alone", 2), ("seeds", 4))
    }
    of_truth = of_arms[..., 0].mean(0)
    result["cover"] = {
        "all to real": rate(holds["total"][:, 0].all(1).sum(), sweeps),
        "all to duplicates": rate(holds["total"][:, 1].all(1).sum(), sweeps),
        "one share": rate(holds["alone"][:, 0, AT].sum(), sweeps),
        "mean": rate(holds["alone"][:, 0, -1].sum(), sweeps),
        "seeds alone": rate(holds["seeds"][:, 0, AT].sum(), sweeps),
        "arm": rate(((of_arms[..., 1] <= of_truth) & (of_truth <= of_arms[..., 2]))[:, 0].sum(), sweeps),
    }
    result["mean difference"] = float(means[:, 0, AT].mean())
    result["standard deviation"] = float(means[:, 0, AT].std())
    return result


def oracle(means: np.ndarray) -> tuple[int, int]:
    """Sweeps in which the rule finds help and harm by z-tests with the true covariance, from `[sweeps, 2, R + 1]`."""
    scale = means.std(0)
    if not (scale > 1e-12).all():
        return 0, 0
    limits = [critical_value(np.corrcoef(family.T)) for family in means.swapaxes(0, 1)]
    z = means / scale
    helps = ((z[:, 0] > limits[0]) & (z[:, 1] > limits[1])).any(1)
    harms = ~helps & (z[:, 0] < -limits[0]).any(1)
    return int(helps.sum()), int(harms.sum())


def _numbers(comparison: Comparison) -> list[float]:
    return [comparison.mean_difference, *(getattr(comparison, name) for name in ENDS)]


def _arms(sweep: Sweep) -> list[tuple[float, float, float]]:
    found = []
    for cell in SHOWN:
        moved = np.stack(list(sweep.parts[cell].values()))
        interval = two_way_interval(sweep.values[CELLS.index(cell)], moved)
        found.append((interval.mean, interval.low, interval.high))
    return found


def tables(rows: dict[str, dict[str, Any]]) -> str:
    """The results as the tables of docs/protocol.md."""
    lines = ["| world | helps | harms |", "|---|---|---|"]
    lines += [
        f"| {name} | {told(rows[name]['helps'])} | {told(rows[name]['harms'])} |" for name in NULL if name in rows
    ]
    names = ("helps", "oracle helps", "harms", "oracle harms", "better than duplicates only")
    lines += ["", f"| world | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(told(rows[name][each]) for each in names)} |" for name in PLANTED if name in rows
    ]
    lines += ["", f"| world | {' | '.join(COVERAGES)} |", "|---" * (len(COVERAGES) + 1) + "|"]
    for name in (each for each in (*NULL, *PLANTED) if each in rows):
        covers = [f"{100 * rows[name]['cover'][each]['rate']:.1f}" for each in COVERAGES]
        lines.append(f"| {name} | {' | '.join(covers)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps of each world")
    parser.add_argument("--first", type=int, default=100_000, help="seed of the first; the tests use others")
    parser.add_argument("--only", default="", help="worlds whose name holds these words")
    parser.add_argument(
        "--part", default="1/1", help="one part of the worlds of several, such as 2/3, to share them out"
    )
    parser.add_argument("--out", type=Path, help="JSON file for the rates")
    parser.add_argument("--tables", type=Path, nargs="+", help="simulate nothing: the tables of these JSON files")
    arguments = parser.parse_args()
    if arguments.tables:
        found = [json.loads(path.read_text())["worlds"] for path in arguments.tables]
        print(tables({name: row for part in found for name, row in part.items()}))
        return
    started, rows = time.perf_counter(), {}
    part, parts = (int(number) for number in arguments.part.split("/"))
    for place, (name, world) in enumerate({**NULL, **PLANTED}.items()):
        if arguments.only not in name or place % parts != part - 1:
            continue
        rows[name] = studied(world, arguments.sweeps, arguments.first)
        found, cover = rows[name], rows[name]["cover"]
        rates = "; ".join(f"{each} {told(found[each])}" for each in ("helps", "harms", "oracle helps"))
        covers = "; ".join(f"{each} {100 * cover[each]['rate']:.1f}" for each in COVERAGES)
        print(f"{time.perf_counter() - started:5.0f} s {name}: {rates}; covers: {covers}", flush=True)
        if arguments.out:
            content = {"rule": RULE, "sweeps": arguments.sweeps, "first": arguments.first, "worlds": rows}
            arguments.out.write_text(json.dumps(content, indent=2) + "\n")
    print(f"\nPer cent of {arguments.sweeps} sweeps a world, with exact binomial 95 % intervals:\n\n{tables(rows)}")
    print(f"\n{len(rows)} worlds in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
