"""Network files in NVIDIA's format, made from this program's own networks: nothing of NVIDIA's is in them.

The pickler needs to find the functions that a file names, so that modules of those names exist while it writes. The
tensors are pickled by torch itself, just as in the real files.
"""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
)

SMALL = {"size": 16, "channels": 1, "z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_base": 128, "channel_max": 16}
CLASS_NAMES = {
    "Synthesis": "SynthesisNetwork",
    "Mapping": "MappingNetwork",
    "ConditionMapping": "MappingNetwork",
    "FullyConnected": "FullyConnectedLayer",
    "ToRGB": "ToRGBLayer",
    "Convolution": "Conv2dLayer",
    "LastBlock": "DiscriminatorEpilogue",
}


def small_networks(seed: int = 0, **changes: Any) -> tuple[Generator, Discriminator]:
    """An untrained generator and discriminator whose noise and mean w are not zero, so that they show."""
    architecture = Architecture(**{**SMALL, **changes})  # type: ignore[arg-type]
    torch.manual_seed(seed)
    generator, discriminator = Generator(architecture).eval(), Discriminator(architecture).eval()
    with torch.no_grad():
        generator.mapping.w_avg.normal_()
        for name, parameter in generator.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                parameter.normal_()
    return generator, discriminator


def generator_kwargs(a: Architecture, layout: str = "nested", **more: Any) -> dict[str, Any]:
    synthesis = {"channel_base": a.channel_base, "channel_max": a.channel_max}
    synthesis |= {"num_fp16_res": a.num_fp16_res, "conv_clamp": a.conv_clamp, **more}
    spec = {"c_dim": a.classes, "img_resolution": a.size, "img_channels": a.channels}
    common: dict[str, Any] = {"z_dim": a.z_dim, "w_dim": a.w_dim, "mapping_kwargs": {"num_layers": a.mapping_layers}}
    if a.mapping_lr != 0.01:  # the default of the file's own classes
        common["mapping_kwargs"]["lr_multiplier"] = a.mapping_lr
    if layout == "nested":
        return {**common, "synthesis_kwargs": synthesis, **spec}
    return {**common, "fused_modconv_default": "inference_only", **synthesis, **spec}


def discriminator_kwargs(a: Architecture, **more: Any) -> dict[str, Any]:
    return {
        "architecture": a.d_architecture,
        "block_kwargs": {"freeze_layers": a.freeze_d},
        "mapping_kwargs": {},
        "epilogue_kwargs": {"mbstd_group_size": a.mbstd_group},
        "channel_base": a.channel_base,
        "channel_max": a.channel_max,
        "num_fp16_res": a.num_fp16_res,
        "conv_clamp": a.conv_clamp,
        "c_dim": a.classes,
        "img_resolution": a.size,
        "img_channels": a.channels,
        **more,
    }


def converted_kwargs(g: Architecture, d: Architecture) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of both networks as a conversion from TensorFlow has them: every one spelled out, of every part."""
    common = {"activation": "lrelu", "resample_filter": [1, 3, 3, 1]}
    form = generator_kwargs(g, architecture=g.g_architecture, use_noise=True, **common)
    form["mapping_kwargs"] |= {"embed_features": None, "layer_features": None, "activation": "lrelu"}
    form["mapping_kwargs"] |= {"lr_multiplier": g.mapping_lr, "w_avg_beta": 0.995}
    judge = discriminator_kwargs(d)
    judge["block_kwargs"] |= common
    layers, rate = (d.d_mapping_layers, d.d_mapping_lr) if d.classes else (0, 0.1)
    judge["mapping_kwargs"] = {"num_layers": layers, "embed_features": None, "layer_features": None}
    judge["mapping_kwargs"] |= {"activation": "lrelu", "lr_multiplier": rate}
    judge["epilogue_kwargs"] |= {"mbstd_num_channels": d.mbstd_channels, "activation": "lrelu"}
    return form, judge


def converted(g: Generator, d: Discriminator, **parts: Any) -> dict[str, Any]:
    """A file that NVIDIA's tool converted from TensorFlow."""
    form, judge = converted_kwargs(g.architecture, d.architecture)
    networks = {"G": persistent(g, form), "D": persistent(d, judge), "G_ema": persistent(g, form)}
    return {**networks, "training_set_kwargs": None, "augment_pipe": None, **parts}


