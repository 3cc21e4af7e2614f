"""The search for copies at 50,000 x 50,000 features: exact neighbours in bounded memory, and scikit-learn's beside it.

* ours: `engine.quality.nearest`, the 51 nearest of all training images for every synthetic one, measured in full, with
  the memory that it took beyond the two arrays of features.
* scikit-learn: `NearestNeighbors(algorithm="brute")` on a part of the queries against all training images. Both sides
  take that part in turns, and the median ratio of a turn is reported; every turn's neighbours and distances are
  compared. scikit-learn's time for all queries is scaled from the part (its work is proportional to the queries).

Features are random numbers of as few degrees of freedom as images have, and a tenth of the synthetic ones are copies
with little noise, so that near and far neighbours both occur. Both sides use all cores they are given.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.neighbors import NearestNeighbors

from engine.devices import choose_device, describe
from engine.quality.nearest import nearest

NEIGHBOURS = 51
PART = 2000
TURNS = 3


def made_features(n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic and training features float32 [n, dim] each."""
    random = np.random.default_rng(0)
    mix = random.standard_normal((24, dim)).astype(np.float32)
    made = []
    for _ in range(2):
        x = random.standard_normal((n, 24)).astype(np.float32) @ mix
        x *= 0.2
        x += 0.3
        np.maximum(x, 0, out=x)
        made.append(x)
    synthetic, train = made
    copied = random.choice(n, n // 10, replace=False)
    synthetic[: len(copied)] = train[copied] + 0.001 * random.standard_normal((len(copied), dim)).astype(np.float32)
    return synthetic, train


def peak_gib() -> float:
    """Most memory that this process ever had, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def compare(synthetic: np.ndarray, train: np.ndarray, device: torch.device, turns: int) -> dict[str, object]:
    """Seconds of both sides for a part of the queries in turns, and whether they agree."""
    seconds: dict[str, list[float]] = {"ours": [], "scikit-learn": []}
    same, worst = [], 0.0
    reference = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(train)
    for turn in range(turns):
        part = synthetic[turn * PART % len(synthetic) :][:PART]
        began = time.perf_counter()
        found = nearest(part, train, NEIGHBOURS, device=device)
        seconds["ours"].append(time.perf_counter() - began)
        began = time.perf_counter()
        distances, rows = reference.kneighbors(part)
        seconds["scikit-learn"].append(time.perf_counter() - began)
        same.append(float((rows == found.rows).mean()))
        worst = max(worst, float(np.abs(distances - found.distances).max() / found.distances.max()))
    ratios = [theirs / ours for ours, theirs in zip(*seconds.values(), strict=True)]
    return {
        "queries_in_turns": PART,
        "ours_s": seconds["ours"],
        "scikit_learn_s": seconds["scikit-learn"],
        "ratio": statistics.median(ratios),
        "same_neighbours": min(same),
        "largest_difference": worst,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000, help="synthetic images, and as many training images")
    parser.add_argument("--dims", type=int, nargs="+", default=[384, 2048], help="numbers an image")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    device = choose_device(arguments.device)
    rows = []
    for dim in sorted(arguments.dims):
        synthetic, train = made_features(arguments.images, dim)
        nearest(synthetic[:100], train[:200], 1, device=device)  # threads and libraries are up
        before = peak_gib()
        began = time.perf_counter()
        found = nearest(synthetic, train, NEIGHBOURS, device=device)
        row: dict[str, object] = {"images": arguments.images, "dim": dim, "seconds": time.perf_counter() - began}
        row["more_memory_gib"] = peak_gib() - before
        row["result_gib"] = (found.distances.nbytes + found.rows.nbytes) / 2**30
        row |= compare(synthetic, train, device, arguments.turns)
        row["scikit_learn_scaled_s"] = statistics.median(row["scikit_learn_s"]) * arguments.images / PART  # type: ignore[call-overload]
        rows.append(row)
        print(
            f"{arguments.images} x {arguments.images} x {dim}: {row['seconds']:.0f} s for the {NEIGHBOURS} nearest, "
            f"{row['more_memory_gib']:.2f} GiB beside the features (result {row['result_gib']:.2f} GiB); scikit-learn "
            f"on {PART} queries {row['ratio']:.2f} x our time, same neighbours {row['same_neighbours']:.4%}, distances "
            f"within {row['largest_difference']:.1e}"
        )
    about = {
        "device": describe(device),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "scikit_learn": sklearn.__version__,
    }
    if arguments.out:
        arguments.out.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
