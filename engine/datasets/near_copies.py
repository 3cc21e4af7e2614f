"""Near copies among many pictures: alike in outline, then brought to cover each other, then compared in detail.

1. Candidates: for each picture its nearest ones by the coarse pattern of its content (16 x 16), turned and mirrored in
   all eight ways (`nearest_patterns`). Their number grows with the number of pictures only, however alike they are.
2. Small differences of framing (a crop, a slight turn) are taken out by an affine fit (Lucas and Kanade, 1981).
3. What remains is compared where both have content, by the direction and strength of its edges.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from engine.datasets.alignment import aligned, covering
from engine.datasets.nearest_patterns import (
    EXHAUSTIVE,
    Nearest,
    blocks,
    comparisons,
    scores,
    unchanged_by_turning,
)
from engine.datasets.picture_content import SIZE, Contents
from engine.datasets.watched import UNWATCHED, Watched

NEAREST = 12
"""Candidates of each picture."""
ALIKE = 0.6
"""Smallest correlation of the coarse patterns of a candidate pair."""
WORTH_COMPARING = 0.45
"""Smallest correlation of the detail at half size of a candidate that is aligned and compared at full size."""
SAME_PICTURE = 0.75
"""Smallest correlation of detail that makes a pair near copies.

Chosen on real images, looked at pair by pair. Of 2,200 dermatoscope pictures (128 px) the pairs down to 0.56 show one
lesion, photographed again or changed; mirrored and turned ones that do not reach 0.55. Of 199 head CTs the pairs down
to 0.7 are neighbouring slices of one scan. Recompressed, brightened, smaller, turned and
mirrored copies, and copies cropped by some per cent or turned by a degree, mostly reach 0.8 to 1.0.
"""
SAME_SMALL_PICTURE = 0.86
"""The same for pictures with less than 64 pixels of content, which are blurred more: a JPEG's noise is as fine as their
detail. Of 5,827 chest films of 28 px, the one pair above is a film taken twice and the next (0.84) are none; copies
compressed to a JPEG of quality 75 reach 0.95, and seven of eight of those of quality 40 0.85.
"""
BLUR, SMALL_BLUR = 0.7, 1.4
"""Standard deviation in pixels of the blur before detail is compared, of fine and of small pictures."""
BEYOND_DOUBT = 0.98
"""Smallest correlation of detail, and of grey values, that makes a pair one picture beyond doubt."""
ALIGNED_BELOW = 0.86
"""Pairs of a higher correlation need no alignment."""
LEAST_CONTENT = 0.1
"""Share of the thumbnail that must be content in both."""
VARIANTS = tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))
"""Mirrored from left to right or not, then turned by so many quarters."""
ROUNDS = 3
WORTH_MORE = 0.7
"""Smallest correlation of the detail at half size of a picture's second and third candidate."""
BLOCK = 512
PAIRS = 2**16
"""Pairs that are looked at together, so that memory does not grow with their number."""
STAGE = "look for near copies"
COMPARED = "compare pictures that are alike"
"""Stages of the progress."""

SURROUNDINGS = 4
COARSE = 16
FREQUENCIES = 10


@dataclass(frozen=True)
class NearPairs:
    """M pairs of near copies: indexes `pairs` `[M, 2]` (first < second), `variant` `[M]` (the number in `VARIANTS` that
    the second must be brought to; 0: as it is), and `sure` `[M]`: one picture beyond doubt.
    """

    pairs: np.ndarray
    variant: np.ndarray
    sure: np.ndarray


def turned(pictures: np.ndarray, variant: int) -> np.ndarray:
    """Square pictures `[..., S, S]` in one of the `VARIANTS`."""
    mirrored, turns = VARIANTS[variant]
    return np.rot90(pictures[..., ::-1] if mirrored else pictures, turns, axes=(-2, -1))


def way_turned(variant: int) -> str:
    """One of the `VARIANTS` in words, '' for the first; a picture mirrored from top to bottom is mirrored too."""
    mirrored, turns = VARIANTS[variant]
    return " and ".join(["mirrored"] * mirrored + ["rotated"] * (turns % 2 if mirrored else turns > 0))


