"""NIfTI volumes as pictures of their slices, as radiologists look at them.

The voxels are brought to the nearest canonical orientation by the file's own affine (x from the patient's left to
right, y from back to front, z from foot to head; an oblique volume is turned, never resampled) and cut along one axis:

* axial: the patient's right is on the left of the picture and the front at its top; the first slice is the lowest;
* coronal: the patient's right is on the left and the head at the top; the first slice is the one furthest back;
* sagittal: the front is on the left and the head at the top; the first slice is the one furthest to the left.

Values are in the file's units: stored value times `scl_slope` plus `scl_inter`. Slices whose voxels are not square
are resampled linearly to the shorter side of a voxel, so that what is round stays round. A file of one slice is that
slice, whatever the axis. Of a series of volumes (4-D) the first is used, which is said.
Sources: NIfTI-1.1 and NIfTI-2 (nifti.nimh.nih.gov); the header's fields, affine and orientation by nibabel.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
from nibabel.nifti2 import Nifti2PairHeader
from nibabel.orientations import apply_orientation, io_orientation
from PIL import Image

from engine.datasets.preprocess import black_and_white, plain_array
from engine.datasets.reading.items import BadPicture, Decoded, Facts, checked_pixels
from engine.datasets.reading.recent import recent
from engine.datasets.reading.tree import Tree

Axis = Literal["axial", "coronal", "sagittal"]

ENDINGS = (".nii", ".nii.gz", ".img", ".img.gz")
"""`.img` only where its header lies beside it as `.hdr`."""
MAX_BYTES = 2 * 2**30
"""Largest volume accepted, unpacked; what a header claims is held against it before anything is decompressed."""
SQUARE = 0.01
"""Sides of a voxel that differ by this share at most count as equal."""

_ACROSS = {"sagittal": 0, "coronal": 1, "axial": 2}
_HEADERS = {348: (Nifti1PairHeader, 344, (b"n+1\0", b"ni1\0")), 540: (Nifti2PairHeader, 4, (b"n+2\0", b"ni2\0"))}


def is_nifti(tree: Tree, name: str) -> bool:
    """By its ending, and of a pair by the header beside it."""
    lower = name.lower()
    return lower.endswith(ENDINGS) and (not lower.endswith((".img", ".img.gz")) or bool(_header_name(tree, name)))


def facts(tree: Tree, name: str, max_pixels: int, window: tuple[float, float] | None, axis: Axis) -> Facts:
    """From the header alone; `frames` are the slices along `axis`."""
    header = _read_header(tree, name)
    across = _across(header.shape, axis)
    width, height = _square_size(header, across)
    checked_pixels(width, height, max_pixels)
    mode = {3: "RGB", 4: "RGBA"}.get(len(header.dtype.names or ()), header.dtype.name)
    return Facts(
        width=width,
        height=height,
        mode=mode,
        bits=8 if header.dtype.names else 8 * header.dtype.itemsize,
        deep=_is_deep(header) and window is None,
        frames=header.shape[across],
        remarks=header.remarks,
    )


def decode(
    tree: Tree, name: str, max_pixels: int, window: tuple[float, float] | None, axis: Axis, frame: int
) -> Decoded:
    """One slice. The volume is kept for the next ones (`recent`)."""

    def load() -> _Volume:
        return _read_volume(tree, name)

    volume = recent(tree).get(("volume", name), load, lambda volume: volume.voxels.nbytes)
    header = volume.header
    across = _across(header.shape, axis)
    checked_pixels(*_square_size(header, across), max_pixels)
    if frame >= header.shape[across]:
        raise BadPicture(f"has {header.shape[across]} {axis} slices; there is no slice {frame + 1}")
    voxels = _as_seen(volume.voxels, across, frame)
    if voxels.dtype.names:
        pixels = plain_array(np.stack([voxels[channel] for channel in voxels.dtype.names], axis=2))
    elif _is_deep(header):
        pixels = _in_units(voxels, header.slope, header.inter)
    else:
        pixels = np.ascontiguousarray(voxels)
    levels = None
    if window is not None and _is_deep(header):  # the linear function of DICOM, so that a CT looks the same either way
        levels = black_and_white(window, exact=False)
    return Decoded(_resampled(pixels, *_square_size(header, across)), levels)


@dataclass(frozen=True)
class _Header:
    """What is needed of a header; `shape` and `zooms` (sides of a voxel) along the canonical axes x, y, z."""

    shape: tuple[int, int, int]
    zooms: tuple[float, float, float]
    stored_shape: tuple[int, int, int]
    orientation: np.ndarray
    """nibabel's: for each stored axis the canonical one and its direction, `[3, 2]`."""
    dtype: np.dtype
    offset: int
    slope: float
    inter: float
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Volume:
    header: _Header
    voxels: np.ndarray
    """As stored, `[X, Y, Z]` along the canonical axes."""