class Persistent:
    """A module as the format has it: a call of one function with the class's name, source text and `__dict__`."""

    def __init__(self, class_name: str, state: dict[str, Any]):
        self.class_name, self.state = class_name, state

    def __reduce__(self) -> Any:
        meta = {"type": "class", "version": 6, "module_src": "raise SystemExit('run')", "class_name": self.class_name}
        return reconstruct, ({**meta, "state": self.state},)


def reconstruct(meta: Any) -> None:
    raise AssertionError("only named, never called")


class EasyDict(dict):
    """The class of dicts that the options are in."""


def persistent(module: nn.Module, kwargs: dict[str, Any] | None = None, ordered: bool = False) -> Persistent:
    """The module and those in it; `ordered`: with OrderedDicts and fewer entries, as in 2021."""
    kind = OrderedDict if ordered else dict
    own = type(module).__name__
    state: dict[str, Any] = {
        "training": False,
        "_parameters": kind(module._parameters),
        "_buffers": kind(module._buffers),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_forward_hooks": OrderedDict(),
        "_modules": kind((name, persistent(child, None, ordered)) for name, child in module.named_children()),
    }
    if not ordered:
        state |= {"_backward_pre_hooks": OrderedDict(), "_is_full_backward_hook": None}
    if own == "FullyConnected":
        state |= {"weight_gain": np.float64(0.125), "bias_gain": 1, "activation": "linear"}
    options = EasyDict({name: EasyDict(v) if isinstance(v, dict) else v for name, v in (kwargs or {}).items()})
    return Persistent(CLASS_NAMES.get(own, own), {**state, "_init_args": (), "_init_kwargs": options})


def augment_pipe(p: float) -> Persistent:
    pipe = nn.Module()
    pipe.register_buffer("p", torch.tensor(p))
    made = persistent(pipe)
    return Persistent("AugmentPipe", made.state)


def content(
    generator: Generator,
    discriminator: Discriminator | None,
    layout: str = "nested",
    ordered: bool = False,
    averaged: Generator | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """The dict at the top of a file; `parts` replace some of it."""
    kwargs = generator_kwargs(generator.architecture, layout)
    networks: dict[str, Any] = {"G": persistent(generator, kwargs, ordered)}
    if discriminator is not None:
        networks["D"] = persistent(discriminator, discriminator_kwargs(discriminator.architecture), ordered)
    networks["G_ema"] = persistent(averaged or generator, kwargs, ordered)
    about = {"training_set_kwargs": EasyDict(class_name="training.dataset.ImageFolderDataset", path="/data/x.zip")}
    pipe = {"augment_pipe": augment_pipe(0.25)}
    whole = {**about, **networks, **pipe} if layout == "nested" else {**networks, **pipe, **about}
    return {**whole, **parts}


def dumped(value: Any, protocol: int = 4, numpy_core: str = "numpy._core.multiarray") -> bytes:
    """A pickle that names the functions of NVIDIA's modules, and NumPy's as the given version calls them."""
    with named_modules():
        made = pickle.dumps(value, protocol)
    if numpy_core == "numpy._core.multiarray":
        return made
    if protocol < 4:  # GLOBAL holds the names as lines
        return made.replace(b"cnumpy._core.multiarray\n", f"c{numpy_core}\n".encode())
    # Strings carry their length, and the frame around them its own, which no reader of files needs.
    found = b"numpy._core.multiarray"
    return made.replace(bytes([0x8C, len(found)]) + found, bytes([0x8C, len(numpy_core)]) + numpy_core.encode())


@contextmanager
def named_modules() -> Iterator[None]:
    """Modules of NVIDIA's names that hold nothing but what is named."""
    named = {
        "torch_utils.persistence": ("_reconstruct_persistent_obj", reconstruct),
        "dnnlib.util": ("EasyDict", EasyDict),
    }
    before = [(value, value.__module__, value.__qualname__) for _, value in named.values()]
    added = []
    try:
        for path, (name, value) in named.items():
            value.__module__, value.__qualname__ = path, name
            for part in (path.partition(".")[0], path):
                if part not in sys.modules:
                    sys.modules[part] = ModuleType(part)
                    added.append(part)
            setattr(sys.modules[path], name, value)
        yield
    finally:
        for part in added:
            del sys.modules[part]
        for value, module, qualname in before:
            value.__module__, value.__qualname__ = module, qualname
