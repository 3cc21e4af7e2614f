"""Import and audit of many pictures against a plain Pillow loop over the same files.

The loop opens each file, converts it, resizes it with LANCZOS to the stored size and saves a PNG, with one thread and
with two. The import does that, and looks for copies, measures, splits and freezes besides; the audit is measured again
alone, with the pixels read anew. Each runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.audit import audit
from engine.datasets.dataset import Dataset
from engine.datasets.image_stats import MEASURES_FILE
from engine.datasets.importing import import_dataset
from engine.store.home import Home

AIMS = {"import": 60.0, "audit": 20.0}
"""Seconds for 10,000 pictures on two cores."""
MEMORY_AIM = 1.0
"""GiB."""
PICTURE = 256
TURNS = ("loop-1", "loop-2", "import", "audit")


def make_pictures(folder: Path, images: int) -> None:
    """JPEG and PNG in turn, grey and colour, of two classes: round fields with textures of many scales."""
    y, x = np.mgrid[-1 : 1 : PICTURE * 1j, -1 : 1 : PICTURE * 1j]
    field = np.clip((1.05 - np.hypot(x, y)) * 20, 0, 1)

    def make(number: int) -> None:
        rng = np.random.default_rng(number)
        layers = [enlarged(rng.normal(0, 1, (side, side))) / side**0.5 for side in (4, 8, 16, 32, 64)]
        grey = np.clip((120 + 60 * np.sum(layers, axis=0)) * field, 0, 255)
        colour = number % 4 < 2
        pixels = np.stack([grey, grey * 0.8, grey * 0.6], axis=2) if colour else grey
        path = folder / f"class-{number % 2}" / f"{number:06d}{('.jpg', '.png')[number // 2 % 2]}"
        Image.fromarray(pixels.astype(np.uint8)).save(path, quality=90)

    for name in ("class-0", "class-1"):
        (folder / name).mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(make, range(images)))


def enlarged(small: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(small.astype(np.float32)).resize((PICTURE, PICTURE), Image.Resampling.BICUBIC))


def plain_loop(source: Path, target: Path, size: int, threads: int) -> None:
    """What anybody would write who wants all pictures in one form."""

    def convert(path: Path) -> None:
        with Image.open(path) as image:
            mode = "L" if image.mode == "L" else "RGB"
            image.convert(mode).resize((size, size), Image.Resampling.LANCZOS).save(target / f"{path.stem}.png")

    target.mkdir()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(convert, sorted(source.rglob("*.*"))))


def turn(name: str, folder: Path, size: int) -> dict[str, float]:
    """Seconds and peak GiB of one of `TURNS`, in this process."""
    home = Home(folder / "home")
    before = peak_gib()
    if name == "audit":
        dataset = Dataset.open(home, "set")
        (dataset.path / MEASURES_FILE).unlink()
    began = time.perf_counter()
    if name.startswith("loop"):
        plain_loop(folder / "source", folder / name, size, int(name[-1]))
    elif name == "import":
        import_dataset(home, ImportConfig(name="set", source=str(folder / "source"), size=size))
    else:
        audit(dataset.manifest, dataset.path)
    return {"seconds": time.perf_counter() - began, "peak_gib": peak_gib(), "before_gib": before}


def peak_gib() -> float:
    """Peak resident memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measured(folder: Path, size: int) -> dict[str, dict[str, float]]:
    """Every turn in a process of its own."""
    rows = {}
    for name in TURNS:
        command = [sys.executable, "-m", "benchmarks.importing", "--turn", name, str(folder), "--size", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows[name] = json.loads(done.stdout.splitlines()[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=256, help="width and height of the stored images")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the pictures, to see that it runs")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--turn", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turn:
        print(json.dumps(turn(arguments.turn[0], Path(arguments.turn[1]), arguments.size)))
        return
    images = arguments.images // 20 if arguments.quick else arguments.images
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_pictures(folder / "source", images)
        rows = measured(folder, arguments.size)
    print(f"{images} pictures of {PICTURE} px, stored at {arguments.size} px")
    print(f"{'':>8} {'seconds':>8} {'peak GiB':>9} {'loop, 1 thread':>15} {'loop, 2 threads':>16}")
    for name, row in rows.items():
        row["to_loop_1"], row["to_loop_2"] = (row["seconds"] / rows[loop]["seconds"] for loop in ("loop-1", "loop-2"))
        print(
            f"{name:>8} {row['seconds']:>8.1f} {row['peak_gib']:>9.2f} "
            f"{row['to_loop_1']:>14.2f}x {row['to_loop_2']:>15.2f}x"
        )
    met = {name: rows[name]["seconds"] <= aim * max(1.0, images / 10_000) for name, aim in AIMS.items()}
    met["memory"] = rows["import"]["peak_gib"] <= MEMORY_AIM
    print(", ".join(f"{name} {'met' if done else 'missed'}" for name, done in met.items()))
    if arguments.out:
        from benchmarks.machine import describe_cpu  # loads torch, whose memory is not the import's

        content = {"benchmark": "importing", "cpu": describe_cpu(), "images": images, "size": arguments.size}
        content |= {"aims_s": AIMS, "memory_aim_gib": MEMORY_AIM, "met": met, "rows": rows}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
