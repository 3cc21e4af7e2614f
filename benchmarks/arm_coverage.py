"""How often the 95 % intervals of arms hold the truth: simulated sweeps of which the population is known.

    python -m benchmarks.arm_coverage --sweeps 1000

Prints the table of docs/protocol.md: of each world and metric, how often the interval that is shown (seeds and test
patients) holds the metric of the population, with an exact binomial 95 % interval, and beside it how often one over the
seeds alone would.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from engine.sweep.analysis_units import seed_scores, units_of
from engine.sweep.arm_intervals import arm_intervals, counted
from engine.sweep.metric_table import unit_metrics
from engine.sweep.statistics import seed_interval
from tests.sweep.simulated_scores import CLASSES, POSITIVE, World, population, sweep_of

SHOWN = ("accuracy", "balanced_accuracy", "sensitivity", "auroc", "average_precision", "brier", "log_score")
WORLDS = {
    "100 patients": World(),
    "25 patients": World(patients=25),
    "600 patients": World(patients=600),
    "60 patients of 4 images": World(patients=60, images=4),
    "10:1, 300 patients": World(patients=300, prevalence=1 / 11),
    "98 % right, 100 patients": World(strength=3.7),
    "much luck of the seeds": World(patients=300, of_seed=0.8),
    "3 seeds": World(seeds=3),
    "20 seeds": World(seeds=20),
}


def covered(world: World, sweeps: int) -> dict[str, tuple[int, int, int]]:
    """Of each metric: sweeps whose interval holds the population's value, those whose seeds' interval does, and all."""
    truth, found = population(world), {name: (0, 0, 0) for name in SHOWN}
    for sweep in range(sweeps):
        trials, test_images = sweep_of(world, 10_000 + sweep)
        table = arm_intervals(counted(trials, test_images, CLASSES, POSITIVE, "image"), SHOWN).set_index("metric")
        units = units_of(test_images, CLASSES, POSITIVE, "image")
        by_seed = [unit_metrics(units, scores, POSITIVE) for *_, scores in seed_scores(trials, test_images, 2)]
        for name in SHOWN:
            alone = seed_interval(np.array([each[name] for each in by_seed]))
            both, seeds, total = found[name]
            holds = bool(table.loc[name, "low"] <= truth[name] <= table.loc[name, "high"])
            found[name] = both + holds, seeds + (alone.low <= truth[name] <= alone.high), total + 1
    return found


def percent(count: int, total: int) -> str:
    interval = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--worlds", nargs="*", choices=WORLDS, default=list(WORLDS))
    options = parser.parse_args()
    print("| world | metric | population | seeds and patients | seeds alone |\n|---|---|---|---|---|")
    everything = []
    for name in options.worlds:
        world = WORLDS[name]
        for metric, (both, seeds, total) in covered(world, options.sweeps).items():
            value = population(world)[metric]
            words = metric.replace("_", " ")
            print(
                f"| {name} | {words} | {value:.3f} | {percent(both, total)} | {100 * seeds / total:.0f} |", flush=True
            )
            everything.append(both / total)
    print(
        f"\nIn all: {100 * np.mean(everything):.1f} %, from {100 * min(everything):.1f} to {100 * max(everything):.1f}."
    )


if __name__ == "__main__":
    main()