def near_pairs(contents: Contents, watched: Watched = UNWATCHED) -> NearPairs:
    """The near copies among the contents of N pictures; of a large set of them enough pairs to hold it together."""
    pairs, variant = candidates(contents, watched)
    rough = rough_likeness(contents, pairs, variant, watched)
    count = len(contents.thumbnails)
    near = np.arange(count)  # the set of each picture so far
    kept = [(np.zeros((0, 2), np.int64), np.zeros(0, np.int64), np.zeros(0, bool))]
    for now in _rounds(pairs, rough, count):
        now = now[near[pairs[now, 0]] != near[pairs[now, 1]]]
        detail, grey = likeness(contents, pairs[now], variant[now], watched)
        same = detail >= np.where(contents.fine[pairs[now]].all(axis=1), SAME_PICTURE, SAME_SMALL_PICTURE)
        certain = same & (detail >= BEYOND_DOUBT) & (grey >= BEYOND_DOUBT)
        kept.append((pairs[now][same], variant[now][same], certain[same]))
        near = connected(count, np.concatenate([found for found, _, _ in kept]))
    found, ways, surely = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    order = np.lexsort((ways, ~surely, found[:, 1], found[:, 0]))  # of a pair near in two ways the surer, plainer one
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(found[order], axis=0) != 0).any(axis=1)
    order = order[first]
    return NearPairs(found[order], ways[order], surely[order])


def connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """Number `[count]` of the set of each picture, where `pairs` `[M, 2]` belong together."""
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels: np.ndarray = connected_components(graph, directed=False)[1]
    return labels


def _rounds(pairs: np.ndarray, rough: np.ndarray, count: int) -> list[np.ndarray]:
    """Which pairs to compare, the most promising of each picture first, then its second and third if they are alike."""
    rank = np.full(len(pairs), ROUNDS)
    order = np.argsort(-rough, kind="stable")
    order = order[rough[order] >= WORTH_COMPARING]
    seen = [0] * count
    for number, (first, second) in zip(order.tolist(), pairs[order].tolist(), strict=True):
        rank[number] = min(seen[first], seen[second])
        seen[first] += 1
        seen[second] += 1
    least = [WORTH_COMPARING] + [WORTH_MORE] * (ROUNDS - 1)
    return [np.flatnonzero((rank == turn) & (rough >= worth)) for turn, worth in enumerate(least)]


def candidates(contents: Contents, watched: Watched = UNWATCHED) -> tuple[np.ndarray, np.ndarray]:
    """Pairs `[M, 2]` of the `NEAREST` pictures of each, and the variants `[M]` in which they are alike: as they are,
    and the best other one.
    """
    coarse = _coarse(contents)
    patterns = [_patterns(turned(coarse, variant)) for variant in range(len(VARIANTS))]
    pairs = _nearest(coarse, patterns, watched).pairs()
    variant, plain = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), PAIRS):
        first, second = pairs[start : start + PAIRS].T
        rows = patterns[0][first]
        ways = np.stack([np.einsum("nd,nd->n", rows, others[second]) for others in patterns])
        plain[start : start + PAIRS] = ways[0] >= ALIKE
        variant[start : start + PAIRS] = ways.argmax(axis=0)
    unturned, changed = np.flatnonzero(plain), np.flatnonzero(variant > 0)
    return (
        np.concatenate([pairs[unturned], pairs[changed]]),
        np.concatenate([np.zeros(len(unturned), np.int64), variant[changed]]),
    )


def _nearest(coarse: np.ndarray, patterns: list[np.ndarray], watched: Watched) -> Nearest:
    """The `NEAREST` of each picture by its pattern in any variant, `patterns` `[8][N, D]`."""
    count = len(coarse)
    nearest = Nearest(count, NEAREST, ALIKE)
    everything = np.arange(count)
    if count <= EXHAUSTIVE:
        for start in range(0, count, BLOCK):
            rows = everything[start : start + BLOCK]
            found = scores(patterns[0][rows], patterns)
            found[np.arange(len(rows)), rows] = -1
            nearest.take(rows, everything, found)
            watched.at(STAGE, start + len(rows), count)
        return nearest
    done, total = 0, comparisons(count)
    for block, in_all in blocks(patterns[0], unchanged_by_turning(_low(coarse)).reshape(count, -1)):
        found = scores(patterns[0][block], [others[block] for others in (patterns if in_all else patterns[:1])])
        np.fill_diagonal(found, -1)
        nearest.take(block, block, found)
        done += len(block)
        watched.at(STAGE, count * done / total, count)
    return nearest


