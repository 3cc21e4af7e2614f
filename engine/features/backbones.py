"""Frozen pretrained backbones: images in, one feature vector per image out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from engine.features import inception
from engine.features.classical import apply_maps, seeded_maps
from engine.features.weights import load_weights
from engine.gans.devices import choose_precision
from engine.store.errors import ErsatzError

# Every pass has this many images, the last one padded: the arithmetic of an image never depends on its company.
BATCH = 32
INPUT_SIZE = 224
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preparation:
    """What a network wants to be shown: images [N, C, H, W] in 0 to 255 are resized, then normalised."""

    words: str
    resize: Callable[[Tensor], Tensor]
    normalise: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Backbone:
    """A frozen network with its weights and everything that its features depend on."""

    name: str
    module: nn.Module
    dim: int
    preparation: Preparation
    weights_file: str
    weights_sha256: str
    device: torch.device
    precision: torch.dtype

    @property
    def preprocessing(self) -> str:
        """One line that names how images become features; part of the cache's key."""
        precision = str(self.precision).removeprefix("torch.")
        return f"{self.preparation.words}, average pool, {precision} {self.device.type}"

    @torch.inference_mode()
    def features(self, images: np.ndarray, view_seeds: list[int] | None = None) -> np.ndarray:
        """Features `[N, dim]` float32 of images uint8 `[N, H, W, C]`, C = 1 or 3, each seen through its random view
        when `view_seeds` are given."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            n = len(part)
            x = torch.from_numpy(np.ascontiguousarray(part)).to(self.device).permute(0, 3, 1, 2).float()
            x = self.preparation.resize(x)
            if view_seeds is not None:
                x = apply_maps(x, seeded_maps(view_seeds[start : start + BATCH]))
            x = self.preparation.normalise(x.expand(n, 3, -1, -1))
            x = torch.cat((x, x.new_zeros(BATCH - n, *x.shape[1:])))
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                y = self.module(x.contiguous(memory_format=torch.channels_last))
            out[start : start + n] = y[:n].float().cpu().numpy()  # waits for the device
        if not np.isfinite(out).all():
            raise ErsatzError(
                f"The backbone {self.name} gave features that are not finite numbers with {self.weights_file}; "
                "working pretrained weights are expected. Fetch that file again, or choose another network."
            )
        return out


def open_backbone(name: str, weights: Path, device: torch.device) -> Backbone:
    """Load a frozen backbone; an `ErsatzError` when the weights file is damaged or belongs to another network."""
    module, dim, preparation, digest = _BUILDERS[name](weights)
    module.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = choose_precision("auto", device)
    if preparation is FID and device.type == "cuda":
        precision = torch.float32  # as published figures have it; a GPU is fast enough
    return Backbone(name, module, dim, preparation, weights.name, digest, device, precision)


Built = tuple[nn.Module, int, Preparation, str]


def _resnet50(weights: Path) -> Built:
    state, digest = load_weights(weights)
    with torch.device("meta"):
        module = torchvision.models.resnet50()
    module.fc = nn.Identity()
    state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    try:
        module.to_empty(device="cpu").load_state_dict(state)
    except RuntimeError as error:
        raise ErsatzError(
            f"{weights} does not hold the weights of resnet50: other layers were found than torchvision's resnet50 "
            "has. Name the right file, or choose the classifier small-cnn, which needs none."
        ) from error
    return module, 2048, IMAGENET, digest


def _inception(weights: Path) -> Built:
    module, digest = inception.inception_network(weights)
    return module, inception.DIM, FID, digest


def _imagenet_resize(images: Tensor) -> Tensor:
    return F.interpolate(images / 255, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True).clamp(0, 1)


def _imagenet_normalise(images: Tensor) -> Tensor:
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (images - mean) / std


IMAGENET = Preparation(
    f"resize {INPUT_SIZE} bilinear antialias, ImageNet mean and std", _imagenet_resize, _imagenet_normalise
)
FID = Preparation(
    f"resize {inception.INPUT_SIZE} bilinear as TensorFlow 1, (x - 128) / 128",
    inception.resize_as_published,
    lambda images: (images - 128) / 128,
)
_BUILDERS: dict[str, Callable[[Path], Built]] = {"inception": _inception, "resnet50": _resnet50}
