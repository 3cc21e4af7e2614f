"""How alike two pictures are in their pixels, whatever the brightness and contrast, moved a little or mirrored or not.

A copy that a generator made seldom has its original's exact pixels. So pictures are compared after each was brought
to mean 0 and length 1, at every shift of a few pixels, as they are and mirrored; the distance is the smallest found:
the root of 2 - 2 r, where r is the correlation (Euclidean distance of the two unit vectors). It is 0 for the same
picture and 1.41 for unrelated ones.

Candidates come from the features and from thumbnails of all pictures, and each is compared in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.features.cache import Interrupted
from engine.quality.nearest import nearest
from engine.store.progress import Progress, Report, ShouldStop, never, silent

CANDIDATES = 10
"""Taken from the thumbnails, beside those from the features."""

EACH = 3
"""Nearest thumbnails looked at for each shift."""

THUMBNAIL = 8
"""Width of the thumbnails: what is too fine for them (noise, a shift by a pixel) does not hide a copy."""

COMPARED = 64
"""Width, more or less, to which larger pictures are reduced after they were shifted at full size."""

BLANK = 1.0
"""Spread (grey levels of 255) below which a picture shows nothing, and is like no other."""

NUMBERS = 2**23
"""Numbers of shifted pictures held at a time."""

Place = tuple[int, int]
"""Top and left corner of a part of a picture."""


@dataclass(frozen=True)
class Matches:
    """For each picture the one of the base that is most like it."""

    rows: np.ndarray
    """int64 [N], rows of the base"""
    distances: np.ndarray
    """float32 [N], 0 (the same) to 1.41 and, for opposites, 2"""
    shift_x: np.ndarray
    """int64 [N], pixels by which the picture lies to the right of the base's"""
    shift_y: np.ndarray
    """int64 [N], pixels by which it lies below"""
    mirrored: np.ndarray
    """bool [N], whether the base's picture must be mirrored left to right first"""


