"""Frozen pretrained backbones: images in, one feature vector per image out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.configs.evaluation import TIMM
from engine.devices import choose_precision, exact_arithmetic
from engine.features import dinov2, inception
from engine.features.classical import apply_maps, seeded_maps
from engine.features.sources import import_timm, timm_config
from engine.features.weights import load_weights
from engine.store.errors import ErsatzError

# Every pass has this many images, the last one padded: the arithmetic of an image never depends on its company.
BATCH = 32
INPUT_SIZE = 224
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preparation:
    """The preprocessing of a network: images [N, C, H, W] in 0 to 255 are resized, then normalised."""

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
    pooling: str = "average pool"
    """How the network makes one vector of an image."""

    @property
    def preprocessing(self) -> str:
        """One line that names how images become features; part of the cache's key."""
        precision = str(self.precision).removeprefix("torch.")
        return f"{self.preparation.words}, {self.pooling}, {precision} {self.device.type}"

    @torch.inference_mode()
    @exact_arithmetic()
    def features(self, images: np.ndarray, view_seeds: list[int] | None = None, policy: str = "head-ct") -> np.ndarray:
        """Features `[N, dim]` float32 of images uint8 `[N, H, W, C]`, C = 1 or 3, each seen through its random view
        of a `policy` of classical augmentation when `view_seeds` are given.

        What is float32 is so to the last bit on a GPU too, resizing and warping included.
        """
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            n = len(part)
            x = torch.from_numpy(np.ascontiguousarray(part)).to(self.device).permute(0, 3, 1, 2).float()
            x = self.preparation.resize(x)
            if view_seeds is not None:
                x = apply_maps(x, seeded_maps(view_seeds[start : start + BATCH], policy))
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
    """Load a frozen backbone, one of `configs.evaluation.BACKBONES` or `timm:NAME`.

    An `ErsatzError` when the weights file is damaged or belongs to another network.
    """
    if name == "inception":
        module, digest = inception.inception_network(weights)
        dim, preparation = inception.DIM, FID
    elif name == "dinov2":
        module, digest = dinov2.dinov2_network(weights)
        dim, preparation = dinov2.DIM, imagenet(dinov2.INPUT_SIZE, "bicubic")
    elif name.startswith(TIMM):
        module, dim, preparation, digest = _from_timm(name, weights)
    else:
        module, digest = _from_torchvision(name, weights)
        dim, preparation = TORCHVISION[name].dim, imagenet(TORCHVISION[name].size, TORCHVISION[name].mode)
    module.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = choose_precision("auto", device)
    if preparation is FID and device.type == "cuda":
        precision = torch.float32  # as published figures have it; a GPU is fast enough
    pooling = "timm's pooling" if name.startswith(TIMM) else POOLING.get(name, "average pool")
    return Backbone(name, module, dim, preparation, weights.name, digest, device, precision, pooling)


@dataclass(frozen=True)
class Torchvision:
    """One of torchvision's networks: what is cut off it, and how its weights were trained to see images."""

    classifier: str
    """The last layer, after whose removal the network returns pooled features."""
    dim: int
    size: int = INPUT_SIZE
    mode: str = "bilinear"


TORCHVISION = {
    "resnet18": Torchvision("fc", 512),
    "resnet50": Torchvision("fc", 2048),
    "efficientnet_b0": Torchvision("classifier", 1280, mode="bicubic"),
    "efficientnet_b2": Torchvision("classifier", 1408, 288, "bicubic"),
    "densenet121": Torchvision("classifier", 1024),
    "convnext_tiny": Torchvision("classifier.2", 768),  # its normalisation of the pooled features stays
    "vit_b_16": Torchvision("heads", 768),
}

POOLING = {"vit_b_16": "class token", "dinov2": "class token"}


def _from_torchvision(name: str, weights: Path) -> tuple[nn.Module, str]:
    import torchvision  # loads torch._dynamo: a second that most runs need not wait

    state, digest = load_weights(weights)
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None)
    cut = TORCHVISION[name].classifier
    module.set_submodule(cut, nn.Identity())
    state = {
        # densenet's published file has the names that its layers had before torch 0.4
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key): value
        for key, value in state.items()
        if not key.startswith(f"{cut}.")
    }
    try:
        module.to_empty(device="cpu").load_state_dict(state)
    except RuntimeError as error:
        raise _other_network(weights, name, "torchvision") from error
    return module, digest


def _from_timm(name: str, weights: Path) -> tuple[nn.Module, int, Preparation, str]:
    """One of timm's networks without its classifier, shown what its pretrained weights were trained on."""
    config, timm = timm_config(name), import_timm()
    state, digest = load_weights(weights)
    try:
        # With its classes, because timm lets layers be missing when another number is asked for.
        module = timm.create_model(
            name.removeprefix(TIMM),
            pretrained=True,
            num_classes=config["num_classes"],
            pretrained_cfg_overlay={"state_dict": state},
        )
    except (RuntimeError, KeyError) as error:
        raise _other_network(weights, name, "timm") from error
    module.reset_classifier(0)
    _, height, width = config["input_size"]
    if height != width or config["interpolation"] not in ("bilinear", "bicubic"):
        raise ErsatzError(
            f"{name} wants images of {height} x {width} px, resized by the method {config['interpolation']}; square "
            "ones, resized bilinearly or bicubically, were expected. Choose another network."
        )
    preparation = imagenet(height, config["interpolation"], config["mean"], config["std"])
    return module, module.head_hidden_size, preparation, digest


def _other_network(weights: Path, name: str, library: str) -> ErsatzError:
    return ErsatzError(
        f"{weights} does not hold the weights of {name}: other layers were found than {library}'s "
        f"{name.removeprefix(TIMM)} "
        "has. Name the right file, or choose the classifier small-cnn, which needs none."
    )


def imagenet(
    size: int, mode: str = "bilinear", mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> Preparation:
    """The whole image resized to `size` (nothing is cropped: a finding may lie at the edge), then normalised."""

    def resize(images: Tensor) -> Tensor:
        return F.interpolate(images / 255, (size, size), mode=mode, antialias=True).clamp(0, 1)

    def normalise(images: Tensor) -> Tensor:
        return (images - images.new_tensor(mean).view(3, 1, 1)) / images.new_tensor(std).view(3, 1, 1)

    words = "ImageNet mean and std"
    if (tuple(mean), tuple(std)) != (IMAGENET_MEAN, IMAGENET_STD):
        words = f"mean {', '.join(f'{v:g}' for v in mean)}, std {', '.join(f'{v:g}' for v in std)}"
    return Preparation(f"resize {size} {mode} antialias, {words}", resize, normalise)


FID = Preparation(
    f"resize {inception.INPUT_SIZE} bilinear as TensorFlow 1, (x - 128) / 128",
    inception.resize_as_published,
    lambda images: (images - 128) / 128,
)
