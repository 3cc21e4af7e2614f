"""The training images, as uint8 on the device or read ahead from a file, and the order in which they are shown."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch
from torch import Tensor

from engine.configs import TrainConfig
from engine.datasets.dataset import Dataset
from engine.gans.distributed import is_first, world
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.progress import Progress, Report, silent

logger = logging.getLogger(__name__)

Shown = tuple[Tensor, Tensor]
"""Pixels uint8 [n, H, W, C] and labels int64 [n], on the device."""

SHARE_OF_MEMORY = 0.5
"""Images live on the device if they take no more than this share of its free memory: the networks need the rest."""
READ_AHEAD = 3
"""Batches that a background thread has read, or is reading, from the file."""
CHUNK = 512
"""Images decoded at once while the file is written."""


class TrainingImages:
    """The training split of a frozen data set, resident on one device.

    pixels [N, H, W, C] uint8, labels [N] int64, sha256 a hex digest an image: the proof of what the generator saw.
    """

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, sha256: list[str], device: torch.device):
        self.pixels = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
        self.labels = torch.from_numpy(labels.astype(np.int64)).to(device)
        self.sha256 = sha256

    def __len__(self) -> int:
        return len(self.labels)

    def examples(self, count: int, seed: int) -> np.ndarray:
        """At most `count` different images in random order, uint8 [n, H, W, C]."""
        return self.read(rows_shown(seed, 0, min(count, len(self)), len(self)))

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The images of `rows`, uint8 [n, H, W, C]."""
        return self.pixels[torch.from_numpy(rows)].cpu().numpy()

    def stream(self, microbatches: Sequence[np.ndarray]) -> Iterator[Shown]:
        """For each piece, int64 rows [n], its images. Nothing waits for the device."""
        if not microbatches:
            return
        rows = torch.from_numpy(np.concatenate(microbatches)).to(self.labels.device)
        for piece in rows.split([len(piece) for piece in microbatches]):
            yield self.pixels[piece], self.labels[piece]


class MappedImages(TrainingImages):
    """Training images that would not fit: in a file that the operating system pages in, and read ahead by a thread.

    `places` int64 [N] says which image of the file each row is. The batches are those of `TrainingImages`, bit for bit.
    """

    def __init__(
        self, file: np.ndarray, places: np.ndarray, labels: np.ndarray, sha256: list[str], device: torch.device
    ):
        self.file, self.places = file, places
        self.host_labels = torch.from_numpy(labels.astype(np.int64))
        self.labels = self.host_labels.to(device)
        self.sha256 = sha256

    def read(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.file[self.places[rows]])

    def stream(self, microbatches: Sequence[np.ndarray]) -> Iterator[Shown]:
        device = self.labels.device
        with ThreadPoolExecutor(1) as reader:
            fetched = deque(reader.submit(self._fetch, piece) for piece in microbatches[:READ_AHEAD])
            for number in range(len(microbatches)):
                pixels, labels = fetched.popleft().result()
                fetched.extend(reader.submit(self._fetch, piece) for piece in microbatches[number + READ_AHEAD :][:1])
                yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)

    def _fetch(self, rows: np.ndarray) -> Shown:
        """The images of `rows` in memory that a GPU copies from without being waited for; runs in the thread."""
        pinned = self.labels.device.type == "cuda"
        pixels = torch.empty(len(rows), *self.file.shape[1:], dtype=torch.uint8, pin_memory=pinned)
        # `clip` lets numpy write straight into its place; every row is valid anyway.
        np.take(self.file, self.places[rows], axis=0, out=pixels.numpy(), mode="clip")
        labels = self.host_labels[torch.from_numpy(rows)]
        return pixels, labels.pin_memory() if pinned else labels


def to_input(pixels: Tensor, mirror: bool, mirror_vertical: bool = False) -> Tensor:
    """uint8 [n, H, W, C] -> float32 [n, C, H, W] in [-1, 1] (channels last in memory), half of them mirrored if so."""
    images = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
    for wanted, axis in ((mirror, 3), (mirror_vertical, 2)):
        if wanted:
            mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(mirrored, images.flip(axis), images)
    return images


def open_training_set(home: Home, config: TrainConfig) -> Dataset:
    """The data set the run was submitted for, checked to be frozen, unchanged and to have the class."""
    dataset = Dataset.open(home, config.dataset)
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This training run")
    if config.class_name and config.class_name not in dataset.classes:
        raise ErsatzError(
            f"The data set {config.dataset} has no class {config.class_name!r}; "
            f"expected one of {', '.join(dataset.classes)}."
        )
    return dataset


