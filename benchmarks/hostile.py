"""The whole corpus of hostile files, read by the program's own readers: `python -m benchmarks.hostile [--kind ZIP]`.

Prints how many of each kind were read, refused in a sentence, or ended otherwise (which is a fault), the longest time
and the largest memory, as JSON; every fault with its words on stderr. Exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from benchmarks.machine import describe_cpu
from tests.hostile.corpus import COUNTS, corpus
from tests.hostile.driving import bad, drive


def main() -> int:
    """Drive the corpus and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=[*COUNTS, "text"], action="append", help="only these kinds")
    parser.add_argument("--share", type=float, default=1.0, help="an evenly spread share of each kind")
    arguments = parser.parse_args()
    endings = []
    for ending in drive(case for case in corpus(arguments.share) if not arguments.kind or case.kind in arguments.kind):
        endings.append(ending)
        if bad([ending]):
            print(
                f"{ending.case.kind} {ending.case.name}: {ending.outcome}\n{ending.words}", file=sys.stderr, flush=True
            )
    kinds: dict[str, Counter[str]] = {}
    for ending in endings:
        kinds.setdefault(ending.case.kind, Counter())[ending.outcome] += 1
    slowest, largest = max(endings, key=lambda e: e.seconds), max(endings, key=lambda e: e.memory)
    result = {
        "machine": describe_cpu(),
        "files": len(endings),
        "bad": len(bad(endings)),
        "kinds": kinds,
        "slowest": [slowest.case.kind, slowest.case.name, round(slowest.seconds, 2)],
        "largest_mib": [largest.case.kind, largest.case.name, round(largest.memory / 2**20)],
    }
    print(json.dumps(result, indent=2))
    return 1 if bad(endings) else 0


if __name__ == "__main__":
    sys.exit(main())
