"""Pictures of a generator as a browser shows them: painted one by one, remembered for everybody, sent with the page.

One by one, because a script is interrupted between two elements alone: whoever moves a slider on does not wait for a
wall of pictures that nobody wants any more. As data URLs, because a picture that is sent with its element needs no
request of its own, and lossless ones of small pictures are smaller than JPEGs.

On a GPU only while no run has it, for the time of a picture and within a limit: a server lives for weeks, and must not
keep the memory from a training. While runs have every GPU, and for a second visitor at the same moment, the processor
paints.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import streamlit as st

from engine.jobs.slots import borrowed_gpu, cuda_slots
from engine.sampling.exploring import SamplingOptions, Space, morph, style_mixing
from engine.sampling.exported import INFO_FILE
from engine.sampling.latents import lerp
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError, OutOfMemory
from engine.store.locks import is_held
from engine.store.runs import Run
from pages.components.home import home
from pages.components.images import picture_url
from pages.components.people import DEMO_AT_ONCE, DEMO_PICTURES, read_only

LARGE, SMALL = 384, 96
"""Widths in pixels of the one picture that is looked at, and of those in a wall."""
REMEMBERED = 256
"""Pictures that are remembered; about 25 kB each at 64 px."""
MOST_PICTURES = 256
"""Pictures that one request may paint."""
GPU_BYTES = 2 * 2**30
"""Most that the pictures may take of a GPU; between two of them only the newest network stays there, until a run has
the GPU and the next picture is painted."""
PATIENCE = 10.0
"""Seconds that a visitor of a demo waits for others."""

Painted = tuple[str, str]
"""A picture as data URLs: large and small."""
End = int | bytes
"""One end of a way: a seed, or the bytes of a w `[num_ws, w_dim]` in float32."""
Made = TypeVar("Made")


def most_pictures() -> int:
    """Pictures that one request may paint here."""
    return DEMO_PICTURES if read_only() else MOST_PICTURES


def opened(run: Run) -> Sampler:
    """The run's generator on the processor, for what is known of it; a newer export is opened again."""
    return _open(*_key(run))


def paint(run: Run, work: Callable[[Sampler], Made]) -> Made:
    """What `work` makes of the run's generator, on a GPU that no run has at the moment, else on the processor."""
    return _paint(*_key(run), work)


def painted_on() -> str:
    """On a machine with a GPU that runs have: that the processor paints meanwhile; else empty."""
    slots = cuda_slots()
    taken = bool(slots) and not _gpu_turn().locked() and all(is_held(slot.lock(home()).path) for slot in slots)
    return " · painted on the processor, since runs have the GPU" if taken else ""


def painted(run: Run, seed: int, look: SamplingOptions) -> Painted:
    """The picture of a seed."""
    return _seed(*_key(run), seed, look)


def between(
    run: Run,
    first: End,
    last: End,
    share: float,
    space: Space,
    look: SamplingOptions,
) -> Painted:
    """The picture at a share of the way from one end to the other; in z both are seeds."""
    return _between(*_key(run), first, last, share, space, look)


def between_pixels(run: Run, first: End, last: End, share: float, space: Space, look: SamplingOptions) -> np.ndarray:
    """That picture in its own size, uint8 `[H, W, C]`."""
    return _pixels_between(*_key(run), first, last, share, space, look)


def mixed(
    run: Run,
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    layers: tuple[int, ...],
    look: SamplingOptions,
) -> np.ndarray:
    """Rows of seeds that take layers from the seeds of the columns, `[1 + rows, 1 + columns, H, W, C]`."""
    return _mixed(*_key(run), rows, columns, layers, look)


@contextmanager
def turn() -> Iterator[None]:
    """Time of the processor: in a public demo few paint at once, so that visitors cannot bring the machine to a halt.

    Raises `ErsatzError` when it does not come.
    """
    if not read_only():
        yield
        return
    if not _turns().acquire(timeout=PATIENCE):
        raise ErsatzError("Many visitors are painting pictures right now. Try again in a few seconds.")
    try:
        yield
    finally:
        _turns().release()


@st.cache_resource(show_spinner=False)
def _turns() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(DEMO_AT_ONCE)


def _key(run: Run) -> tuple[Path, int]:
    """What changes with every export."""
    try:
        return run.path, (run.path / INFO_FILE).stat().st_mtime_ns
    except FileNotFoundError as error:
        raise ErsatzError(f"The generator of {run.id} was deleted since. Choose another.") from error


@st.cache_resource(max_entries=4, show_spinner="Loading the generator…")
def _open(path: Path, written: int) -> Sampler:
    return Sampler.open(path, "cpu")


@st.cache_resource(max_entries=1, show_spinner="Loading the generator…")
def _open_on_gpu(path: Path, written: int, gpu: int) -> Sampler:
    return Sampler.open(path, gpu=gpu, gpu_bytes=GPU_BYTES)


@st.cache_resource(show_spinner=False)
def _gpu_turn() -> threading.Lock:
    """One picture at a time is on a GPU; whoever comes meanwhile does not wait, and takes the processor."""
    return threading.Lock()


@contextmanager
def _gpu() -> Iterator[int | None]:
    """The number of a GPU for one picture; None without one, or while runs have them, to which the memory goes back."""
    if not cuda_slots() or not _gpu_turn().acquire(blocking=False):
        yield None
        return
    try:
        with borrowed_gpu(home()) as number:
            if number is None:
                _open_on_gpu.clear()
            yield number
    finally:
        _gpu_turn().release()


def _paint(path: Path, written: int, work: Callable[[Sampler], Made]) -> Made:
    with turn():
        with _gpu() as number:
            if number is not None:
                try:
                    return work(_open_on_gpu(path, written, number))
                except OutOfMemory as error:
                    print(f"{error} The processor paints this one.", file=sys.stderr, flush=True)
        return work(_open(path, written))


@lru_cache(REMEMBERED)
def _seed(path: Path, written: int, seed: int, look: SamplingOptions) -> Painted:
    def one(sampler: Sampler) -> np.ndarray:
        return sampler.sample([seed], look.class_name, look.psi, look.cutoff, look.noise)[0]

    return _urls(_paint(path, written, one))


@lru_cache(REMEMBERED)
def _between(
    path: Path, written: int, first: End, last: End, share: float, space: Space, look: SamplingOptions
) -> Painted:
    return _urls(_pixels_between(path, written, first, last, share, space, look))


def _pixels_between(
    path: Path, written: int, first: End, last: End, share: float, space: Space, look: SamplingOptions
) -> np.ndarray:
    stops = np.array([share])

    def one(sampler: Sampler) -> np.ndarray:
        if isinstance(first, int) and isinstance(last, int):
            return morph(sampler, first, last, stops, space, look)[0]
        first_w, last_w = _w(sampler, first, look), _w(sampler, last, look)
        return sampler.synthesize(lerp(first_w, last_w, stops), look.noise)[0]

    return _paint(path, written, one)


def _w(sampler: Sampler, end: End, look: SamplingOptions) -> np.ndarray:
    if isinstance(end, int):
        return sampler.map([end], look.class_name, look.psi, look.cutoff)[0]
    return np.frombuffer(end, np.float32).reshape(sampler.info.num_ws, sampler.info.w_dim)


@lru_cache(4)
def _mixed(
    path: Path,
    written: int,
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    layers: tuple[int, ...],
    look: SamplingOptions,
) -> np.ndarray:
    return _paint(path, written, lambda sampler: style_mixing(sampler, rows, columns, layers, look))


def _urls(image: np.ndarray) -> Painted:
    return picture_url(image, LARGE), picture_url(image, SMALL)
