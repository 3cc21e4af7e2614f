"""How often a ranking of snapshots claims a difference that is not there, and how often it finds one that is.

Sets of features are simulated: real images of patients, and the images of several snapshots for the same latent seeds,
which share most of what they show. Every snapshot lies off the reals by a bias of its own. The reals vary alike along
the axes of these biases, so that equal biases have equal KIDs whatever their axis, and the truth is known. Claims are
those of `engine.quality.paired_kid`, and beside them what two bootstrap intervals that must not meet would have
claimed. Rates come with exact binomial 95 % intervals. Printed, and written as JSON:

    python -m benchmarks.snapshot_ranking --sets 400
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.error_rates import rate
from engine.quality.fid_kid import kernel_distance
from engine.quality.paired_kid import differences, moved_by

DIM = 64
AXES = 8
"""Axes along which snapshots are biased."""
SHARED = 0.7
"""Share of the variance of an image that its latent seed decides, whatever the snapshot."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Biases of the snapshots (how far their mean is shifted), and how many images there are."""

    biases: tuple[float, ...]
    reals: int = 100
    images_of_patient: int = 1
    fakes: int = 300
    one_axis: bool = False
    """All snapshots are biased alike, not each along an axis of its own."""


WORLDS = {
    "null: 2 snapshots": World(biases=(0.8, 0.8)),
    "null: 2 of one distribution": World(biases=(0.8, 0.8), one_axis=True),
    "null: 2 as good as the reals": World(biases=(0.0, 0.0)),
    "null: 2, 30 reals": World(biases=(0.8, 0.8), reals=30),
    "null: 2, 20 patients of 5 images": World(biases=(0.8, 0.8), images_of_patient=5),
    "null: 8 snapshots": World(biases=(0.8,) * 8),
    "null: 8, 60 patients of 5 images": World(biases=(0.8,) * 8, reals=300, images_of_patient=5),
    "planted: 2, biases 0.8 and 1.0": World(biases=(0.8, 1.0)),
    "planted: 2, biases 0.8 and 1.2": World(biases=(0.8, 1.2)),
    "planted: 2, biases 0.8 and 1.2, 300 reals": World(biases=(0.8, 1.2), reals=300),
    "planted: 8, one 0.8, others 1.2, 300 reals": World(biases=(1.2, 1.2, 1.2, 0.8, 1.2, 1.2, 1.2, 1.2), reals=300),
}


def made(world: World, seed: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Features [N, DIM] of reals, their patients [N], and features [M, DIM] of the images of each snapshot."""
    draw = np.random.default_rng(seed)
    scale = np.concatenate((np.ones(AXES), np.linspace(1.0, 0.1, DIM - AXES)))
    patients = np.arange(world.reals) // world.images_of_patient
    reals = draw.standard_normal((world.reals, DIM))
    if world.images_of_patient > 1:  # half of the variance is the patient's
        reals = np.sqrt(0.5) * (reals + draw.standard_normal((patients[-1] + 1, DIM))[patients])
    shared = draw.standard_normal((world.fakes, DIM))
    fakes = []
    for place, bias in enumerate(world.biases):
        own = draw.standard_normal((world.fakes, DIM))
        fake = scale * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own)
        fake[:, 0 if world.one_axis else place % AXES] += bias
        fakes.append(fake + 0.3)
    return scale * reals + 0.3, patients, fakes


@dataclass(frozen=True)
class Told:
    """What one set led to claim."""

    wrong: bool
    """Any snapshot better than another that is as good or better."""
    best_of_last: bool
    """The snapshot with the lowest KID better than the last one."""
    found: float
    """Share, of the snapshots that are worse than the truly best one, that are told to be so."""
    former: bool
    """As `best_of_last`, by two intervals that do not meet."""


def judged(world: World, seed: int) -> Told:
    """Claims of one set."""
    reals, patients, fakes = made(world, seed)
    bias = {f"{place}": each for place, each in enumerate(world.biases)}
    single = {name: kernel_distance(reals, fake, seed) for name, fake in zip(bias, fakes, strict=True)}
    moved = {name: moved_by(reals, fake, patients) for name, fake in zip(bias, fakes, strict=True)}
    found = differences({name: each.value for name, each in single.items()}, moved)
    lowest, last = min(single, key=lambda name: single[name].value), list(bias)[-1]
    truly = min(bias, key=lambda name: bias[name])
    worse = [name for name in bias if bias[name] > bias[truly]]
    return Told(
        wrong=any(each.high < 0 and bias[one] >= bias[other] for (one, other), each in found.items()),
        best_of_last=lowest != last and found[lowest, last].high < 0,
        found=float(np.mean([found[truly, name].high < 0 for name in worse])) if worse else 0.0,
        former=lowest != last and single[lowest].high < single[last].low,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=400, help="simulated sets of snapshots in each world")
    parser.add_argument("--only", default="", help="only the worlds whose name holds this")
    parser.add_argument("--first", type=int, default=100_000, help="seed of the first; the tests use others")
    parser.add_argument("--out", type=Path, help="JSON file for the rates")
    arguments = parser.parse_args()
    started, rows = time.perf_counter(), {}
    for name, world in WORLDS.items():
        if arguments.only not in name:
            continue
        told = [judged(world, seed) for seed in range(arguments.first, arguments.first + arguments.sets)]
        rows[name] = {
            "any wrong claim": rate(sum(each.wrong for each in told), arguments.sets),
            "lowest better than the last": rate(sum(each.best_of_last for each in told), arguments.sets),
            "the same by two intervals that do not meet": rate(sum(each.former for each in told), arguments.sets),
        }
        text = "; ".join(
            f"{what} {100 * one['rate']:.1f} % ({100 * one['low']:.1f} to {100 * one['high']:.1f})"
            for what, one in rows[name].items()
        )
        share = float(np.mean([each.found for each in told]))
        planted = len(set(world.biases)) > 1
        print(f"{name}: {text}{f'; worse ones found {100 * share:.1f} %' if planted else ''}", flush=True)
    print(f"{len(rows)} worlds of {arguments.sets} sets in {time.perf_counter() - started:.0f} s")
    if arguments.out:
        content = {"sets": arguments.sets, "first": arguments.first, "worlds": rows}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
