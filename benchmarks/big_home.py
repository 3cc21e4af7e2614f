"""A home as a team has it after a year: 200 runs of every kind, 20 data sets, a pool of 10,000 images.

The engine itself makes one of everything, small; the rest are copies under other names, on other days, with longer
curves. What the pages read is therefore exactly what the engine writes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.configs import Config, GeneratorReference, PipelineConfig, PoolConfig, QualityConfig, StyleganConfig
from engine.datasets.dataset import Dataset, fingerprint_of, write_manifest
from engine.jobs.submit import submit, wait
from engine.publications.presets import PRESETS
from engine.store.files import read_json, write_json, write_text
from engine.store.home import Home
from engine.store.index import reindex
from engine.store.runs import Run, State, list_runs

DATASETS, RUNS, POOL_IMAGES = 20, 200, 10_000
NAME = "ward00"
READY = "big-home.json"
"""Written last, and says what is in the home."""

SHORT = {
    "import": {"name": NAME},
    "train": {"kimg": 2.0, "tick_kimg": 0.02, "snapshot_ticks": 10},
    "pool": {"images_per_class": 150},
    "sweep": {"steps": 20},
}
TICKS, GRIDS = 1500, 60
"""Rows of metrics and grids of samples that a training is stretched to."""

TEXTS = {".json", ".jsonl", ".csv", ".txt", ".html"}
ENDS = (
    (State.STOPPED, ""),
    (State.FAILED, "The GPU ran out of memory at a batch of 64; a smaller batch is expected. Set batch to 32."),
    (State.CANCELLED, ""),
    (State.INTERRUPTED, ""),
)


def make_big_home(home: Home) -> dict[str, Any]:
    """Make the home unless it is complete; what is in it, and how long it took."""
    if (home.root / READY).is_file():
        return read_json(home.root / READY)
    began = time.monotonic()
    first = make_one_of_each(home)
    for run in list_runs(home, "train"):
        stretch(run)
    pool, quality = make_large_pool(home)
    for number in range(1, DATASETS):
        copy_journey(home, first, number)
    ended_otherwise(home, RUNS - len(list_runs(home)))
    made = {
        "runs": len(reindex(home)),
        "datasets": len(list(home.datasets.glob("*/dataset.json"))),
        "pool": pool.id,
        "pool_images": POOL_IMAGES,
        "quality": quality.id,
        "seconds": round(time.monotonic() - began),
    }
    write_json(home.root / READY, made)
    return made


def make_one_of_each(home: Home) -> list[Run]:
    """A journey from the drawn heads to a verdict, and a StyleGAN2-ADA on the same images."""
    finished(home, PipelineConfig(preset="demo", overrides=SHORT))
    narrow = {**PRESETS["demo"].train_settings("stylegan2-ada"), "kimg": 0.4, "tick_kimg": 0.04, "snapshot_ticks": 2}
    finished(home, StyleganConfig.build({**narrow, "dataset": NAME}))
    return list_runs(home)


def make_large_pool(home: Home) -> tuple[Run, Run]:
    """10,000 images of the two DCGANs, and the check of them."""
    dcgans = [run for run in list_runs(home, "train") if run.config()["gan"] == "dcgan"]
    references = tuple(GeneratorReference(run=run.id) for run in dcgans)
    pool = finished(
        home,
        PoolConfig(name="large", dataset=NAME, generators=references, images_per_class=POOL_IMAGES // len(dcgans)),
    )
    return pool, finished(home, QualityConfig(name="large", dataset=NAME, pool=pool.id, extractor="pixels"))


def finished(home: Home, config: Config) -> Run:
    """The run of this config, at its end."""
    run = submit(home, config)
    print(run.id, flush=True)
    if wait(run) is not State.FINISHED:
        raise SystemExit(f"{run.id} ended as {run.state()}: {run.status().error}")
    return run


def stretch(run: Run) -> None:
    """Repeat a training's curves and sample grids until they are as long as after days of training."""
    rows, _ = run.read_metrics()
    span = {"kimg": rows[-1]["kimg"], "seconds": rows[-1]["seconds"]}
    lines = []
    for number in range(TICKS):
        around, row = divmod(number, len(rows))
        later = {name: rows[row][name] + around * step for name, step in span.items()}
        lines.append(json.dumps({**rows[row], **later}))
    write_text(run.metrics_path, "\n".join(lines) + "\n")
    grids = sorted((run.path / "samples").glob("fakes-*.png"))
    last = int(grids[-1].stem.removeprefix("fakes-"))
    for number in range(1, GRIDS - len(grids) + 1):
        source = grids[number % len(grids)]
        os.link(source, source.with_name(f"fakes-{last + 1000 * number:09d}.png"))