def rough_likeness(
    contents: Contents, pairs: np.ndarray, variant: np.ndarray, watched: Watched = UNWATCHED
) -> np.ndarray:
    """Correlation `[P]` of the detail of pairs at half size, each picture by its own mask: cheap, and enough to tell
    what is not worth a comparison.
    """

    def details(rows: np.ndarray, number: int) -> np.ndarray:
        values = np.empty((len(rows), 2 * (SIZE // 2 - 1) ** 2), kept)
        for start in range(0, len(rows), BLOCK):
            watched.at(STAGE, len(contents.thumbnails), len(contents.thumbnails))
            part = rows[start : start + BLOCK]
            small = _halved(turned(contents.thumbnails[part].astype(np.float32), number))
            weight = _inner(_halved(turned(contents.masks[part].astype(np.float32), number)) > 0.99)
            detail = _detail(small, weight, 1.0).reshape(len(part), -1)
            values[start : start + BLOCK] = detail / np.maximum(np.linalg.norm(detail, axis=1, keepdims=True), 1e-6)
        return values

    kept = np.float32 if len(contents.thumbnails) <= EXHAUSTIVE else np.float16  # a large set's would fill the memory
    result = np.zeros(len(pairs), np.float32)
    plain = details(np.arange(len(contents.thumbnails)), 0)
    for number in np.unique(variant):
        rows = np.flatnonzero(variant == number)
        seconds, place = np.unique(pairs[rows, 1], return_inverse=True)
        others = plain[seconds] if number == 0 else details(seconds, number)
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            one, other = plain[pairs[part, 0]], others[place[start : start + BLOCK]]
            result[part] = np.einsum(
                "nd,nd->n", one.astype(np.float32, copy=False), other.astype(np.float32, copy=False)
            )
    return result


def likeness(
    contents: Contents, pairs: np.ndarray, variant: np.ndarray, watched: Watched = UNWATCHED
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation `[P]` of the detail of pairs, and of their grey values, where both have content, after alignment."""
    detail, grey = np.zeros(len(pairs), np.float32), np.zeros(len(pairs), np.float32)
    fine = contents.fine[pairs].all(axis=1)
    done = 0
    for blur, rows in ((BLUR, np.flatnonzero(fine)), (SMALL_BLUR, np.flatnonzero(~fine))):
        parts = [rows[start : start + BLOCK // 8] for start in range(0, len(rows), BLOCK // 8)]
        compare = partial(_compared, contents, blur=blur)
        with ThreadPoolExecutor() as pool:  # NumPy and SciPy work outside the interpreter lock
            found = pool.map(compare, [pairs[part] for part in parts], [variant[part] for part in parts])
            try:
                for part, values in zip(parts, found, strict=True):
                    detail[part], grey[part] = values
                    done += len(part)
                    watched.at(COMPARED, done, len(pairs), "pairs")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return detail, grey


def _compared(contents: Contents, pairs: np.ndarray, variant: np.ndarray, blur: float) -> tuple[np.ndarray, np.ndarray]:
    first, first_mask = contents.thumbnails[pairs[:, 0]].astype(np.float32), contents.masks[pairs[:, 0]]
    second, second_mask = contents.thumbnails[pairs[:, 1]].astype(np.float32), contents.masks[pairs[:, 1]]
    for number in np.unique(variant[variant > 0]):
        rows = variant == number
        second[rows], second_mask[rows] = turned(second[rows], number), turned(second_mask[rows], number)
    detail, grey = correlations(first, second, first_mask & second_mask, blur)
    rows = np.flatnonzero(detail < ALIGNED_BELOW)
    if not len(rows):
        return detail, grey
    halves = [_halved(values[rows]) for values in (first, second)]
    half_masks = [_halved(mask[rows].astype(np.float32)) > 0.99 for mask in (first_mask, second_mask)]
    maps = aligned(halves[0], halves[1], half_masks[0], half_masks[1])
    moved, inside = covering(second[rows], second_mask[rows], maps)
    again = correlations(first[rows], moved, first_mask[rows] & inside, blur)
    better = again[0] > detail[rows]
    detail[rows[better]], grey[rows[better]] = again[0][better], again[1][better]
    return detail, grey


def correlations(first: np.ndarray, second: np.ndarray, mask: np.ndarray, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """Correlation `[P]` of the detail, and of the grey values, of float32 pictures `[P, S, S]` where `mask` says.

    Detail are the gradients of the slightly blurred pictures (a JPEG or a smaller copy loses the finest), without what
    is common to their surroundings (the light falls off towards the rim alike in all), compressed as g / (|g| + mean
    |g| / 4), because else the one strong edge that all have (the skull) decides. 0 where there is too little content.
    """
    weight = _inner(mask)
    share = weight.mean(axis=(1, 2, 3))
    one, other = (_detail(values, weight, blur) for values in (first, second))
    detail = _cosine(one, other)
    total = np.maximum(mask.sum(axis=(1, 2), keepdims=True), 1)
    grey = [gaussian_filter(values, (0, blur, blur)) for values in (first, second)]
    grey = [(values - (values * mask).sum(axis=(1, 2), keepdims=True) / total) * mask for values in grey]
    enough = share >= LEAST_CONTENT
    return np.where(enough, detail, 0.0), np.where(enough, _cosine(grey[0], grey[1]), 0.0)


def _inner(mask: np.ndarray) -> np.ndarray:
    """Weight `[P, 1, S - 1, S - 1]` of the gradients that lie within a mask `[P, S, S]`."""
    return (mask[:, :-1, :-1] & mask[:, :-1, 1:] & mask[:, 1:, :-1])[:, None].astype(np.float32)


def _detail(values: np.ndarray, weight: np.ndarray, blur: float) -> np.ndarray:
    smooth = gaussian_filter(values, (0, blur, blur))
    across = smooth[:, :-1, 1:] - smooth[:, :-1, :-1]
    down = smooth[:, 1:, :-1] - smooth[:, :-1, :-1]
    detail = np.stack([across, down], axis=1) * weight
    wide = values.shape[-1] // SURROUNDINGS
    around = [uniform_filter(part, (0, 0, wide, wide), mode="constant") for part in (detail, weight)]
    detail = (detail - around[0] / np.maximum(around[1], 1e-3)) * weight
    size = np.abs(detail)
    mean = size.sum(axis=(1, 2, 3), keepdims=True) / np.maximum(2 * weight.sum(axis=(1, 2, 3), keepdims=True), 1)
    return detail / np.maximum(size + mean / 4, 1e-6)


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    norm = np.sqrt(np.einsum("nd,nd->n", one, one) * np.einsum("nd,nd->n", other, other))
    return np.einsum("nd,nd->n", one, other) / np.maximum(norm, 1e-6)


def _halved(pictures: np.ndarray) -> np.ndarray:
    count, height, width = pictures.shape
    return pictures.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4))


def _coarse(contents: Contents) -> np.ndarray:
    """Patterns float32 `[N, 16, 16]`: grey values within the content, without brightness, contrast and slow shading."""
    coarse = np.empty((len(contents.thumbnails), COARSE, COARSE), np.float32)
    step = SIZE // COARSE
    for start in range(0, len(coarse), BLOCK):
        weight = contents.masks[start : start + BLOCK].astype(np.float32)
        values = contents.thumbnails[start : start + BLOCK].astype(np.float32)
        small, share = (
            part.reshape(-1, COARSE, step, COARSE, step).mean(axis=(2, 4)) for part in (values * weight, weight)
        )
        around, inside = (gaussian_filter(part, (0, 3, 3)) for part in (small, share))
        pattern = small - share * around / np.maximum(inside, 1e-3)
        spread = np.sqrt((pattern**2).mean(axis=(1, 2), keepdims=True))
        coarse[start : start + BLOCK] = np.clip(pattern / np.maximum(spread, 1e-3), -2, 2)
    return coarse


def _patterns(coarse: np.ndarray) -> np.ndarray:
    """Unit vectors `[N, F * F]` of the lowest frequencies (DCT-II) of coarse pictures."""
    low = _low(coarse).reshape(len(coarse), FREQUENCIES**2)
    return low / np.maximum(np.linalg.norm(low, axis=1, keepdims=True), 1e-6)


def _low(coarse: np.ndarray) -> np.ndarray:
    """The lowest frequencies `[N, F, F]` (DCT-II) without the mean."""
    low: np.ndarray = dctn(coarse, axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES].copy()
    low[:, 0, 0] = 0
    return low
