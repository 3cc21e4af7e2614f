"""Pools: synthetic images of every class, or of some, with a manifest that says which seed and generator made each.

<run>/
    images/<class>/<seed>.png   8-bit grey or RGB, the stored form of the data set; <n>-<seed>.png of the n-th generator
                                where a class has several
    manifest.csv                path, class, seed, generator, generator_sha256, sha256, excluded; and, of images that
                                were not sampled here, source: the file, or the pool and its image
    training_images.txt         SHA-256 of every real image that the generators saw
    pool.json                   the generators and how they are sampled, written first: a resumed pool stays with them
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from engine.configs.sampling import PoolConfig
from engine.datasets.dataset import Dataset
from engine.datasets.manifest import left_out, usable
from engine.gans.init_source import TRAINING_FILE, seen_in_training
from engine.sampling.makers import Makers, generators_a_class, makers_of, require_alike
from engine.sampling.pool_info import INFO_FILE, PoolGenerator, PoolInfo
from engine.sampling.sampler import Sampler, write_png
from engine.store import disk
from engine.store.about import plain_words
from engine.store.csv_cells import read_table, write_table
from engine.store.errors import ErsatzError
from engine.store.files import clear_leftovers, disk_errors, read_text, replacing, set_aside, write_text
from engine.store.hashing import sha256_file, sha256_pixels, sha256_value
from engine.store.locks import FileLock
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import tell, whole
from engine.store.runs import Run, still_there

COLUMNS = ["path", "class", "seed", "generator", "generator_sha256", "sha256", "excluded"]
SOURCE = "source"
"""A further column, of images that were not sampled here."""
MANIFEST_FILE = "manifest.csv"


def make_pool(run: Run, config: PoolConfig, report: Report = silent, should_stop: ShouldStop = never) -> Outcome:
    """Sample `images_per_class` images of every wanted class into the run folder; the same call again resumes.

    Images are made in fixed batches of seeds and a batch is kept or made as a whole, so that a resumed pool equals
    one made in one go, bit for bit (on the same device). Raises `ErsatzError` when the generators cannot make one pool
    together.
    """
    before = Pool(run) if already_made(run) else None
    if before:  # never made twice: reviewers may have excluded images since
        lost = before.lost_images()
        if not lost:
            count = len(before.manifest)
            report(Progress("finished", count, count, "images"))
            return "finished"
        for path in lost:
            disk.remove(run.path / path)
    samplers = [Sampler.open(run.home.run(reference.run)) for reference in config.generators]
    dataset = Dataset.open(run.home, config.dataset)
    wanted = wanted_classes(config.only_classes, dataset)
    trainings = [Run(run.home, reference.run).config() for reference in config.generators]
    _check_generators(config, samplers, dataset, wanted, trainings)
    _begin(run, config, samplers, dataset, wanted)
    _tell_where(run, samplers)
    makers = [
        (name, f"{number}-" if number else "", sampler)
        for name in sorted(wanted)
        for number, sampler in enumerate(sampler for sampler in samplers if name in sampler.classes)
    ]
    total = config.images_per_class * len(makers)
    rows: list[dict[str, Any]] = []
    for name, prefix, sampler in makers:
        last = config.first_seed + config.images_per_class
        for first in range(config.first_seed, last, config.batch):
            report(Progress("sampling", len(rows), total, "images"))
            if should_stop():
                return "stopped"
            seeds = range(first, min(first + config.batch, last))
            rows += _make_batch(run.path, config, sampler, name, seeds, prefix)
    made = pd.DataFrame(rows, columns=COLUMNS)
    if before:
        _require_same_images(before, made)
        tell(
            run, "images", f"{len(lost):,} images were missing or damaged; they were sampled again, the same as before."
        )
    else:
        _seal(run, made)
    report(Progress("sampling", total, total, "images"))
    return "finished"


def _require_same_images(before: Pool, made: pd.DataFrame) -> None:
    """Raise `ErsatzError` unless the images sampled again are those of the manifest, which knows what was excluded."""
    kept = before.manifest
    if made[["path", "sha256"]].to_numpy().tolist() != kept[["path", "sha256"]].to_numpy().tolist():
        raise ErsatzError(
            f"The missing images of pool {before.run.id} came out differently when they were sampled again (another "
            "device, another version of ONNX Runtime, or other files); the same pixels are expected. Restore them from "
            "a backup, or make a new pool."
        )


def already_made(run: Run) -> bool:
    """Whether a former worker has made the pool; one whose manifest or description was damaged since is made again."""
    manifest = whole(
        run, run.path / MANIFEST_FILE, read_manifest, "the pool is made again, without what was excluded from it"
    )
    if manifest is None:
        return False
    described = whole(run, run.path / INFO_FILE, PoolInfo.read)
    if described is None or whole(run, run.path / TRAINING_FILE, lambda _: Pool(run).training_hashes) is None:
        set_aside(run.path / MANIFEST_FILE)  # it says that all is there
        return False
    return True


def wanted_classes(only_classes: Sequence[str], dataset: Dataset) -> list[str]:
    """The classes that a pool is to hold, in the data set's order; an `ErsatzError` for one that this does not have."""
    if unknown := [name for name in only_classes if name not in dataset.classes]:
        raise ErsatzError(
            f"only_classes names {', '.join(unknown)}; {dataset.name} has the classes {', '.join(dataset.classes)}. "
            "Name some of these, or none for all."
        )
    return [name for name in dataset.classes if name in (only_classes or dataset.classes)]


