"""Ways to explore a generator's latent space: grids of images, each of which states what it shows.

All work on a `Sampler` and need no torch. Those in w are for StyleGAN2; those in z for every generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.sampling.latents import latents, lerp, parse_seeds, slerp
from engine.sampling.sampler import Noise, Sampler
from engine.store.errors import ErsatzError

Space = Literal["w", "z"]
Way = Literal["cubic", "slerp"]


@dataclass(frozen=True)
class SamplingOptions:
    """The settings that all images of one picture share."""

    class_name: str | None = None
    """Class, for conditional generators."""
    psi: float = 1.0
    """Truncation (StyleGAN2): 1 as trained, 0 the mean image."""
    cutoff: int = 0
    """Truncate only this many of the first layers; 0: all."""
    noise: Noise = "const"
    """Noise planes (StyleGAN2); random ones are drawn from the seed."""


def seed_grid(sampler: Sampler, seeds: Sequence[int], columns: int, look: SamplingOptions) -> np.ndarray:
    """The seeds' images in rows of `columns`, `[rows, columns, H, W, C]`; black where the last row has no more."""
    images = sampler.sample(seeds, look.class_name, look.psi, look.cutoff, look.noise)
    rows = -(-len(seeds) // columns)
    filled = np.zeros((rows * columns, *images.shape[1:]), np.uint8)
    filled[: len(images)] = images
    return filled.reshape(rows, columns, *images.shape[1:])


def morph(
    sampler: Sampler, first: int, last: int, stops: np.ndarray, space: Space, look: SamplingOptions
) -> np.ndarray:
    """Images `[T, H, W, C]` on the way from one seed to another at the shares `stops` `[T]`: 0 and 1 are the seeds.

    Along the line in w, which StyleGAN2 makes perceptually even, or along the arc in z. The noise stays that of the
    first seed throughout, so that only the style moves.
    """
    return _between(sampler, first, [last], stops, space, look)[:, 0]


def neighbours(
    sampler: Sampler, seed: int, count: int, distance: float, space: Space, look: SamplingOptions
) -> np.ndarray:
    """Images `[1 + count, H, W, C]`: the seed's, and those around it in `count` directions, `distance` away.

    Each direction leads to one of the seeds that follow: at distance 0 all are the seed's image, at distance 1 they
    are those seeds' images.
    """
    others = [(seed + step) % 2**32 for step in range(1, count + 1)]
    around = _between(sampler, seed, others, np.array([0.0, distance]), space, look)
    return np.concatenate([around[:1, 0], around[1]])


def _between(
    sampler: Sampler, seed: int, others: Sequence[int], shares: np.ndarray, space: Space, look: SamplingOptions
) -> np.ndarray:
    """Images `[shares, others, H, W, C]` at the shares of the ways from the seed to each other seed."""
    if space == "w":
        ends = sampler.map([seed, *others], look.class_name, look.psi, look.cutoff)
        w = np.stack([lerp(ends[0], end, shares) for end in ends[1:]], axis=1)
        images = sampler.synthesize(w.reshape(-1, *ends.shape[1:]), look.noise, [seed])
    else:
        z = latents([seed, *others], sampler.info.z_dim)
        arcs = np.stack([slerp(z[0], end, shares) for end in z[1:]], axis=1)
        images = sampler.draw(arcs.reshape(-1, z.shape[1]), look.class_name, look.psi, look.cutoff, look.noise, [seed])
    return images.reshape(len(shares), len(others), *images.shape[1:])


def truncation_sweep(
    sampler: Sampler, seeds: Sequence[int], psis: Sequence[float], look: SamplingOptions
) -> np.ndarray:
    """A row for each seed with a column for each psi, `[seeds, psis, H, W, C]`; the look's own psi does not count."""
    every = np.repeat(np.asarray(seeds), len(psis)).tolist()
    images = sampler.sample(every, look.class_name, list(psis) * len(seeds), look.cutoff, look.noise)
    return images.reshape(len(seeds), len(psis), *images.shape[1:])


def style_mixing(
    sampler: Sampler, rows: Sequence[int], columns: Sequence[int], layers: Sequence[int], look: SamplingOptions
) -> np.ndarray:
    """Rows of seeds that take the `layers` of w from the seeds of the columns, `[1 + rows, 1 + columns, H, W, C]`.

    The first row and column show the seeds themselves, with black in the corner. Early layers carry pose and shape,
    late ones colour and texture (arXiv 1812.04948, figure 3). All layers make the column's seed, none the row's.
    The noise is the row's.
    """
    by_row = sampler.map(rows, look.class_name, look.psi, look.cutoff)
    by_column = sampler.map(columns, look.class_name, look.psi, look.cutoff)
    w = np.repeat(by_row[:, None], len(columns), axis=1)
    w[:, :, list(layers)] = by_column[None][:, :, list(layers)]
    noise_seeds = [*columns, *(seed for seed in rows for _ in range(1 + len(columns)))]
    listed = np.concatenate([by_column, np.concatenate([by_row[:, None], w], axis=1).reshape(-1, *w.shape[2:])])
    images = sampler.synthesize(listed, look.noise, noise_seeds)
    grid = np.concatenate([np.zeros_like(images[:1]), images])
    return grid.reshape(1 + len(rows), 1 + len(columns), *images.shape[1:])


def parse_layers(text: str, num_ws: int) -> list[int]:
    """Layers of w as a list with ranges, such as `0-6`; an `ErsatzError` names what the generator has."""
    layers = parse_seeds(text)
    if max(layers) >= num_ws:
        raise ErsatzError(f"The layers are {text!r}; the generator has the layers 0-{num_ws - 1}. Name some of these.")
    return layers


def sheet(grid: np.ndarray) -> np.ndarray:
    """A grid `[rows, columns, H, W, C]` as one picture `[rows * H, columns * W, C]`."""
    rows, columns, height, width, channels = grid.shape
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