def _is_deep(header: _Header) -> bool:
    """Grey that 8 bits as they are do not hold."""
    return not header.dtype.names and (header.dtype != np.uint8 or (header.slope, header.inter) != (1.0, 0.0))


def _across(shape: tuple[int, int, int], axis: Axis) -> int:
    """The canonical axis along which slices are counted; that of the only slice, if there is but one."""
    if shape[_ACROSS[axis]] > 1 and shape.count(1) == 1:
        return shape.index(1)
    return _ACROSS[axis]


def _as_seen(voxels: np.ndarray, across: int, frame: int) -> np.ndarray:
    """The slice `[H, W]` as a radiologist sees it."""
    if across == 2:
        return voxels[::-1, ::-1, frame].T
    if across == 1:
        return voxels[::-1, frame, ::-1].T
    return voxels[frame, ::-1, ::-1].T


def _square_size(header: _Header, across: int) -> tuple[int, int]:
    """Width and height in pixels as wide as they are high."""
    right, down = (axis for axis in range(3) if axis != across)
    width, height = header.shape[right], header.shape[down]
    ratio = header.zooms[down] / header.zooms[right]
    if abs(ratio - 1) <= SQUARE:
        return width, height
    return (width, max(1, round(height * ratio))) if ratio > 1 else (max(1, round(width / ratio)), height)