def read_training_images(
    dataset: Dataset, config: TrainConfig, device: torch.device, report: Report = silent
) -> TrainingImages:
    """The images of the training split, of one class or a subset if the config says so.

    On the device when they fit there; else mapped from a file, which is made once for the frozen split.
    """
    every = dataset.rows("train")
    places = chosen_rows(every, config)
    if len(places) < 2:
        found = f"{len(places)} training image{'s' * (len(places) != 1)}"
        raise ErsatzError(
            f"The data set {config.dataset} has {found}"
            f"{' of class ' + config.class_name if config.class_name else ''}; a generator needs at least 2, "
            "and some dozens to be of use. Add images, or give the training split a larger share."
        )
    rows = every.iloc[places]
    labels, sha256 = dataset.labels(rows), list(rows["sha256"])
    size = len(rows) * dataset.size**2 * dataset.channels
    free = free_memory(device)
    if size <= SHARE_OF_MEMORY * free:
        return TrainingImages(dataset.pixels(rows), labels, sha256, device)
    if is_first():
        logger.info(
            f"The images take {size / 2**30:.2f} GiB, more than half of the {free / 2**30:.2f} GiB of memory that are "
            "free; so they are read from a file as they are shown, a few batches ahead."
        )
    return MappedImages(mapped_file(dataset, report), places, labels, sha256, device)


def chosen_rows(every: pd.DataFrame, config: TrainConfig) -> np.ndarray:
    """Rows of the training split to train on, int64 [N], rising."""
    chosen = np.arange(len(every))
    if config.class_name:
        chosen = chosen[(every["class"] == config.class_name).to_numpy()]
    if 0 < config.drawn_subset < len(chosen):
        np.random.RandomState(config.seed).shuffle(chosen)  # as published
        chosen = np.sort(chosen[: config.drawn_subset])
    return chosen


def free_memory(device: torch.device) -> float:
    """Bytes of memory that this process may use on the device; ranks on one processor share what there is."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available / world()


def mapped_file(dataset: Dataset, report: Report = silent) -> np.ndarray:
    """The whole training split, uint8 [N, H, W, C], mapped from a file in the home's cache; made if missing."""
    cache = dataset.home.cache / "images"
    path = cache / f"{dataset.fingerprint[:32]}-train.npy"
    with FileLock(dataset.home.locks / f"images-{dataset.fingerprint[:32]}"):  # one rank makes it, the others wait
        if not path.is_file():
            write_pixels(dataset, path, report)
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise ErsatzError(f"{path} is damaged ({error}); delete it and start again, it is then made anew.") from error


def write_pixels(dataset: Dataset, path: Path, report: Report) -> None:
    """Write the training split as one .npy file, whole or not at all."""
    rows = dataset.rows("train")
    shape = (len(rows), dataset.size, dataset.size, dataset.channels)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)  # a mapped file would meet a full disk with a signal
        for start in range(0, len(rows), CHUNK):
            report(Progress("writing images to a file", start, len(rows), "images"))
            file.write(dataset.pixels(rows.iloc[start : start + CHUNK]).tobytes())


def rows_shown(seed: int, images_seen: int, count: int, total: int) -> np.ndarray:
    """Rows int64 [count] of the images shown from `images_seen` on; a function of its arguments alone.

    The images are an endless row of epochs, each a fresh permutation of all `total` images, and batches are
    consecutive pieces of that row. So every image is shown equally often, every batch is full (BatchNorm never
    meets a remainder), and a data set smaller than a batch simply comes round again within it.
    """
    epochs = range(images_seen // total, (images_seen + count - 1) // total + 1)
    order = np.concatenate([np.random.default_rng([seed, epoch]).permutation(total) for epoch in epochs])
    start = images_seen % total
    return order[start : start + count]


def draws_seed(seed: int, images_seen: int, phase: int = 0) -> int:
    """Seed of the random draws of what begins at `images_seen`, so that resuming needs no saved state.

    `phase` separates the parts of an iteration that draw for the same images.
    """
    return int(np.random.SeedSequence([seed, images_seen, phase]).generate_state(1, np.uint64)[0])


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed torch's default generators of the CPU and of the device, so that all further draws derive from `seed`.

    The draws are those after `torch.manual_seed`, which takes 100 times as long: it goes through every kind of device
    that there may be.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.init()  # before, no GPU has a generator
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
