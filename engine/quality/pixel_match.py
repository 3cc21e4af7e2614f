"""How alike two pictures are in their pixels, whatever the brightness and contrast, moved, turned or resized a little,
mirrored or not.

A copy that a generator made seldom has its original's exact pixels. So pictures are compared after each was brought
to mean 0 and length 1, at every shift of a few pixels, as they are and mirrored, and (more coarsely) turned and
resized by `alignment.WARPS`. The distance is the smallest found: the root of 2 - 2 r, where r is the correlation
(Euclidean distance of the two unit vectors). It is 0 for the same picture and 1.41 for unrelated ones. How much nearer
the best is than the next ones says more than the distance: a smooth picture lies near to many, and a copy to one.

Candidates come from the features and from thumbnails of all pictures, and each is compared in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.features.cache import Interrupted
from engine.quality.alignment import AS_IT_IS, Warp, warped
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

COARSE = 2
"""Pixels between the shifts at which turned and resized pictures are compared."""

NEXT = 5
"""Pictures behind the best, of other patients, that the pixel ratio compares with."""

TOGETHER = 256
"""Images whose thumbnails are searched for together."""

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
    ratio: np.ndarray
    """float32 [N], the distance over the mean of those to the next pictures, of other patients than the nearest; 1
    where there are none"""


def most_alike(
    images: np.ndarray,
    base: np.ndarray,
    by_features: np.ndarray,
    shift: int,
    not_itself: bool = False,
    report: Report = silent,
    should_stop: ShouldStop = never,
    stage: str = "comparison of pixels",
    units: np.ndarray | None = None,
    warps: tuple[Warp, ...] = (AS_IT_IS,),
) -> Matches:
    """The picture of `base` uint8 [M, H, W, C] most like each of `images` [N, H, W, C] in pixels.

    Compared are the base's rows `by_features` int64 [N, c] and those nearest by thumbnails among the whole base, at all
    shifts of up to `shift` pixels, and with the images warped at every second shift. `not_itself`: the images are the
    base, and none is its own match. `units` [M]: the patients of the base by number, default one an image. Needs some
    200 MiB beside the images. Raises `Interrupted` when asked to stop.
    """
    shift = min(shift, (min(images.shape[1:3]) - 1) // 2)
    by_pixels = _by_thumbnails(images, base, shift, not_itself, report, should_stop, f"{stage}, thumbnails")
    candidates = np.concatenate((by_features, by_pixels), 1)
    factor = max(1, round(min(images.shape[1:3]) / COMPARED))
    places = [(y, x) for y in range(2 * shift + 1) for x in range(2 * shift + 1)]
    places.sort(key=lambda place: abs(place[0] - shift) + abs(place[1] - shift))  # among equals the smallest shift
    coarse = [place for place in places if not ((place[0] - shift) % COARSE or (place[1] - shift) % COARSE)]
    views = [(warp, places if not warp else coarse) for warp in warps]
    at_places = np.array([place for _, those in views for place in those])
    moved = at_places - shift
    step = max(1, NUMBERS * factor**2 // (images[0].size * (len(moved) + 2 * candidates.shape[1])))
    units = np.arange(len(base)) if units is None else units
    found = []
    for start in range(0, len(images), step):
        if should_stop():
            raise Interrupted
        report(Progress(stage, start, len(images), "images"))
        part = slice(start, min(start + step, len(images)))
        alike = _correlations(images[part], base, candidates[part], views, shift, factor)
        if not_itself:
            own = candidates[part] == np.arange(part.start, part.stop)[:, None]
            alike.masked_fill_(torch.from_numpy(own)[:, None, None], -torch.inf)
        best, place = alike.flatten(1).max(1)
        mirror, at, which = np.unravel_index(place.numpy(), alike.shape[1:])
        rows = candidates[part][np.arange(len(which)), which]
        distances = (2 - 2 * best).clamp(min=0).sqrt().numpy()
        each = (2 - 2 * alike.amax((1, 2))).clamp(min=0).sqrt().numpy()
        ratio = distances / _next(each, candidates[part], units, rows)
        found.append((rows, distances, moved[at, 1], moved[at, 0], mirror == 1, ratio.astype(np.float32)))
    return Matches(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _next(distances: np.ndarray, rows: np.ndarray, units: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Mean distance [n] of the `NEXT` nearest candidates [n, c] of other units than the best's; infinite candidates
    are none, and where there is none the distance is that of the best."""
    away = np.where(units[rows] == units[best][:, None], np.inf, distances)
    order = away.argsort(1, kind="stable")
    rows, away = np.take_along_axis(rows, order, 1), np.take_along_axis(away, order, 1)
    again = np.tril(rows[:, :, None] == rows[:, None, :], -1).any(2)  # found by features and by thumbnails
    taken = np.isfinite(away) & ~again
    taken &= np.cumsum(taken, 1) <= NEXT
    mean = np.where(taken, away, 0).sum(1) / np.maximum(1, taken.sum(1))
    own = distances.min(1)
    return np.where(taken.any(1) & (mean > 0), mean, np.where(own > 0, own, 1.0))