def _resampled(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """`[H, W]` or `[H, W, 3]` at another size; what is mostly not-a-number stays so, and leaks into nothing else."""
    if pixels.shape[:2] == (height, width):
        return pixels

    def at_size(values: np.ndarray) -> np.ndarray:
        return np.asarray(
            Image.fromarray(np.ascontiguousarray(values)).resize((width, height), Image.Resampling.BILINEAR)
        )

    if pixels.dtype == np.uint8 or np.isfinite(pixels).all():
        return at_size(pixels)
    valid = np.isfinite(pixels)
    weight = at_size(valid.astype(np.float32))
    values = at_size(np.where(valid, pixels, 0).astype(np.float32))
    return np.where(weight >= 0.5, values / np.maximum(weight, 0.5), np.nan).astype(np.float32)


def _in_units(voxels: np.ndarray, slope: float, inter: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 becomes infinite, which is clipped
        return (voxels.astype(np.float64) * slope + inter).astype(np.float32)


def _read_volume(tree: Tree, name: str) -> _Volume:
    header = _read_header(tree, name)
    wanted = int(np.prod(header.stored_shape)) * header.dtype.itemsize
    content = np.empty(wanted, np.uint8)
    try:
        with _unpacked(tree, name) as stream:
            stream.seek(header.offset)
            got = 0
            while got < wanted and (more := stream.readinto(content.data[got:])):
                got += more
            stream.read(1)  # at the end of a .gz, this checks its sum
    except (EOFError, OSError, zlib.error) as error:
        raise BadPicture(f"is truncated or damaged ({error})") from error
    if got < wanted:
        raise BadPicture(f"is truncated (holds {got} of the {wanted} bytes of voxels that its header names)")
    voxels = content.view(header.dtype).reshape(header.stored_shape, order="F")
    return _Volume(header, apply_orientation(voxels, header.orientation))


def _read_header(tree: Tree, name: str) -> _Header:
    try:
        with _unpacked(tree, _header_name(tree, name) or name) as stream:
            block = stream.read(540)
    except (EOFError, OSError, zlib.error) as error:
        raise BadPicture(f"is truncated or damaged ({error})") from error
    if not block:
        raise BadPicture("is empty (0 bytes)")
    sizes = [int.from_bytes(block[:4], order) for order in ("little", "big")]
    size = next((size for size in sizes if size in _HEADERS), 0)
    if not size or len(block) < size:
        raise BadPicture("is not a NIfTI volume, or damaged in its first bytes")
    kind, at, magics = _HEADERS[size]
    if block[at : at + 4] not in magics:
        raise BadPicture(
            "is an Analyze 7.5 volume, which does not say where left and right are; NIfTI is expected, so convert it"
        )
    try:
        return _understood(kind(block[:size], check=False), is_pair=bool(_header_name(tree, name)))
    except BadPicture:
        raise
    except Exception as error:  # nibabel raises nearly anything on damaged headers
        raise BadPicture(f"is damaged in its header ({str(error) or type(error).__name__})") from error


def _understood(raw: Nifti1Header, is_pair: bool) -> _Header:
    full = tuple(int(length) for length in raw.get_data_shape())
    dtype, offset = raw.get_data_dtype(), int(raw["vox_offset"])
    if len(full) < 2 or min(full) < 1 or any(length > 1 for length in full[4:]):
        raise BadPicture(f"has the shape {list(full)}; a volume [X, Y, Z], or several of one shape, are expected")
    shape = (*full, 1)[:3]
    if sorted(shape)[1] == 1:
        raise BadPicture(f"has the shape {list(full)}, which is a line of voxels; a picture or a volume is expected")
    if dtype.kind not in "iufV" or (dtype.kind == "V" and not dtype.names):
        raise BadPicture(f"has voxels of type {dtype.name}; whole or real numbers or RGB are expected")
    bytes_ = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if bytes_ > MAX_BYTES or not 0 <= offset <= MAX_BYTES:
        raise BadPicture(
            f"has the shape {list(full)} of {dtype.name}, {(bytes_ + max(offset, 0)) / 2**30:.1f} GiB unpacked, more "
            f"than the {MAX_BYTES // 2**30} GiB that are read (a decompression bomb? crop the volume if you trust it)"
        )
    remarks = []
    if len(full) > 3 and full[3] > 1:
        remarks.append("are of files with several volumes (4-D), of which the first is used")
    if not int(raw["sform_code"]) and not int(raw["qform_code"]):
        remarks.append("are of volumes that do not say how they lie (no sform and qform), so sides may be swapped")
    orientation = io_orientation(raw.get_best_affine())
    if not np.isfinite(orientation).all():
        raise BadPicture(
            "has an orientation (sform or qform) that lays two axes on each other; a sound one is expected"
        )
    slope, inter = raw.get_slope_inter()
    sides = [float(side) for side in (*raw.get_zooms(), 1.0, 1.0)[:3]]
    zooms = [side if np.isfinite(side) and side > 0 else 0.0 for side in sides]
    if not all(zooms):
        zooms = [1.0] * 3
    stored_axis = np.argsort(orientation[:, 0])  # the stored axis of each canonical one
    return _Header(
        shape=tuple(shape[axis] for axis in stored_axis),
        zooms=tuple(zooms[axis] for axis in stored_axis),
        stored_shape=shape,  # type: ignore[arg-type]
        orientation=orientation,
        dtype=dtype,
        offset=offset if is_pair or offset else raw.sizeof_hdr + 4,
        slope=1.0 if slope is None else slope,
        inter=0.0 if inter is None else inter,
        remarks=tuple(remarks),
    )


def _header_name(tree: Tree, name: str) -> str:
    """The `.hdr` beside an `.img`; '' if there is none, or if the file holds its header itself."""
    path = PurePosixPath(name)
    bare = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    if bare.suffix.lower() != ".img":
        return ""
    names = recent(tree).get("names", lambda: frozenset(tree.names))
    candidates = [bare.with_suffix(ending).as_posix() for ending in (".hdr", ".HDR", ".hdr.gz")]
    return next((candidate for candidate in candidates if candidate in names), "")


@contextmanager
def _unpacked(tree: Tree, name: str) -> Iterator[io.BufferedIOBase]:
    """The content of a file, decompressed on the way if it is a gzip by its first bytes, whatever its name says."""
    with tree.open(name) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        else:
            yield file  # type: ignore[misc]
