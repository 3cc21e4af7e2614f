"""Everything of a journey as one ZIP: its runs, what is known of its data sets, and the notebook that repeats it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from engine.datasets.dataset import Dataset
from engine.datasets.seal import sealed_images
from engine.jobs.journey_notebook import journey_notebook
from engine.jobs.kinds import kind_shown
from engine.jobs.lineage import datasets_of
from engine.store.errors import ErsatzError
from engine.store.runs import Run, each

NETWORKS = ("snapshots", "generators")
"""Folders of a training's run that only a resumed or fine-tuned one needs; they take most of the room."""
OF_NO_USE = ("lock", "lock.lease", "stop")
OF_DATASETS = ("dataset.json", "manifest.csv", "measures.csv")
STORED = (".png", ".mp4", ".onnx", ".safetensors", ".parquet", ".npz")
"""Packed already, or nearly random: not compressed again."""
NOTEBOOK_FILE = "repeat.ipynb"
README = """A journey of Ersatz, packed with everything that belongs to it.

repeat.ipynb        does every step again with the same settings
runs/<id>/          settings (config.json), state and result (status.json), numbers (metrics.jsonl), log, and what the
                    run made
datasets/<name>/    where the images came from and what was found in them (dataset.json), and one row an image
                    (manifest.csv)
{images}
Runs, the oldest first:
{runs}
"""
WITH_IMAGES = (
    "The real images are in datasets/<name>/images, but for sealed test images: keep this file as you keep them.\n"
)
WITHOUT_IMAGES = "The real images themselves are left out. Names of their files are in the manifests.\n"


def packed(runs: Sequence[Run], images: bool = False, networks: bool = False) -> Iterator[tuple[str, Path]]:
    """The files that go into the ZIP, by their names in it.

    `images` takes the real images of the data sets along, but for sealed ones; `networks` the snapshots of trainings.
    """
    for run in runs:
        for path in _files(run.path):
            parts = path.relative_to(run.path).parts
            hidden = any(part.startswith(".") for part in parts) or parts[0] in OF_NO_USE
            if not hidden and (networks or parts[0] not in NETWORKS):
                yield "/".join(("runs", run.id, *parts)), path
    for name in datasets_of(list(runs)):
        folder = runs[0].home.dataset(name)
        for file in OF_DATASETS:
            if (folder / file).is_file():
                yield f"datasets/{name}/{file}", folder / file
        if images:
            yield from (
                (f"datasets/{name}/{path.relative_to(folder).as_posix()}", path) for path in _images(runs, name)
            )


def size_of_archive(runs: Sequence[Run], images: bool = False, networks: bool = False) -> int:
    """Bytes of the files before they are packed."""
    return sum(path.stat().st_size for _, path in packed(runs, images, networks))


def write_archive(
    file: IO[bytes], runs: Sequence[Run], title: str, images: bool = False, networks: bool = False
) -> None:
    """Write the ZIP of `runs` (a `lineage`, the oldest first); files that go meanwhile are left out."""
    told = "\n".join(f"  {run.id}  {kind_shown(config['kind']).label}" for run, config in each(runs, Run.config))
    readme = README.format(images=WITH_IMAGES if images else WITHOUT_IMAGES, runs=told)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        archive.writestr("README.txt", readme)
        archive.writestr(NOTEBOOK_FILE, journey_notebook(runs, title))
        for name, path in packed(runs, images, networks):
            method = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
            try:
                archive.write(path, name, method)
            except FileNotFoundError:
                continue


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder that are really there, in order; a link may lead anywhere."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _images(runs: Sequence[Run], name: str) -> Iterator[Path]:
    try:
        dataset = Dataset.open(runs[0].home, name)
    except ErsatzError:
        return
    sealed = sealed_images(dataset.home, dataset)
    rows = dataset.manifest
    for path in rows.loc[~rows["sha256"].isin(sealed), "path"]:
        image = dataset.path / path
        if image.is_file() and not image.is_symlink():
            yield image