def read_manifest(path: Path) -> pd.DataFrame:
    """The table of a pool's images; an `ErsatzError` when the file is none."""
    try:
        # A class may be called "None" or "0": everything but the seed is text.
        table = read_table(path, dtype=str, keep_default_na=False).astype({"seed": int})
    except (OSError, ValueError, KeyError, TypeError) as error:
        table = pd.DataFrame()
        reason = str(error)
    else:
        reason = f"columns {', '.join(table.columns)}"
    if list(table.columns) not in (COLUMNS, [*COLUMNS, SOURCE]):
        raise ErsatzError(
            f"{path} is not the manifest of a pool ({reason}); expected {', '.join(COLUMNS)}. Make the pool again."
        )
    if table.isna().any(axis=None) or not path.read_bytes().endswith(b"\n"):
        raise ErsatzError(f"{path} ends in the middle of a row; a whole file is expected. Make the pool again.")
    return table


class Pool:
    """A finished pool; the manifest is read once, when first needed."""

    def __init__(self, run: Run):
        self.run = run
        self.path = run.path

    @staticmethod
    def open(run: Run) -> Pool:
        """The pool of a finished pool run, or an `ErsatzError` when it has none."""
        if not (run.path / MANIFEST_FILE).is_file():
            raise ErsatzError(
                f"Run {run.id} has no finished pool; a pool run that ended is expected. Resume it, or choose another."
            )
        return Pool(run)

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """All rows, the excluded ones too."""
        return read_manifest(self.path / MANIFEST_FILE)

    @cached_property
    def info(self) -> PoolInfo:
        return PoolInfo.read(self.path / INFO_FILE)

    @property
    def classes(self) -> list[str]:
        return sorted(self.manifest["class"].unique())

    @property
    def sha256(self) -> str:
        """Hash of the manifest, which holds the hash of every image."""
        return sha256_file(self.path / MANIFEST_FILE)

    @property
    def images_sha256(self) -> str:
        """Hash of the images alone: the same whichever of them are excluded."""
        return sha256_value(self.manifest[["path", "class", "sha256"]].to_numpy(dtype=object).tolist())

    @property
    def generators_a_class(self) -> int:
        """How many generators, trained alike with other seeds, made the images of each class."""
        return generators_a_class(self.info)

    def makers(self, rows: pd.DataFrame) -> Makers:
        """Which of their class's generators made these rows."""
        return makers_of(rows, self.info)

    def require_made_for(self, dataset: Dataset) -> None:
        """Raise `ErsatzError` unless the pool was made for this data set, on the split that it has now."""
        dataset.require_fingerprint(self.info.dataset_fingerprint, f"The pool {self.run.id}")
        size, channels = self.info.size, self.info.channels
        if (size, channels) != (dataset.size, dataset.channels):
            raise ErsatzError(
                f"The pool's images are {size} px with {channels} channel(s), those of {dataset.name} {dataset.size} "
                f"px with {dataset.channels}; the same form is expected. Make a pool from a generator of this data set."
            )

    @cached_property
    def training_hashes(self) -> set[str]:
        """SHA-256 of every real image that the generators saw; an `ErsatzError` when the list of them is damaged."""
        path = self.path / TRAINING_FILE
        listed = read_text(path)
        if self.info.training_sha256 not in ("", sha256_file(path)):
            raise ErsatzError(
                f"{path} is not the list that {INFO_FILE} describes; without the images that the generators saw, leaks "
                f"cannot be ruled out. `python -m engine resume {self.run.id}` makes it again."
            )
        return set(listed.split())

    def rows(self, class_name: str | None = None) -> pd.DataFrame:
        """Rows that are not excluded, of one class or of all."""
        rows = usable(self.manifest)
        return rows if class_name is None else rows[rows["class"] == class_name]

    @property
    def left_out(self) -> pd.DataFrame:
        """Rows that a check, a reviewer or a person excluded, each with the reason."""
        return left_out(self.manifest)

    def pixels(self, rows: pd.DataFrame) -> np.ndarray:
        """uint8 `[N, H, W, C]` in the order of `rows`; an `ErsatzError` when a file is not what the manifest says."""
        size, channels = self.info.size, self.info.channels
        images = np.empty((len(rows), size, size, channels), np.uint8)

        def read(index: int, path: str, sha256: str) -> None:
            pixels = _read(self.path / path)
            if pixels is None or sha256_pixels(pixels) != sha256:
                raise ErsatzError(
                    f"{self.path / path} is missing or was changed since the pool was made; the image of the manifest "
                    "is expected. Make the pool again."
                )
            images[index] = pixels.reshape(images.shape[1:])

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(read, range(len(rows)), rows["path"], rows["sha256"]))
        return images

    def lost_images(self) -> list[str]:
        """Paths of images whose file is missing, damaged or another one than the manifest says; reads all of them."""

        def is_lost(path: str, sha256: str) -> bool:
            pixels = _read(self.path / path)
            return pixels is None or sha256_pixels(pixels) != sha256

        with ThreadPoolExecutor(4) as threads:
            lost = list(threads.map(is_lost, self.manifest["path"], self.manifest["sha256"]))
        return list(self.manifest["path"][lost])

    def exclude(self, paths: Sequence[str], reason: str) -> None:
        """Take images out of what sweeps and downloads use; their files stay, and `restore` brings them back.

        The reason is kept in the manifest; images excluded before keep theirs. The manifest's hash changes with it, so
        that a sweep that began with the former pool refuses to go on. Raises `ErsatzError` for paths that are not in
        the manifest, or without a reason; then nothing is changed.
        """
        reason = plain_words(reason)
        if not reason:
            raise ErsatzError(
                "Images cannot be excluded without a reason; one is expected, since it is all that later readers will "
                "see. Give one."
            )
        self._mark(paths, lambda before: before or reason)

    def restore(self, paths: Sequence[str]) -> None:
        """Bring excluded images back; those that are not excluded stay as they are. Raises as `exclude`."""
        self._mark(paths, lambda _: "")

    def _mark(self, paths: Sequence[str], change: Callable[[str], str]) -> None:
        """Change the column `excluded` of these images, after whatever another process changed meanwhile."""
        path = self.path / MANIFEST_FILE
        with FileLock(self.run.home.locks / f"pool-{self.run.id}"), still_there(self.run):
            manifest = Pool(self.run).manifest.copy()
            unknown = sorted(set(paths) - set(manifest["path"]))
            if unknown:
                more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
                raise ErsatzError(
                    f"{unknown[0]}{more} is not in the manifest of the pool {self.run.id}; paths like "
                    f"{manifest['path'].iloc[0]} were expected. Take them from {path}."
                )
            chosen = manifest["path"].isin(set(paths))
            after = manifest["excluded"].where(~chosen, manifest["excluded"].map(change))
            if not after.equals(manifest["excluded"]):
                manifest["excluded"] = after
                with replacing(path) as temporary:
                    write_table(manifest, temporary)
        self.__dict__["manifest"] = manifest


