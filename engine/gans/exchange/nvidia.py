"""NVIDIA's networks as this program's: architecture and state dicts from what the restricted reader gives.

The architecture follows from the options that the networks were made with (`options`); it says which tensors there
must be, and of which shapes. Anything that is missing, left over or of another shape is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.gans.exchange.foreign import is_stylegan3, stylegan3
from engine.gans.exchange.options import discriminator_architecture, generator_architecture, layout
from engine.gans.exchange.refusal import Refusal, shown
from engine.gans.exchange.restricted import Module, read_pickle
from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.discriminator import Discriminator
from engine.gans.stylegan2.generator import Generator

State = dict[str, Tensor]
PARTS = {"G", "D", "G_ema", "augment_pipe", "training_set_kwargs"}
DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What a file holds: fp32 state dicts with the names of `Generator` and `Discriminator`; G and D may be absent."""

    g: State | None
    d: State | None
    g_ema: State
    g_architecture: Architecture
    d_architecture: Architecture | None
    facts: dict[str, Any]
    """Layout of the file, kwargs of its training set, its augment p and w_avg_beta: plain values."""


def read_networks(path: Path) -> Networks:
    """The networks of a StyleGAN2 .pkl of either repository. Raises `ErsatzError` with the reason if it is refused."""
    tree = read_pickle(path)
    try:
        return _networks(tree)
    except Refusal as refusal:
        raise refusal.about(path) from refusal


def _networks(tree: Any) -> Networks:
    if not isinstance(tree, dict):
        raise Refusal(f"is a pickle of {shown(tree)}, and holds no networks")
    modules = {name: _module(tree[name], name) for name in ("G", "D", "G_ema") if tree.get(name) is not None}
    if "G_ema" not in modules:
        held = ", ".join(shown(name) for name in list(tree)[:5]) or "nothing"
        raise Refusal(f"is a pickle of a dict with {held}, and has no averaged generator G_ema")
    unknown = [name for name in tree if name not in PARTS]
    if unknown:
        raise Refusal(f"has a part {shown(unknown[0])} beside its networks, which is not known")

    g_architecture = generator_architecture(modules["G_ema"])
    networks: dict[str, State] = {"G_ema": _state(modules["G_ema"], Generator, g_architecture)}
    if "G" in modules:
        if generator_architecture(modules["G"]) != g_architecture:
            raise Refusal("has networks G and G_ema of different architectures")
        networks["G"] = _state(modules["G"], Generator, g_architecture)
    d_architecture = None
    if "D" in modules:
        d_architecture = discriminator_architecture(modules["D"], layout(modules["G_ema"]))
        for what in ("size", "channels", "classes"):
            if getattr(d_architecture, what) != getattr(g_architecture, what):
                raise Refusal(f"has a generator and a discriminator that differ in {what}")
        networks["D"] = _state(modules["D"], Discriminator, d_architecture)
    return Networks(
        g=networks.get("G"),
        d=networks.get("D"),
        g_ema=networks["G_ema"],
        g_architecture=g_architecture,
        d_architecture=d_architecture,
        facts={
            "layout": layout(modules["G_ema"]),
            "parts": [name for name in ("G", "D", "G_ema") if name in networks],
            "augment_p": _augment_p(tree.get("augment_pipe")),
            "training_set_kwargs": _plain(tree.get("training_set_kwargs")),
        },
    )


def _module(value: Any, name: str) -> Module:
    expected = "Discriminator" if name == "D" else "Generator"
    if not isinstance(value, Module) or value.class_name != expected:
        found = value.class_name if isinstance(value, Module) else value
        raise Refusal(f"has {shown(found)} as its network {name}, where a {expected} belongs")
    children = value.state.get("_modules")
    synthesis = children.get("synthesis") if isinstance(children, dict) else None
    if name != "D" and isinstance(synthesis, Module):
        layers = synthesis.state.get("_modules")
        if isinstance(layers, dict) and ("input" in layers or any(map(is_stylegan3, layers))):
            raise stylegan3()
    return value


def _state(module: Module, network: type[nn.Module], architecture: Architecture) -> State:
    """The module's tensors, each of which is one of the network's, has its shape and is finite."""
    found = _tensors(module)
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in network(architecture).state_dict().items()}
    for name, shape in expected.items():
        if name not in found:
            raise Refusal(f"lacks the tensor {name} that its {module.class_name} has by its options")
        if found[name].shape != shape:
            raise Refusal(
                f"has the tensor {name} of the shape {_by(found[name].shape)}, which is {_by(shape)} "
                f"by the options of its {module.class_name}"
            )
    surplus = [name for name in found if name not in expected]
    if surplus:
        raise Refusal(f"has a tensor {shown(surplus[0])}, which its {module.class_name} has not by its options")
    return {name: _tensor(name, found[name]) for name in expected}


def _tensors(root: Module) -> dict[str, np.ndarray]:
    """Parameters and buffers (frozen layers have these) by their dotted names."""
    found: dict[str, np.ndarray] = {}
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Module]] = [((), root)]
    while waiting:
        path, module = waiting.pop()
        if id(module) in seen or len(path) > DEEPEST:
            raise Refusal("has a network that contains itself")
        seen.add(id(module))
        groups = [module.state.get(group) for group in ("_parameters", "_buffers", "_modules")]
        for group in groups:
            if not isinstance(group, dict):
                raise Refusal(f"has a {shown(module.class_name)} without its parameters, buffers and modules")
            for name, value in group.items():
                if isinstance(value, Module) and group is groups[-1]:
                    waiting.append(((*path, name), value))
                elif isinstance(value, np.ndarray) and group is not groups[-1]:
                    found[".".join((*path, name))] = value
                elif value is not None:
                    raise Refusal(f"has {shown(value)} as {shown(name)} among the parts of a network")
    return found


def _tensor(name: str, values: np.ndarray) -> Tensor:
    if values.dtype.kind != "f":
        raise Refusal(f"has the tensor {name} in {values.dtype} numbers, where floating-point ones belong")
    copy = np.array(values, np.float32, order="C")  # strided weights (channels last) are put in order here
    if not np.isfinite(copy).all():
        raise Refusal(
            f"has numbers in the tensor {name} that are infinite or not numbers at all",
            "Its training exploded; choose an earlier snapshot of it.",
        )
    return torch.from_numpy(copy)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _augment_p(pipe: Any) -> float | None:
    """The augmentation probability that the training had reached, if the file tells."""
    buffers = pipe.state.get("_buffers") if isinstance(pipe, Module) else None
    p = buffers.get("p") if isinstance(buffers, dict) else None
    if isinstance(p, np.ndarray) and p.size == 1 and np.isfinite(p).all():
        return float(p.reshape(()))
    return None


def _plain(values: Any) -> dict[str, Any]:
    """The texts and numbers of a dict, for people to read."""
    if not isinstance(values, dict):
        return {}
    return {
        name: value[:300] if isinstance(value, str) else value
        for name, value in values.items()
        if value is None or isinstance(value, str | bool | int | float)
    }