def _correlations(
    images: np.ndarray,
    base: np.ndarray,
    rows: np.ndarray,
    views: list[tuple[Warp, list[Place]]],
    shift: int,
    factor: int,
) -> Tensor:
    """Correlations [n, 2, S, c] of the parts of images [n, H, W, C] at S places, over all warps, with the middle of c
    pictures each of the base, as they are and mirrored (mirrored last, or a symmetric picture would count as such)."""
    height, width = images.shape[1:3]
    size = (height - 2 * shift) // factor * factor, (width - 2 * shift) // factor * factor
    pictures = base[rows.reshape(-1)]
    targets = torch.stack(
        [_parts(side, [(shift, shift)], size, factor)[:, 0] for side in (pictures, pictures[:, :, ::-1])]
    )
    targets = targets.view(2, *rows.shape, -1).permute(1, 0, 2, 3).flatten(1, 2)
    parts = torch.cat([_parts(warped(images, warp), places, size, factor) for warp, places in views], 1)
    alike = parts @ targets.transpose(1, 2)
    return alike.view(len(images), parts.shape[1], 2, -1).transpose(1, 2).contiguous()


def _parts(images: np.ndarray, places: list[Place], size: tuple[int, int], factor: int) -> Tensor:
    """Unit vectors float32 [n, S, d] of the parts of images [n, H, W, C] of `size` at S places, reduced."""
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
    middle = _thumbnails(base, [shift], shift, False)[0]
    found = []
    for start in range(0, len(images), TOGETHER):
        report(Progress(stage, start, len(images), "images"))
        part = images[start : start + TOGETHER]
        rows: list[np.ndarray] = []
        distances: list[np.ndarray] = []
        for mirrored in (False, True):
            queries = _thumbnails(part, offsets, shift, mirrored)
            near = nearest(queries.reshape(-1, queries.shape[2]), middle, min(EACH, len(base)), should_stop=should_stop)
            for lists, one in ((rows, near.rows), (distances, near.distances)):
                lists.append(one.reshape(len(queries), len(part), -1).swapaxes(0, 1).reshape(len(part), -1))
        candidates, far = np.concatenate(rows, 1), np.concatenate(distances, 1)
        if not_itself:
            far[candidates == np.arange(start, start + len(part))[:, None]] = np.inf
        found.append(_best_distinct(candidates, far, min(CANDIDATES, len(base)))[0])
    return np.concatenate(found)


def _best_distinct(rows: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of candidates [N, m], each once; further ones come with an infinite distance."""
    order = distances.argsort(1, kind="stable")
    rows, distances = np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)
    by_row = rows.argsort(1, kind="stable")  # of equal rows the nearest comes first
    again = np.diff(np.take_along_axis(rows, by_row, 1), axis=1, prepend=-1) == 0
    np.put_along_axis(distances, by_row, np.where(again, np.inf, np.take_along_axis(distances, by_row, 1)), 1)
    order = distances.argsort(1, kind="stable")[:, :k]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)


def _thumbnails(images: np.ndarray, offsets: list[int], shift: int, mirrored: bool) -> np.ndarray:
    """Unit vectors float32 [S, N, 64 C] of the images' parts at the S pairs of offsets from the top and from the left,
    `shift` smaller on every side, reduced: means of 8 x 8 fields of each, all by one matrix product."""
    down, across = (_fields(size, offsets, shift) for size in images.shape[1:3])
    vectors = []
    for start in range(0, len(images), TOGETHER):
        part = images[start : start + TOGETHER]
        x = torch.from_numpy(np.ascontiguousarray(part[:, :, ::-1] if mirrored else part)).permute(0, 3, 1, 2).float()
        fields = (down @ x @ across.T).unflatten(3, (-1, THUMBNAIL)).unflatten(2, (-1, THUMBNAIL))
        vectors.append(_unit(fields.permute(2, 4, 0, 1, 3, 5).flatten(3).flatten(0, 1)))
    return torch.cat(vectors, 1).numpy()


def _fields(size: int, offsets: list[int], shift: int) -> Tensor:
    """Weights float32 [8 S, size] that take the means of the 8 parts of a side, at S offsets (as adaptive pooling)."""
    inside = size - 2 * shift
    weights = torch.zeros(len(offsets), THUMBNAIL, size)
    for number, offset in enumerate(offsets):
        for field in range(THUMBNAIL):
            first, last = field * inside // THUMBNAIL, -(-(field + 1) * inside // THUMBNAIL)
            weights[number, field, offset + first : offset + last] = 1 / (last - first)
    return weights.flatten(0, 1)


def _unit(x: Tensor) -> Tensor:
    """Vectors [..., d] less their mean, of length 1; zero where they show nothing."""
    x = x - x.mean(-1, keepdim=True)
    length = x.norm(dim=-1, keepdim=True)
    return torch.where(length < BLANK * x.shape[-1] ** 0.5, torch.zeros_like(x), x / length)
