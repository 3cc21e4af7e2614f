"""Frozen pretrained backbones: images in, one feature vector per image out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

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
class Backbone:
    """A frozen network with its weights and everything that its features depend on."""

    name: str
    module: nn.Module
    dim: int
    weights_file: str
    weights_sha256: str
    device: torch.device
    precision: torch.dtype

    @property
    def preprocessing(self) -> str:
        """One line that names how images become features; part of the cache's key."""
        return (
            f"resize {INPUT_SIZE} bilinear antialias, ImageNet mean and std, average pool, "
            f"{str(self.precision).removeprefix('torch.')} {self.device.type}"
        )

    @torch.inference_mode()
    def features(self, images: np.ndarray, view_seeds: list[int] | None = None) -> np.ndarray:
        """Features `[N, dim]` float32 of images uint8 `[N, H, W, C]`, C = 1 or 3, each seen through its random view
        when `view_seeds` are given."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            n = len(part)
            x = torch.from_numpy(np.ascontiguousarray(part)).to(self.device).permute(0, 3, 1, 2).float() / 255
            x = F.interpolate(x, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True).clamp(0, 1)
            if view_seeds is not None:
                x = apply_maps(x, seeded_maps(view_seeds[start : start + BATCH]))
            x = x.expand(n, 3, -1, -1)
            x = (x - x.new_tensor(IMAGENET_MEAN).view(3, 1, 1)) / x.new_tensor(IMAGENET_STD).view(3, 1, 1)
            x = torch.cat((x, x.new_zeros(BATCH - n, *x.shape[1:])))
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                y = self.module(x.contiguous(memory_format=torch.channels_last))
            out[start : start + n] = y[:n].float().cpu().numpy()  # waits for the device
        if not np.isfinite(out).all():
            raise ErsatzError(
                f"The backbone {self.name} gave features that are not finite numbers with {self.weights_file}; "
                "working ImageNet weights are expected. Fetch that file again, or choose small-cnn."
            )
        return out


def open_backbone(name: str, weights: Path, device: torch.device) -> Backbone:
    """Load a frozen backbone; an `ErsatzError` when the weights file is damaged or belongs to another network."""
    state, digest = load_weights(weights)
    module, dim = _BUILDERS[name]()
    state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ErsatzError(
            f"{weights} does not hold the weights of {name}: other layers were found than torchvision's {name} has. "
            "Name the right file, or choose the classifier small-cnn, which needs none."
        ) from error
    module.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Backbone(name, module, dim, weights.name, digest, device, choose_precision("auto", device))


def _resnet50() -> tuple[nn.Module, int]:
    with torch.device("meta"):
        module = torchvision.models.resnet50()
    module = module.to_empty(device="cpu")
    module.fc = nn.Identity()
    return module, 2048


_BUILDERS = {"resnet50": _resnet50}
