"""Whether the smallest difference that is shown before a sweep is found four times in five, as it says.

Sweeps of worlds that are as the assumptions say (`engine/sweep/expected_luck.py`), with just that difference at one
share of four, are simulated and judged. Twice: with the difference that the assumptions foretell, and, of a fifth as
many sweeps, with the difference that one earlier sweep of the world foretells as a pilot.

    python -m benchmarks.smallest_difference --sweeps 1000
"""

from __future__ import annotations

import argparse
import time

from benchmarks.error_rates import rate, told
from tests.sweep.promised import PROMISED, design_of_world, detectable_in, found_in, pilot_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps of each world")
    parser.add_argument("--first", type=int, default=2_000_000, help="seed of the first; the tests use others")
    parser.add_argument("--pilots", type=int, default=40, help="pilots of each world, each with a few sweeps after it")
    parser.add_argument("--only", default="", help="worlds whose name holds these words")
    arguments = parser.parse_args()
    started = time.perf_counter()
    print("| world | smallest difference | found, per cent | after a pilot, per cent |\n|---|---|---|---|")
    for name, (world, accuracy) in PROMISED.items():
        if arguments.only not in name:
            continue
        promise = detectable_in(world, accuracy)
        if promise.difference is None:
            print(f"| {name} | none | | |", flush=True)
            continue
        numbers = range(arguments.first, arguments.first + arguments.sweeps)
        found = sum(found_in(world, accuracy, promise.difference, number) for number in numbers)
        after, tried, each = 0, 0, max(1, arguments.sweeps // 5 // max(1, arguments.pilots))
        for pilot in range(arguments.pilots):
            luck = pilot_of(world, accuracy, arguments.first - 1 - pilot, design_of_world(world))
            foretold = detectable_in(world, accuracy, luck).difference
            if foretold is None:
                continue
            first = arguments.first + arguments.sweeps + pilot * each
            after += sum(found_in(world, accuracy, foretold, number) for number in range(first, first + each))
            tried += each
        piloted = told(rate(after, tried)) if tried else ""
        print(f"| {name} | {promise.amount} | {told(rate(found, arguments.sweeps))} | {piloted} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
