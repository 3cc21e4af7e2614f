"""Copies of one picture: exact by the hash of their pixels, near by a perceptual hash and then by their pixels.

A perceptual hash alone is not enough here: medical images of one kind share their layout (a dark frame, a centred
organ), so that distinct patients collide. Hash neighbours are therefore only candidates, and a candidate pair is a
near copy when its low-resolution pixels agree after brightness and contrast are taken out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THUMBNAIL = 32
"""Width and height of the thumbnails on which near copies are confirmed."""

HASH_BITS = 10
"""Largest Hamming distance (of 64 bits) between the perceptual hashes of a candidate pair."""

SAME_PICTURE = 0.93
"""Smallest correlation of the detail of two thumbnails that makes a candidate pair a near copy.

Chosen on real images: recompressed, brightened or moderately resized copies of 64-pixel images reach 0.94 to 1.00;
among 5,856 chest films and 2,359 skin photographs no pair but copies does, and of 200 head CTs only neighbouring
slices of one scan do, which belong together.
"""

BLANK_SPREAD = 10.0
"""Grey levels (of 255) between the 1st and 99th percentile of a thumbnail below which an image is near-blank."""


def perceptual_hash(pixels: np.ndarray) -> str:
    """64-bit DCT hash of stored pixels, uint8 `[H, W]` or `[H, W, 3]`, as 16 hex digits (ImageHash's `phash`)."""
    return str(imagehash.phash(Image.fromarray(pixels)))


def measure(manifest: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The manifest with two more columns, measured on the pixels below `path`.

    `spread`: grey levels between the 1st and 99th percentile of the image's thumbnail (near 0: blank).
    `near`: name of the set of near copies that the image belongs to (`near-001`, ...), '' if it is in none.
    Exact copies are in the set of their like; blank images are in none, and images of one known group never count as
    near copies of each other. Reads every image once.
    """
    manifest = manifest.copy()
    thumbnails = read_thumbnails(manifest["path"], path)
    low, high = np.percentile(thumbnails.reshape(len(manifest), -1), (1, 99), axis=1) if len(manifest) else ([], [])
    manifest["spread"] = np.asarray(high, dtype=float) - np.asarray(low, dtype=float)
    manifest["near"] = _near_sets(manifest, thumbnails)
    return manifest


def read_thumbnails(paths: pd.Series, path: Path) -> np.ndarray:
    """Grey thumbnails uint8 `[N, 32, 32]` of the stored images `path / row`, in order."""

    def read(name: str) -> np.ndarray:
        with Image.open(path / name) as image:
            return np.asarray(image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))

    with ThreadPoolExecutor() as pool:  # Pillow decodes outside the interpreter lock
        thumbnails = list(pool.map(read, paths))
    return np.stack(thumbnails) if thumbnails else np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8)


def near_pairs(hashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Index pairs `[M, 2]` (first < second) of near copies among N images.

    `hashes`: perceptual hashes as uint64 `[N]`; `thumbnails`: uint8 `[N, 32, 32]`.
    """
    details = _details(thumbnails)
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(hashes), 256):  # 256 x N distances at a time: 20 MB at N = 10,000
        block = hashes[start : start + 256]
        distances = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        first, second = np.nonzero(distances <= HASH_BITS)
        first, second = first[first < second] + start, second[first < second] + start
        for part in range(0, len(first), 65536):
            a, b = first[part : part + 65536], second[part : part + 65536]
            same = np.einsum("nd,nd->n", details[a], details[b]) >= SAME_PICTURE
            pairs.append(np.stack([a[same], b[same]], axis=1))
    return np.concatenate(pairs)


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


def _details(thumbnails: np.ndarray) -> np.ndarray:
    """Unit vectors float32 `[N, D]` of the compressed gradients of the slightly blurred thumbnails.

    Gradients, because the grey values of two centred organs on black correlate above 0.95 for any two patients;
    compressed as g / (|g| + mean |g| / 4), because else the one strong edge that all have (the skull) decides;
    blurred, because a JPEG or a smaller copy loses the finest detail.
    """
    values = gaussian_filter(thumbnails.astype(np.float32), (0, 0.7, 0.7))
    across = values[:, :-1, 1:] - values[:, :-1, :-1]
    down = values[:, 1:, :-1] - values[:, :-1, :-1]
    details = np.stack([across, down], axis=1).reshape(len(values), 2 * (THUMBNAIL - 1) ** 2)
    size = np.abs(details)
    details /= np.maximum(size + size.mean(axis=1, keepdims=True) / 4, 1e-6)
    return details / np.maximum(np.linalg.norm(details, axis=1, keepdims=True), 1e-6)


def _near_sets(manifest: pd.DataFrame, thumbnails: np.ndarray) -> np.ndarray:
    """Name `[N]` of each row's set of near copies, '' outside any."""
    # One row stands for all its exact copies, so that a thousand copies are not half a million pairs.
    single = (~manifest["sha256"].duplicated() & (manifest["spread"] >= BLANK_SPREAD)).to_numpy()
    hashes = np.array([int(text, 16) for text in manifest["phash"][single]], dtype=np.uint64)
    pairs = near_pairs(hashes, thumbnails[single])
    group = manifest["group"].to_numpy(dtype=object)[single]
    first, second = group[pairs[:, 0]], group[pairs[:, 1]]
    pairs = pairs[(first != second) | (first == "")]  # neighbouring slices of one known patient are no defect
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(hashes), len(hashes)))
    _, labels = connected_components(graph, directed=False)
    names: dict[int, str] = {}
    for label in labels[np.bincount(labels, minlength=1)[labels] > 1]:
        names.setdefault(int(label), f"near-{len(names) + 1:03d}")
    by_picture = {
        picture: names.get(int(label), "") for picture, label in zip(manifest["sha256"][single], labels, strict=True)
    }
    return manifest["sha256"].map(by_picture).fillna("").to_numpy(dtype=object)
