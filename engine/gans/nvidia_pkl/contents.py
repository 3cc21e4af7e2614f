"""The content of a network file as NumPy arrays by name, with its architecture. Never imports torch.

So a file can be refused where torch is not, before there is a run of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets.class_mapping import safe_name
from engine.gans.nvidia_pkl.foreign import is_stylegan3, stylegan3
from engine.gans.nvidia_pkl.options import discriminator_architecture, generator_architecture, layout
from engine.gans.nvidia_pkl.reader import Module, read_pickle
from engine.gans.nvidia_pkl.refusal import Refusal, shown
from engine.gans.nvidia_pkl.state_dicts import of_state_dicts, state_dicts
from engine.gans.stylegan2.architecture import Architecture
from engine.store.errors import ErsatzError

DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The networks of a file: G_ema, and where the file has them G and D."""

    tensors: dict[str, dict[str, np.ndarray]]
    """Parameters and buffers of each network by their dotted names, read-only and as they lie in the file."""
    g_architecture: Architecture
    d_architecture: Architecture | None
    facts: dict[str, Any]
    """Layout of the file, networks in it, augment p that its training had reached, kwargs of its training set, and
    by their names the parts of the file that were left out, because nothing here uses them."""


def read_contents(path: Path) -> Contents:
    """The networks of a StyleGAN2 .pkl of either repository. Raises `ErsatzError` with the reason if it is refused."""
    tree = read_pickle(path)
    try:
        return _contents(tree)
    except Refusal as refusal:
        raise refusal.about(path) from refusal


def _contents(tree: Any) -> Contents:
    if not isinstance(tree, dict):
        raise Refusal(f"is a pickle of {shown(tree)}, and holds no networks")
    if not any(isinstance(tree.get(name), Module) for name in ("G", "D", "G_ema")) and (found := state_dicts(tree)):
        raise of_state_dicts(found, "is a pickle of")
    modules = {name: _module(tree[name], name) for name in ("G", "D", "G_ema") if tree.get(name) is not None}
    if "G_ema" not in modules:
        held = ", ".join(shown(name) for name in list(tree)[:5]) or "nothing"
        raise Refusal(f"is a pickle of a dict with {held}, and has no averaged generator G_ema")

    g_architecture = generator_architecture(modules["G_ema"])
    if "G" in modules and generator_architecture(modules["G"]) != g_architecture:
        raise Refusal("has networks G and G_ema of different architectures")
    of_layout = layout(modules["G_ema"])
    d_architecture = discriminator_architecture(modules["D"], of_layout) if "D" in modules else None
    for what in ("size", "channels", "classes"):
        if d_architecture and getattr(d_architecture, what) != getattr(g_architecture, what):
            raise Refusal(f"has a generator and a discriminator that differ in {what}")
    return Contents(
        tensors={name: _tensors(module) for name, module in modules.items()},
        g_architecture=g_architecture,
        d_architecture=d_architecture,
        facts={
            "layout": of_layout,
            "networks": list(modules),
            "augment_p": _augment_p(tree.get("augment_pipe")),
            "training_set_kwargs": _plain(tree.get("training_set_kwargs")),
            "left_out": _left_out(tree),
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
                if not isinstance(name, str):
                    raise Refusal(f"has {shown(value)} as {shown(name)} among the parts of a network")
                if isinstance(value, Module) and group is groups[-1]:
                    waiting.append(((*path, name), value))
                elif isinstance(value, np.ndarray) and group is not groups[-1]:
                    found[".".join((*path, name))] = value
                elif value is not None:
                    raise Refusal(f"has {shown(value)} as {shown(name)} among the parts of a network")
    return found


def _augment_p(pipe: Any) -> float | None:
    """The augmentation probability that the training had reached, if the file holds it."""
    buffers = pipe.state.get("_buffers") if isinstance(pipe, Module) else None
    p = buffers.get("p") if isinstance(buffers, dict) else None
    if isinstance(p, np.ndarray) and p.size == 1 and np.isfinite(p).all():
        return float(p.reshape(()))
    return None


def _left_out(tree: dict[Any, Any]) -> dict[str, Any]:
    """Parts of the file that nothing here uses, by name, as `shown`."""
    used: dict[str, type] = {"G": Module, "D": Module, "G_ema": Module, "augment_pipe": Module}
    used["training_set_kwargs"] = dict
    return {
        _printable(str(name)): shown(value)
        for name, value in tree.items()
        if not (name in used and (value is None or isinstance(value, used[name])))
    }


def _plain(values: Any) -> dict[str, Any]:
    """The texts and numbers of a dict, for people to read."""
    if not isinstance(values, dict):
        return {}
    return {
        name: _printable(value)
        for name, value in values.items()
        if isinstance(name, str)
        and name.isidentifier()
        and (value is None or isinstance(value, str | bool | int | float))
    }


def _printable(value: Any) -> Any:
    """Text without what could steer a terminal."""
    return "".join(c for c in value[:300] if c.isprintable()) if isinstance(value, str) else value


def class_names(path: Path, classes: int, names: Sequence[str]) -> list[str]:
    """The names of a network's classes in the order of their labels: `names`, or class 0, class 1 and so on.

    A network without classes may be given the one name of what it makes.
    """
    if not names:
        return [f"class {label}" for label in range(classes)]
    if len(names) != (classes or 1) or len(set(names)) != len(names):
        raise ErsatzError(
            f"class_names has {len(names)} names ({', '.join(names)}), and the network in {path} has "
            f"{classes or 'no'} classes; {classes or 1} different names are expected. Correct them, or leave them out."
        )
    for name in names:
        if safe_name(name) != name:
            raise ErsatzError(
                f"class_names has {name!r}, which cannot be part of a file's name; letters, digits, '.', '_' and '-' "
                f"are expected. Write {safe_name(name)!r}, for example."
            )
    return list(names)
