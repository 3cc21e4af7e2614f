"""The networks whose features image scores compare, by name: one registry for every score there is."""

from __future__ import annotations

import torch

from engine.features.backbones import Backbone, open_backbone
from engine.features.weights import resolve_weights

EXTRACTORS = {
    "inception": "choose the extractor resnet50",
    "resnet50": "choose the extractor inception",
}
"""Each with what to do when its weights are absent. inception is the network that published FID and KID mean."""


def open_extractor(name: str, device: torch.device, weights: str = "") -> Backbone:
    """The extractor `name` with its weights, from the path `weights` or wherever they are found.

    Its `features` turn images uint8 [N, H, W, C] into float32 [N, D], whatever the batch. Raises `ErsatzError` in one
    sentence when the weights are absent, damaged or those of another network.
    """
    instead = f"{EXTRACTORS[name]}, or leave the scores out"
    return open_backbone(name, resolve_weights(name, weights, instead), device)
