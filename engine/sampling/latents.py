"""Latent vectors and noise drawn from seeds, arcs between latents, and w in files. NumPy only."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from engine.store.archives import ZIP_ERRORS
from engine.store.errors import ErsatzError
from engine.store.files import write_bytes

MOST_SEEDS = 1_000_000
NOISE_STREAM = 1
"""Beside an image's seed, that of its noise, so that noise does not repeat the numbers of z."""


def latents(seeds: Sequence[int], z_dim: int) -> np.ndarray:
    """Latent vectors z ~ N(0, 1), float32 `[N, z_dim]`, each drawn from its own seed (0 to 2**32 - 1)."""
    z = np.empty((len(seeds), z_dim), np.float32)
    for row, seed in zip(z, seeds, strict=True):
        row[:] = np.random.RandomState(_valid(seed)).randn(z_dim)
    return z


def noise_planes(seeds: Sequence[int], total: int) -> np.ndarray:
    """Noise ~ N(0, 1) of all of an image's planes in a row, float32 `[N, total]`, each drawn from its own seed."""
    noise = np.empty((len(seeds), total), np.float32)
    for row, seed in zip(noise, seeds, strict=True):
        row[:] = np.random.RandomState([_valid(seed), NOISE_STREAM]).randn(total)
    return noise


def _valid(seed: int) -> int:
    if not 0 <= seed < 2**32:
        raise ErsatzError(f"The seed is {seed}; expected a whole number from 0 to {2**32 - 1}.")
    return seed


def slerp(a: np.ndarray, b: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Latents `[T, z_dim]` on the arc from `a` to `b` `[z_dim]` at the shares `stops` `[T]` (0 is a, 1 is b).

    Gaussian vectors lie near a sphere; a straight line between two would cut through its empty inside.
    """
    share = np.asarray(stops, np.float64)[:, None]
    angle = np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    if np.sin(angle) < 1e-6:  # the arc between (anti)parallel vectors is a line, or not defined
        return ((1 - share) * a + share * b).astype(np.float32)
    return ((np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)).astype(np.float32)


def lerp(a: np.ndarray, b: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Arrays `[T, ...]` on the line from `a` to `b` `[...]` at the shares `stops` `[T]`; both ends are exact."""
    share = np.asarray(stops, np.float32).reshape(-1, *[1] * np.ndim(a))
    return (1 - share) * a + share * b


def parse_seeds(text: str) -> list[int]:
    """Seeds of a list with ranges, such as `0-15` or `1,5,7-9`, in the order given."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < 2**32 or len(seeds) + last - first >= MOST_SEEDS:
            raise ErsatzError(
                f"The seeds are {text!r}; expected whole numbers and growing ranges such as 0-15 or 1,5,7-9, "
                f"each from 0 to {2**32 - 1} and at most {MOST_SEEDS} in all."
            )
        seeds += range(first, last + 1)
    return seeds


def w_content(w: np.ndarray) -> bytes:
    """w `[1, num_ws, w_dim]` as key `w` of an .npz, the form that NVIDIA's programs read and write too."""
    content = io.BytesIO()
    np.savez(content, w=w.astype(np.float32))
    return content.getvalue()


def save_w(path: Path, w: np.ndarray) -> None:
    """Write w `[1, num_ws, w_dim]` as an .npz file."""
    write_bytes(path, w_content(w))


def load_w(source: Path | IO[bytes], num_ws: int, w_dim: int) -> np.ndarray:
    """w of an .npz file, float32 `[1, num_ws, w_dim]`.

    Raises `ErsatzError` when it is no such file, or of another generator's shape. What the file claims is checked
    before its numbers are read, and nothing in it is ever unpickled.
    """
    name = source.name if isinstance(source, Path) else getattr(source, "name", "The file")
    expected = f"an .npz with an array 'w' of shape [1, {num_ws}, {w_dim}] is expected, as a projection or save-w makes"
    found = ""
    try:
        with zipfile.ZipFile(source) as archive, archive.open("w.npy") as member:
            version = np.lib.format.read_magic(member)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, by_columns, dtype = read_header(member)
            if shape != (1, num_ws, w_dim) or dtype.kind != "f":
                found = f"holds w of shape {list(shape)} and type {dtype}"
            else:
                content = member.read(dtype.itemsize * num_ws * w_dim)
                w = np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C").astype(np.float32)
                if not np.isfinite(w).all():
                    found = "holds numbers that are not finite"
    except FileNotFoundError as error:
        raise ErsatzError(f"There is no file {source}; {expected}.") from error
    except zipfile.BadZipFile:
        found = "is no .npz file"
    except KeyError:
        found = "has no readable array 'w'"
    except ZIP_ERRORS as error:
        found = f"is damaged ({error})"
    if found:
        raise ErsatzError(f"{name} {found}; {expected}. Choose another file, or the generator that it was made with.")
    return w
