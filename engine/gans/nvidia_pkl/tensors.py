"""Tensors and numbers of the restricted reader, as NumPy arrays: every size is checked before anything is made.

A storage is the payload of torch's old serialisation; a tensor is a strided view of one. Arrays are read-only views
of the bytes of the file, so that nothing here can take more memory than the file has.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from engine.gans.nvidia_pkl.pickle_vm import Buildable
from engine.gans.nvidia_pkl.refusal import Refusal, shown

STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
"""Storage classes of the module `torch`, and how their elements lie in the file."""

NUMBER_TYPES = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"}
MAX_DIMENSIONS = 8
LARGEST_COUNT = 2**48


@dataclass(frozen=True, eq=False)
class StorageType:
    """The global `torch.FloatStorage` or one of its siblings; only ever looked at."""

    dtype: str


@dataclass(frozen=True, eq=False)
class Storage:
    """The elements of one torch storage, a flat array."""

    elements: np.ndarray


@dataclass(eq=False)
class NumberType(Buildable):
    """A `numpy.dtype` of plain numbers while it is put together; never a real one before it is known to be harmless."""

    code: str
    order: str = ""

    def complete(self, state: Any) -> None:
        """The state that the pickle's BUILD sets: the byte order, and the absence of fields."""
        match state:
            case (3, ("<" | "|") as order, None, None, None, -1, -1, 0):
                self.order = order
            case (_, ">", *_):
                raise Refusal("holds numbers of the wrong byte order (big-endian)")
            case _:
                raise Refusal("describes the type of a number in an unknown way")


def number_type(arguments: Any) -> NumberType:
    """`numpy.dtype(code, align, copy)`."""
    match arguments:
        case (str() as code, bool() | 0 | 1, bool() | 0 | 1) if code in NUMBER_TYPES:
            return NumberType(code)
        case (code, *_):
            raise Refusal(f"holds a NumPy value of the type {shown(code)}, and only plain numbers are allowed")
        case _:
            raise Refusal("describes the type of a number in an unknown way")


def number(arguments: Any) -> int | float | bool:
    """`numpy.core.multiarray.scalar(dtype, bytes)` as a number of Python."""
    match arguments:
        case (NumberType(code=code, order=order), bytes() as content) if order:
            dtype = np.dtype(order + code)
            if len(content) == dtype.itemsize:
                return np.frombuffer(content, dtype)[0].item()
    raise Refusal("holds a NumPy value that is no plain number")


def storage(kind: StorageType, payload: bytes, start: int, numel: int) -> Storage:
    """The elements that fill `payload` from byte `start` to its end."""
    dtype = np.dtype(kind.dtype)
    if numel < 0 or len(payload) - start != numel * dtype.itemsize:
        raise Refusal(f"says that a tensor has {shown(numel)} elements, and its bytes are {len(payload) - start}")
    return Storage(np.frombuffer(payload, dtype, numel, start))


def tensor(of: Storage, offset: Any, size: tuple[Any, ...], stride: tuple[Any, ...]) -> np.ndarray:
    """The strided view that `torch._utils._rebuild_tensor` would give; refused where it leaves the storage."""
    if len(size) != len(stride) or len(size) > MAX_DIMENSIONS:
        raise Refusal(f"has a tensor with {len(size)} sizes and {len(stride)} strides")
    if not all(type(count) is int and 0 <= count < LARGEST_COUNT for count in (offset, *size, *stride)):
        raise Refusal("gives the shape of a tensor in something other than counts")
    elements = of.elements
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    # A tensor with more elements than its storage repeats them: no network does, and it could fill any memory.
    if not 0 < prod(size) <= len(elements) or last >= len(elements):
        raise Refusal(f"has a tensor that does not fit its {len(elements)} stored numbers")
    strides = [step * elements.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(elements[offset:], size, strides, writeable=False)