def write_pool(run: Run, info: PoolInfo, training: Iterable[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write what stands beside the images of a pool that was not sampled here, the manifest last.

    `training`: SHA-256 of the real images that the generators saw; `rows` are those of the manifest, with a source.
    """
    _describe(run, info, training)
    _seal(run, pd.DataFrame(rows, columns=[*COLUMNS, SOURCE]))


def _seal(run: Run, manifest: pd.DataFrame) -> None:
    """Write the manifest, which says that the pool is whole, once its images are on the disk."""
    with disk_errors(run.path):
        disk.flush_tree(run.path / "images")
    with replacing(run.path / MANIFEST_FILE) as temporary:
        write_table(manifest, temporary)


def pool_zip(pool: Pool) -> bytes:
    """The images that are not excluded as an uncompressed ZIP with `dataset.json`, the layout that StyleGAN reads."""
    rows = pool.rows()
    names = rows["path"].str.removeprefix("images/")
    labels = rows["class"].map(pool.classes.index)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, name in zip(rows["path"], names, strict=True):
            archive.write(pool.path / path, name)
        archive.writestr("dataset.json", json.dumps({"labels": list(zip(names, labels, strict=True))}))
    return buffer.getvalue()


def _check_generators(
    config: PoolConfig, samplers: list[Sampler], dataset: Dataset, wanted: list[str], trainings: list[dict[str, Any]]
) -> None:
    """Raise `ErsatzError` unless the generators saw this frozen data set, make each wanted class, and are
    as many for each, trained alike but for the seed."""
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This pool")
    for reference, sampler in zip(config.generators, samplers, strict=True):
        info = sampler.info
        info.require_sha256(reference.sha256)
        info.require_made_for(dataset)
        if (info.size, info.mode) != (dataset.size, dataset.mode):
            raise ErsatzError(
                f"The generator of run {info.run} makes {info.mode} images of {info.size} px; {dataset.mode} "
                f"of {dataset.size} px are expected, as in the data set {dataset.name}. Choose another generator."
            )
    makers: dict[str, list[str]] = {}
    for sampler in samplers:
        for name in sampler.classes:
            makers.setdefault(name, []).append(sampler.info.run)
            sampler.sample([], name, config.psi, config.psi_cutoff, config.noise)  # refuses what it cannot do
    missing = [name for name in wanted if name not in makers]
    if missing:  # also when there is no generator, or only one trained on all classes without labels
        raise ErsatzError(
            f"No generator of the pool makes {', '.join(missing)} (they make {', '.join(makers) or 'no class'}); "
            f"{'each of only_classes' if config.only_classes else 'every class of the data set'} is expected. "
            "Add a generator for each, or a class-conditional one."
        )
    require_alike([sampler.info for sampler in samplers], trainings, wanted)


def _begin(run: Run, config: PoolConfig, samplers: list[Sampler], dataset: Dataset, wanted: list[str]) -> None:
    """Write what is known before the first image; clear what a killed attempt left half-written."""
    info = PoolInfo.made_for(
        dataset,
        name=config.name,
        classes=tuple(wanted),
        generators=tuple(
            PoolGenerator(run=info.run, sha256=info.sha256, classes=info.classes)
            for info in (sampler.info for sampler in samplers)
        ),
        psi=config.psi,
        psi_cutoff=config.psi_cutoff,
        noise=config.noise,
    )
    begun = whole(run, run.path / INFO_FILE, PoolInfo.read)
    if begun is not None and begun.model_copy(update={"training_sha256": ""}) != info:
        raise ErsatzError(
            f"Pool {run.id} was begun with other generators than are there now (one was exported again since). "
            "Make a new pool."
        )
    seen = set().union(*(seen_in_training(run.home.run(reference.run)) for reference in config.generators))
    _describe(run, info, seen)
    clear_leftovers((run.path / "images").glob("*/.*"))


def _describe(run: Run, info: PoolInfo, training: Iterable[str]) -> None:
    """Write the list of real images that the generators saw, and the description of the pool with its hash."""
    path = run.path / TRAINING_FILE
    write_text(path, "".join(f"{digest}\n" for digest in sorted(set(training))))
    info.model_copy(update={"training_sha256": sha256_file(path)}).write_to(run.path / INFO_FILE)


def _tell_where(run: Run, samplers: list[Sampler]) -> None:
    """Record what computes, and say so where that is not the GPU that is there."""
    run.update(device=" and ".join(sorted({sampler.where for sampler in samplers})))
    for notice in {sampler.notice for sampler in samplers if sampler.notice}:
        run.raise_alarm("sampled-on-cpu", notice)


def _make_batch(
    folder: Path, config: PoolConfig, sampler: Sampler, name: str, seeds: range, prefix: str
) -> list[dict[str, Any]]:
    """Manifest rows of one batch; its images are made unless a former attempt finished all of them."""
    paths = [f"images/{name}/{prefix}{seed:06d}.png" for seed in seeds]
    kept = [_read(folder / path) for path in paths]
    stored = [pixels for pixels in kept if pixels is not None]
    if len(stored) < len(seeds):
        images = sampler.sample(seeds, name, config.psi, config.psi_cutoff, config.noise)
        for path, pixels in zip(paths, images, strict=True):
            write_png(folder / path, pixels, flushed=False)
        stored = [pixels[:, :, 0] if pixels.shape[2] == 1 else pixels for pixels in images]
    return [
        {
            "path": path,
            "class": name,
            "seed": seed,
            "generator": sampler.info.run,
            "generator_sha256": sampler.info.sha256,
            "sha256": sha256_pixels(pixels),
            "excluded": "",
        }
        for path, seed, pixels in zip(paths, seeds, stored, strict=True)
    ]


def _read(path: Path) -> np.ndarray | None:
    """Stored pixels `[H, W]` or `[H, W, 3]`; None when the file is missing or damaged."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, UnidentifiedImageError, SyntaxError):
        return None