def copy_journey(home: Home, first: list[Run], number: int) -> None:
    """The data set and its runs once more, as if they had been made days before."""
    name = f"ward{number:02d}"
    names = {run.id: renamed(run.id, number) for run in first} | {NAME: name}
    original = Dataset.open(home, NAME)
    copy_folder(original.path, home.dataset(name), names)
    copied = Dataset.open(home, name)
    manifest = copied.manifest.assign(group=f"{name}-" + copied.manifest["group"])  # other patients: another split
    write_manifest(copied.path / "manifest.csv", manifest)
    names[original.fingerprint] = fingerprint_of(manifest, copied.info)
    frozen = copied.info.frozen.model_copy(update={"fingerprint": names[original.fingerprint]})
    copied.info.model_copy(update={"frozen": frozen}).write_to(copied.path / "dataset.json")
    for run in first:
        copy_run(run, names[run.id], names, number)


def ended_otherwise(home: Home, count: int) -> None:
    """Trainings that did not reach their end, one way or another."""
    trainings = [run for run in list_runs(home, "train") if run.config()["gan"] == "dcgan"]
    for number, run in zip(range(count), trainings, strict=False):
        state, error = ENDS[number % len(ENDS)]
        copied = copy_run(run, renamed(run.id, 100 + number), {run.id: renamed(run.id, 100 + number)}, number)
        for made in ("generator.json", "generator.onnx"):
            (copied.path / made).unlink()
        # a run that says it runs while nobody holds its lock is one that was interrupted
        recorded = State.RUNNING if state is State.INTERRUPTED else state
        copied.update(state=recorded, error=error, done=0.4 * run.status().total, result={})


def renamed(run_id: str, number: int) -> str:
    """The id of a copy: other random digits at the end, the same for the same number."""
    return re.sub(r"[0-9a-f]{8}$", f"{random.Random(f'{run_id} {number}').getrandbits(32):08x}", run_id)


def copy_run(run: Run, run_id: str, names: dict[str, str], days: int) -> Run:
    """A run under another id, made days before."""
    copied = Run(run.home, run_id)
    copy_folder(run.path, copied.path, names)
    status, earlier = run.status(), 86_400.0 * days
    times = {name: getattr(status, name) for name in ("created", "started", "ended")}
    copied.update(**{name: moment - earlier for name, moment in times.items() if moment is not None})
    return copied


def copy_folder(source: Path, target: Path, names: dict[str, str]) -> None:
    """Copy with the old names replaced in all text; large files that nobody changes are shared on the disk."""
    pattern = re.compile("|".join(re.escape(name) for name in names))
    for file in files_of(source):
        path = target / pattern.sub(lambda found: names[found.group()], str(file.relative_to(source)))
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in TEXTS:
            path.write_text(pattern.sub(lambda found: names[found.group()], file.read_text()))
        elif file.stat().st_size:
            os.link(file, path)
        else:  # the lock, which each run needs for itself
            shutil.copy(file, path)


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="an empty folder, made if it is not there")
    root = parser.parse_args().home.resolve()
    os.environ["ERSATZ_HOME"] = str(root)
    print(json.dumps(make_big_home(Home(root)), indent=2))


if __name__ == "__main__":
    main()
