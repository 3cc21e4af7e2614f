"""Colour augmentation: brightness, contrast, luma flip, hue and saturation as one affine map of each pixel's colour.

All of them act on the grey axis v = (1, 1, 1) / sqrt 3 and on the plane across it: contrast scales both, luma flip
negates v, saturation scales the plane, hue turns it. So their product, in any order, is a weighted sum of three fixed
matrices: v v^T, I - v v^T and the cross product with v (Rodrigues).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.gans.augment.draws import Draws
from engine.gans.augment.presets import Strengths


def recoloured(images: Tensor, draws: Draws, operations: frozenset[str], strengths: Strengths) -> Tensor:
    """Images [N, C, H, W], C 1 or 3, with colours changed by the enabled operations; each sample in its own way."""
    one, nothing = torch.ones_like(draws.row), torch.zeros_like(draws.row)
    brightness, along, across, hue = nothing, one, one, nothing
    if "brightness" in operations:
        brightness = draws.gated(draws.normal(), 0.0) * strengths.brightness
    if "contrast" in operations:
        along = across = torch.exp2(draws.gated(draws.normal(), 0.0) * strengths.contrast)
    if "lumaflip" in operations:
        along = along * draws.gated(1 - 2 * torch.floor(2 * draws.uniform()), 1.0)
    # Grey has no colour to turn or strengthen.
    if "hue" in operations and images.shape[1] == 3:
        hue = draws.gated((2 * draws.uniform() - 1) * math.pi, 0.0)
    if "saturation" in operations and images.shape[1] == 3:
        across = across * torch.exp2(draws.gated(draws.normal(), 0.0) * strengths.saturation)
    # Brightness came first, so all that happens to the grey axis happens to it too.
    if images.shape[1] == 1:
        return torch.addcmul((along * brightness)[:, None, None, None], images, along[:, None, None, None])
    matrix = _colour_matrix(along, across * torch.cos(hue), across * torch.sin(hue))
    term = (along * brightness)[:, None, None].expand(-1, 3, 1)
    return torch.baddbmm(term, matrix, images.flatten(2)).view_as(images)


def _colour_matrix(along: Tensor, across: Tensor, turned: Tensor) -> Tensor:
    """along * v v^T + across * (I - v v^T) + turned * [v]_x, a circulant matrix: [N, 3, 3] from weights [N]."""
    third = (along - across) / 3
    turned = turned / math.sqrt(3)
    same, left, right = third + across, third - turned, third + turned
    return torch.stack([same, left, right, right, same, left, left, right, same], 1).unflatten(1, (3, 3))
