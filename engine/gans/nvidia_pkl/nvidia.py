"""NVIDIA's networks as this program's: state dicts that its `Generator` and `Discriminator` load.

The architecture named in a file decides which tensors there must be, and their shapes. Anything that is missing, left
over or of another shape is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.gans.nvidia_pkl.contents import read_contents
from engine.gans.nvidia_pkl.refusal import Refusal, shown
from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
)

State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks of a file: fp32 state dicts with the names of `Generator` and `Discriminator`; G and D may be absent."""

    g: State | None
    d: State | None
    g_ema: State
    g_architecture: Architecture
    d_architecture: Architecture | None
    facts: dict[str, Any]
    """As in `Contents`."""

    def states(self) -> dict[str, State]:
        """Those that are there, by the names that snapshots give them."""
        named = {"G": self.g, "D": self.d, "G_ema": self.g_ema}
        return {name: state for name, state in named.items() if state is not None}


def read_networks(path: Path) -> Networks:
    """The networks of a StyleGAN2 .pkl of either repository. Raises `ErsatzError` with the reason if it is refused."""
    contents = read_contents(path)
    states: dict[str, State] = {}
    try:
        for name, tensors in contents.tensors.items():
            network: type[nn.Module] = Discriminator if name == "D" else Generator
            architecture = contents.d_architecture if name == "D" else contents.g_architecture
            assert architecture is not None, "a file with a D has its architecture"
            states[name] = _state(tensors, network, architecture)
    except Refusal as refusal:
        raise refusal.about(path) from refusal
    return Networks(
        g=states.get("G"),
        d=states.get("D"),
        g_ema=states["G_ema"],
        g_architecture=contents.g_architecture,
        d_architecture=contents.d_architecture,
        facts=contents.facts,
    )


def _state(found: dict[str, np.ndarray], network: type[nn.Module], architecture: Architecture) -> State:
    """The tensors found, each of which is one of the network's, has its shape and is finite."""
    own = network.__name__
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in network(architecture).state_dict().items()}
    for name, shape in expected.items():
        if name not in found:
            raise Refusal(f"lacks the tensor {name} that its {own} has by its options")
        if found[name].shape != shape:
            raise Refusal(
                f"has the tensor {name} of the shape {_by(found[name].shape)}, which is {_by(shape)} "
                f"by the options of its {own}"
            )
    surplus = [name for name in found if name not in expected]
    if surplus:
        raise Refusal(f"has a tensor {shown(surplus[0])}, which its {own} has not by its options")
    return {name: _tensor(name, found[name]) for name in expected}


def _tensor(name: str, values: np.ndarray) -> Tensor:
    if values.dtype.kind != "f":
        raise Refusal(f"has the tensor {name} in {values.dtype} numbers, where floating-point ones belong")
    with np.errstate(over="ignore"):  # what does not fit into fp32 becomes infinite
        copy = np.array(values, np.float32, order="C")  # strided weights (channels last) are put in order here
    if not np.isfinite(copy).all():
        raise Refusal(
            f"has numbers in the tensor {name} that are infinite or not numbers at all",
            "Its training exploded; choose an earlier snapshot of it.",
        )
    return torch.from_numpy(copy)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def count_parameters(networks: Networks) -> dict[str, int]:
    """Parameters of each network; frozen layers count, buffers do not."""
    counts = {}
    for name in networks.states():
        with torch.device("meta"):
            if name == "D":
                assert networks.d_architecture is not None
                network: nn.Module = Discriminator(replace(networks.d_architecture, freeze_d=0))
            else:
                network = Generator(networks.g_architecture)
        counts[name] = sum(parameter.numel() for parameter in network.parameters())
    return counts
