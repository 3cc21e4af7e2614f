"""Walks through the latent space: the frames of a video that passes by the images of key seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.interpolate import CubicSpline

from engine.sampling.exploring import SamplingOptions, Way
from engine.sampling.latents import latents, slerp
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError

AT_ONCE = 32


def walk(
    sampler: Sampler,
    seeds: Sequence[int],
    frames: int,
    way: Way = "cubic",
    loop: bool = True,
    look: SamplingOptions | None = None,
) -> Iterator[np.ndarray]:
    """Frames uint8 `[H, W, C]`, `frames` from each seed's image to the next one's; made while they are taken.

    cubic: a smooth curve through the seeds' w (StyleGAN2); slerp: along the arcs between their z (every generator).
    In a loop the last frame leads to the first, which is not repeated; otherwise the last one is the last seed's.
    The noise stays that of the first seed.
    """
    if not seeds or frames < 1:
        raise ErsatzError(
            f"The walk has {len(seeds)} seeds and {frames} frames from one to the next; at least one of each is "
            "expected. Give more."
        )
    look = look or SamplingOptions()
    stops = walk_stops(len(seeds), frames, loop)
    if way == "cubic":
        points = cubic(sampler.map(seeds, look.class_name, look.psi, look.cutoff), stops, loop)
    else:
        points = arcs(latents(seeds, sampler.info.z_dim), stops)
    for start in range(0, len(points), AT_ONCE):
        part = points[start : start + AT_ONCE]
        if way == "cubic":
            yield from sampler.synthesize(part, look.noise, seeds[:1])
        else:
            yield from sampler.draw(part, look.class_name, look.psi, look.cutoff, look.noise, seeds[:1])


def walk_stops(keys: int, frames: int, loop: bool) -> np.ndarray:
    """Where each frame is on the way, as numbers of keys passed: 0 is at the first key."""
    return np.arange(keys * frames if loop else (keys - 1) * frames + 1) / frames


def cubic(keys: np.ndarray, stops: np.ndarray, loop: bool) -> np.ndarray:
    """Points `[T, ...]` at `stops` of the cubic spline through the keys `[K, ...]`, closed smoothly in a loop."""
    if len(keys) == 1:
        return np.repeat(keys, len(stops), axis=0)
    closed = np.concatenate([keys, keys[:1]]) if loop else keys
    spline = CubicSpline(np.arange(len(closed)), closed, bc_type="periodic" if loop else "not-a-knot")
    return spline(stops).astype(np.float32)


def arcs(keys: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Points `[T, z_dim]` at `stops` on the arcs from each key `[K, z_dim]` to the next, the last to the first."""
    following = np.roll(keys, -1, axis=0)
    before = np.floor(stops).astype(int) % len(keys)
    return np.concatenate(
        [slerp(keys[key], following[key], np.array([stop % 1])) for key, stop in zip(before, stops, strict=True)]
    )
