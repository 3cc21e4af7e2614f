"""The networks whose features image scores compare, by name: one registry for every score there is.

`pixels` is no network but the image itself, shrunk: it needs no weights, and sees layout and tone rather than content.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.configs.evaluation import Extractor
from engine.features.backbones import Backbone, Preparation, open_backbone
from engine.features.sources import SOURCES, available, resolve_weights
from engine.store.errors import ErsatzError

EXTRACTORS = tuple(name for name in get_args(Extractor) if name != "auto")
PREFERRED = ("dinov2", "inception", "resnet50")
"""What auto takes, the first of those that are here."""
PIXELS_SIZE = 32


def open_extractor(name: str, device: torch.device, weights: str = "") -> Backbone:
    """The extractor `name` with its weights, from the path `weights` or wherever they are found.

    Its `features` turn images uint8 [N, H, W, C] into float32 [N, D], whatever the batch. Raises `ErsatzError` in one
    sentence when the weights are absent, damaged or those of another network.
    """
    name = choose_extractor(name, weights)
    if name == "pixels":
        return Backbone("pixels", nn.Flatten(), 3 * PIXELS_SIZE**2, PIXELS, "", "", device, torch.float32, "no network")
    instead = "choose the extractor pixels, which needs none"
    return open_backbone(name, resolve_weights(name, weights, instead), device)


def choose_extractor(name: str, weights: str = "") -> str:
    """`name`, or what `auto` stands for on this machine: nothing is downloaded for it."""
    if name != "auto":
        return name
    if weights:
        raise ErsatzError(
            f"The weights {weights} are given, and the extractor is auto; the name of their network is expected. "
            f"Choose one of {', '.join(EXTRACTORS[:-1])}."
        )
    return next((name for name in PREFERRED if _is_here(name)), "pixels")


def _is_here(name: str) -> bool:
    given = Path(os.environ.get("ERSATZ_WEIGHTS") or ".")
    if given.is_file():  # it would be taken for every network's, and belongs to one
        return given.name in SOURCES[name].files
    return available(name)


def _shrink(images: Tensor) -> Tensor:
    size = (PIXELS_SIZE, PIXELS_SIZE)
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


PIXELS = Preparation(
    f"resize {PIXELS_SIZE} bilinear antialias, (x - 128) / 128", _shrink, lambda images: (images - 128) / 128
)
