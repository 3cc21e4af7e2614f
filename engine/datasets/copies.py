"""Copies of one picture: exact by the hash of their pixels, near by what their content shows (`near_copies`)."""

from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from engine.datasets.near_copies import connected, near_pairs, way_turned
from engine.datasets.picture_content import Contents, read_contents
from engine.datasets.watched import UNWATCHED, Watched

BLANK_SPREAD = 10.0
"""Grey levels (of 255) between the 1st and 99th percentile of a thumbnail below which an image is near-blank."""

GIVEN_GROUP = "given_group"
"""Column of the source's own groups, once a remedy has changed them."""

NEAR_COLUMNS = ("near", "near_twin", "near_turned")
"""What `measure` says of each picture in a set of near copies."""


def perceptual_hash(pixels: np.ndarray) -> str:
    """64-bit DCT hash of stored pixels, uint8 `[H, W]` or `[H, W, 3]`, as 16 hex digits (ImageHash's `phash`)."""
    return str(imagehash.phash(Image.fromarray(pixels)))


def measure(manifest: pd.DataFrame, path: Path, watched: Watched = UNWATCHED) -> pd.DataFrame:
    """The manifest with four more columns, measured on the pixels below `path`.

    `spread`: grey levels between the 1st and 99th percentile of the image's thumbnail (near 0: blank).
    `near`: name of the set of near copies that the image belongs to (`near-001`, ...), '' if it is in none.
    `near_twin`: name of the set of those near copies that are one picture beyond doubt (`twin-001`, ...), else ''.
    `near_turned`: how it lies to others of its near set: '', mirrored, rotated, or mirrored and rotated.
    Exact copies are in the set of their like; blank images are in none, and images of one known group never count as
    near copies of each other. Reads every image once.
    """
    manifest = manifest.copy()
    contents = read_contents(manifest["path"], path, watched)
    manifest["spread"] = contents.spread
    sets = _near_sets(manifest, contents, watched)
    for name in NEAR_COLUMNS:
        manifest[name] = [sets[name].get(picture, "") for picture in manifest["sha256"]]
    return manifest


def joined(size: int, *keys: pd.Series) -> np.ndarray:
    """Number `[size]` of the connected set of each row, where rows are connected if they share a non-empty key.

    Used for whatever must stay together: a patient, copies of one picture, or both at once.
    """
    rows, nodes, offset = [], [], size
    for key in keys:
        codes, values = pd.factorize(key)
        used = (key != "").to_numpy()
        rows.append(np.flatnonzero(used))
        nodes.append(codes[used] + offset)
        offset += len(values)
    row, node = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_array((np.ones(len(row), np.int8), (row, node)), shape=(offset, offset))
    labels: np.ndarray = connected_components(graph, directed=False)[1][:size]
    return labels


def _near_sets(manifest: pd.DataFrame, contents: Contents, watched: Watched) -> dict[str, dict[str, str]]:
    """For each of `NEAR_COLUMNS` its value by picture (hash of the pixels), where it has one."""
    # One row stands for all its exact copies, so that a thousand copies are not half a million pairs.
    single = (~manifest["sha256"].duplicated() & (manifest["spread"] >= BLANK_SPREAD)).to_numpy()
    found = near_pairs(contents if single.all() else contents.of(single), watched)
    group = manifest["group"].to_numpy(dtype=object)[single]
    first, second = group[found.pairs[:, 0]], group[found.pairs[:, 1]]
    apart = (first != second) | (first == "")  # neighbouring slices of one known patient are no defect
    pairs, variant, sure = found.pairs[apart], found.variant[apart], found.sure[apart]
    pictures = manifest["sha256"][single].to_numpy()
    turned = {pictures[pair[1]]: way_turned(int(way)) for pair, way in zip(pairs, variant, strict=True) if way}
    return {
        "near": _named(connected(len(pictures), pairs), pictures, "near"),
        "near_twin": _named(connected(len(pictures), pairs[sure]), pictures, "twin"),
        "near_turned": turned,
    }


def _named(sets: np.ndarray, pictures: np.ndarray, word: str) -> dict[str, str]:
    """Name of the set of each picture that is in one with another."""
    names: dict[int, str] = {}
    several = np.bincount(sets, minlength=1)[sets] > 1
    for label in sets[several]:
        names.setdefault(int(label), f"{word}-{len(names) + 1:03d}")
    return {picture: names[int(label)] for picture, label in zip(pictures[several], sets[several], strict=True)}
