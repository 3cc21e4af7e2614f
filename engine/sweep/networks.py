"""From a sweep's config to the network that one trial trains, and how it is shown what the inputs hold."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.configs import SweepConfig
from engine.devices import choose_precision, on_device
from engine.features.backbones import Backbone, Preparation, open_backbone
from engine.features.classical import apply_maps
from engine.features.weights import resolve_weights
from engine.publications.table import HEADS
from engine.sweep.classifiers import SmallCnn
from engine.sweep.dense_head import DenseHead, make_head
from engine.sweep.trial_data import Inputs


@dataclass(frozen=True)
class TrainableClassifier:
    """A network that a trial trains, with how the inputs are shown to it."""

    net: nn.Module
    show: Callable[[Tensor, Tensor | None], Tensor]
    """Rows of the inputs, and the maps of a random view or None -> what the network takes."""
    precision: torch.dtype = torch.float32
    frozen_statistics: bool = False
    """Whether batch normalisation keeps the pretrained means and variances."""
    at_once: int = 256
    """Images that are scored together."""

    def logits(self, rows: Tensor, maps: Tensor | None = None) -> Tensor:
        """Logits float32 `[N, units]`."""
        shown = self.show(rows, maps)
        with torch.autocast(shown.device.type, self.precision, enabled=self.precision != torch.float32):
            return self.net(shown).float()

    def penalty(self) -> Tensor | float:
        """What a published head adds to the loss of the latest batch."""
        return sum(part.penalty() for part in self.net.modules() if isinstance(part, DenseHead))

    def train(self) -> None:
        self.net.train()
        for part in self.net.modules():
            if self.frozen_statistics and isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()


def build(config: SweepConfig, inputs: Inputs) -> TrainableClassifier:
    """The network of a trial on the device of `inputs`; its random weights come from torch's global generator."""
    device = inputs.train.device
    if config.classifier == "small-cnn":
        net: nn.Module = SmallCnn(inputs.train.shape[1], inputs.classes, config.dropout)
        # On a GPU so small a network waits for launches, not for products.
        precision = choose_precision("auto", device) if device.type == "cpu" else torch.float32
        return TrainableClassifier(on_device(net, device), _scaled, precision)
    if config.training == "frozen":
        head = make_head(config, inputs.train.shape[1], inputs.classes)
        return TrainableClassifier(head.to(device), lambda rows, _: rows)
    return _fine_tuned(config, inputs.classes, device)


def _fine_tuned(config: SweepConfig, classes: int, device: torch.device) -> TrainableClassifier:
    """A pretrained backbone with a new head, all of it to be trained.

    Batch normalisation keeps the statistics of the pretraining (its scale and offset train): estimates from small
    batches are rough, and synthetic images would shift how the real ones beside them are normalised. Published heads
    let them follow the batches, as PyTorch and Keras do when nothing is said.
    """
    with torch.random.fork_rng(devices=[]):  # the first trial of a process, which reads the file, is as all others
        backbone = _pretrained(config.classifier, resolve_weights(config.classifier, config.weights))
    body = copy.deepcopy(backbone.module).requires_grad_(True)
    net = on_device(nn.Sequential(body, make_head(config, backbone.dim, classes)), device)
    precision, own_head = choose_precision("auto", device), config.head not in HEADS
    return TrainableClassifier(net, _prepared(backbone.preparation), precision, frozen_statistics=own_head, at_once=32)


@lru_cache(maxsize=1)
def _pretrained(name: str, weights: Path) -> Backbone:
    """The backbone as it was published, read once for all trials of a process."""
    return open_backbone(name, weights, torch.device("cpu"))


def _prepared(preparation: Preparation) -> Callable[[Tensor, Tensor | None], Tensor]:
    """Images uint8 `[N, C, S, S]` prepared as for the frozen backbone: resized, warped, normalised, in colour."""

    def show(images: Tensor, maps: Tensor | None) -> Tensor:
        x = preparation.resize(images.float())
        if maps is not None:
            x = apply_maps(x, maps)
        return preparation.normalise(x.expand(-1, 3, -1, -1)).contiguous(memory_format=torch.channels_last)

    return show


def _scaled(images: Tensor, maps: Tensor | None) -> Tensor:
    """uint8 pixels to [-1, 1], warped by the maps."""
    x = images.float() / 127.5 - 1
    if maps is not None:
        x = apply_maps(x, maps)
    return x.contiguous(memory_format=torch.channels_last)