def most_alike(
    images: np.ndarray,
    base: np.ndarray,
    by_features: np.ndarray,
    shift: int,
    not_itself: bool = False,
    report: Report = silent,
    should_stop: ShouldStop = never,
    stage: str = "comparison of pixels",
) -> Matches:
    """The picture of `base` uint8 [M, H, W, C] most like each of `images` [N, H, W, C] in pixels.

    Compared are the base's rows `by_features` int64 [N, c] and those nearest by thumbnails among the whole base, at all
    shifts of up to `shift` pixels. `not_itself`: the images are the base, and none is its own match. Needs some 200 MiB
    beside the images. Raises `Interrupted` when asked to stop.
    """
    shift = min(shift, (min(images.shape[1:3]) - 1) // 2)
    by_pixels = _by_thumbnails(images, base, shift, not_itself, report, should_stop, f"{stage}, thumbnails")
    candidates = np.concatenate((by_features, by_pixels), 1)
    factor = max(1, round(min(images.shape[1:3]) / COMPARED))
    places = [(y, x) for y in range(2 * shift + 1) for x in range(2 * shift + 1)]
    places.sort(key=lambda place: abs(place[0] - shift) + abs(place[1] - shift))  # among equals the smallest shift
    moved = np.array(places) - shift
    step = max(1, NUMBERS * factor**2 // (images[0].size * (len(places) + 2 * candidates.shape[1])))
    found = []
    for start in range(0, len(images), step):
        if should_stop():
            raise Interrupted
        report(Progress(stage, start, len(images), "images"))
        part = slice(start, min(start + step, len(images)))
        alike = _correlations(images[part], base, candidates[part], places, factor)
        if not_itself:
            own = candidates[part] == np.arange(part.start, part.stop)[:, None]
            alike.masked_fill_(torch.from_numpy(own)[:, None, None], -torch.inf)
        best, place = alike.flatten(1).max(1)
        mirror, at, which = np.unravel_index(place.numpy(), alike.shape[1:])
        rows = candidates[part][np.arange(len(which)), which]
        distances = (2 - 2 * best).clamp(min=0).sqrt().numpy()
        found.append((rows, distances, moved[at, 1], moved[at, 0], mirror == 1))
    return Matches(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _correlations(images: np.ndarray, base: np.ndarray, rows: np.ndarray, places: list[Place], factor: int) -> Tensor:
    """Correlations [n, 2, S, c] of the parts of images [n, H, W, C] at S places with the middle of c pictures each of
    the base, as they are and mirrored (mirrored last, or a symmetric picture would count as mirrored)."""
    height, width = images.shape[1:3]
    shift = max(place[0] for place in places) // 2
    size = (height - 2 * shift) // factor * factor, (width - 2 * shift) // factor * factor
    pictures = base[rows.reshape(-1)]
    targets = torch.stack(
        [_parts(side, [(shift, shift)], size, factor)[:, 0] for side in (pictures, pictures[:, :, ::-1])]
    )
    targets = targets.view(2, *rows.shape, -1).permute(1, 0, 2, 3).flatten(1, 2)
    alike = _parts(images, places, size, factor) @ targets.transpose(1, 2)
    return alike.view(len(images), len(places), 2, -1).transpose(1, 2).contiguous()


def _parts(images: np.ndarray, places: list[Place], size: tuple[int, int], factor: int) -> Tensor:
    """Unit vectors float32 [n, S, d] of the parts of images uint8 [n, H, W, C] of `size` at S places, reduced."""
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    parts = [x[:, :, top : top + size[0], left : left + size[1]] for top, left in places]
    if factor > 1:
        parts = [F.avg_pool2d(part, factor) for part in parts]
    return _unit(torch.stack([part.flatten(1) for part in parts], 1))


def _by_thumbnails(
    images: np.ndarray,
    base: np.ndarray,
    shift: int,
    not_itself: bool,
    report: Report,
    should_stop: ShouldStop,
    stage: str,
) -> np.ndarray:
    """Different rows of the base [N, CANDIDATES or fewer] whose thumbnails are nearest to those of an image.

    The base's middle is searched for in the image's parts at shifts of 1/32 of its width, and at 0: in 4,000 films of
    28 px, moved copies are missed in half of all cases with twice the spacing, and in none with this one.
    """
    spacing = max(1, round(min(images.shape[1:3]) / 32))
    offsets = sorted({shift, *range(shift % spacing, 2 * shift + 1, spacing)})
    searches = [(mirror, (top, left)) for mirror in (False, True) for top in offsets for left in offsets]
    middle = _thumbnails(base, (shift, shift), shift, False)
    rows = np.zeros((len(images), 0), np.int64)
    distances = np.zeros((len(images), 0), np.float32)
    for number, (mirror, place) in enumerate(searches):
        report(Progress(stage, number, len(searches), "shifts"))
        queries = _thumbnails(images, place, shift, mirror)
        near = nearest(queries, middle, min(EACH, len(base)), should_stop=should_stop)
        rows = np.concatenate((rows, near.rows), 1)
        distances = np.concatenate((distances, near.distances), 1)
        if not_itself:
            distances[rows == np.arange(len(rows))[:, None]] = np.inf
        rows, distances = _best_distinct(rows, distances, min(CANDIDATES, len(base)))
    return rows


def _best_distinct(rows: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of candidates [N, m], each once; further ones come with an infinite distance."""
    order = distances.argsort(1, kind="stable")
    rows, distances = np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)
    again = np.tril(rows[:, :, None] == rows[:, None, :], -1).any(2)
    distances[again] = np.inf
    order = distances.argsort(1, kind="stable")[:, :k]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)


def _thumbnails(images: np.ndarray, place: Place, shift: int, mirrored: bool) -> np.ndarray:
    """Unit vectors float32 [N, 64 C] of the images' parts at a place, `shift` smaller on every side, reduced."""
    height, width = images.shape[1] - 2 * shift, images.shape[2] - 2 * shift
    vectors = []
    for start in range(0, len(images), 256):
        part = images[start : start + 256, place[0] : place[0] + height, place[1] : place[1] + width]
        x = torch.from_numpy(np.ascontiguousarray(part[:, :, ::-1] if mirrored else part)).permute(0, 3, 1, 2).float()
        vectors.append(_unit(F.adaptive_avg_pool2d(x, THUMBNAIL).flatten(1)))
    return torch.cat(vectors).numpy()


def _unit(x: Tensor) -> Tensor:
    """Vectors [..., d] less their mean, of length 1; zero where they show nothing."""
    x = x - x.mean(-1, keepdim=True)
    length = x.norm(dim=-1, keepdim=True)
    return torch.where(length < BLANK * x.shape[-1] ** 0.5, torch.zeros_like(x), x / length)
