"""How import, audit and split grow with the number of images: seconds of CPU at several sizes, and the exponent.

    python -m benchmarks.scale_datasets --images 5000 10000 20000 --json scale.json

`different` are pictures of 64 px that differ, `alike` the same picture with noise: the worst case of the search for
near copies. The exponent is the slope between the smallest and the largest set on logarithmic axes; 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.datasets.near_copies import near_pairs
from engine.datasets.picture_content import SIZE, Contents
from engine.datasets.splitting import drawn
from engine.store.home import Home


def pictures(count: int, alike: bool) -> np.ndarray:
    """Grey pictures uint8 `[N, 64, 64]`."""
    rng = np.random.default_rng(0)
    if alike:
        base = rng.uniform(60, 230, (1, 8, 8)).repeat(SIZE // 8, axis=1).repeat(SIZE // 8, axis=2)
        found = np.empty((count, SIZE, SIZE), np.uint8)
        for number in range(count):
            found[number] = (base[0] + rng.normal(0, 8, (SIZE, SIZE))).clip(30, 255)
        return found
    small = rng.integers(30, 256, (count, 16, 16), dtype=np.uint8)
    return small.repeat(SIZE // 16, axis=1).repeat(SIZE // 16, axis=2)


def search(count: int, alike: bool) -> Callable[[], object]:
    """The search for near copies alone."""
    shown = pictures(count, alike)
    contents = Contents(shown, np.ones(shown.shape, bool), np.ones(count, bool), np.full(count, 99.0))
    return lambda: near_pairs(contents)


def split(count: int, classes: int) -> Callable[[], object]:
    """A split of images without patients."""
    names = [f"c{number % classes}" for number in range(count)]
    rows = pd.DataFrame({"class": names, "group": "", "sha256": [str(number) for number in range(count)]})
    valid, test = round(count * 0.15), round(count * 0.2)
    return lambda: drawn(rows, (count - valid - test, valid, test), 0)


def whole_import(count: int, alike: bool, root: Path) -> Callable[[], object]:
    """A folder of PNGs -> a data set, audited and split."""
    source = root / f"source-{count}-{alike}"
    for name in ("bleed", "normal"):
        (source / name).mkdir(parents=True)
    for number, picture in enumerate(pictures(count, alike)):
        Image.fromarray(picture).save(source / ("bleed", "normal")[number % 2] / f"{number}.png", compress_level=1)
    config = ImportConfig(name=f"set{count}{'a' * alike}", source=str(source), size=SIZE)
    return lambda: import_dataset(Home(root / "home"), config)


def exponent(seconds: dict[int, float]) -> float:
    """The slope between the smallest and the largest set on logarithmic axes."""
    low, high = min(seconds), max(seconds)
    return math.log(seconds[high] / seconds[low]) / math.log(high / low) if high > low else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[5000, 10000, 20000])
    parser.add_argument("--only", nargs="+", help="some of the measurements")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        kinds: dict[str, Callable[[int], Callable[[], object]]] = {
            "search, different": lambda count: search(count, False),
            "search, alike": lambda count: search(count, True),
            "split, 2 classes": lambda count: split(count, 2),
            "split, 500 classes": lambda count: split(count, 500),
            "import, different": lambda count: whole_import(count, False, root),
            "import, alike": lambda count: whole_import(count, True, root),
        }
        result: dict[str, dict[str, float]] = {}
        for name, prepare in kinds.items():
            if arguments.only and name not in arguments.only:
                continue
            seconds: dict[int, float] = {}
            for count in sorted(arguments.images):
                work = prepare(count)
                began = time.process_time()
                work()
                seconds[count] = time.process_time() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            told = ", ".join(f"{count}: {taken:.1f} s" for count, taken in seconds.items())
            print(f"{name}: {told}; exponent {exponent(seconds):.2f}; peak so far {peak:.2f} GiB", flush=True)
            result[name] = {**{str(count): taken for count, taken in seconds.items()}, "exponent": exponent(seconds)}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
