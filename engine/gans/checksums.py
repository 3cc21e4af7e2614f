"""Checksums of a snapshot: a bit that the disk changed must not go on training.

The metadata of a snapshot has under `crc32` one CRC-32 for each tensor and one, under the empty name, for the rest of
the metadata. A CRC finds accidents; whoever wants to change a file can change its sum too. Snapshots of earlier
versions have none and are not checked.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

KEY = "crc32"


def summed(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The metadata with the sums of itself and of contiguous tensors on the CPU."""
    bare = {name: value for name, value in metadata.items() if name != KEY}
    return {**bare, KEY: {"": _of_values(bare), **{name: _of_tensor(tensor) for name, tensor in tensors.items()}}}


def differing(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """What is not as it was when the sums were made: the name of a tensor, or "the metadata"; empty when all is."""
    sums = metadata.get(KEY)
    if sums is None:
        return ""
    if sums.get("") != _of_values({name: value for name, value in metadata.items() if name != KEY}):
        return "the metadata"
    return next((name for name, tensor in tensors.items() if sums.get(name) != _of_tensor(tensor)), "")


def _of_values(values: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def _of_tensor(tensor: Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
