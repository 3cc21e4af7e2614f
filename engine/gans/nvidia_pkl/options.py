"""Architecture of NVIDIA's networks, from the keyword arguments that each of them keeps.

Two repositories write such files. stylegan2-ada-pytorch nests the options of the synthesis network
(`synthesis_kwargs`), stylegan3 has them among the generator's own; where an option is left out, the classes' defaults
differ. Options that do not follow from the tensors' shapes are carried over, or checked to be those that this program's
layers have; an option of a part that a network does not have says nothing about it and is passed over. Networks
converted from TensorFlow spell out the options of such parts too.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from engine.gans.nvidia_pkl.reader import Module
from engine.gans.nvidia_pkl.refusal import Refusal, shown
from engine.gans.stylegan2.architecture import MAPPING_LR, Architecture

LARGEST_OPTION = 2**16
LARGEST_SIZE = 4096
FIXED = {
    "activation": "lrelu",
    "resample_filter": [1, 3, 3, 1],
    "use_noise": True,
}
"""Options that this program's layers have one value of."""
FREE = {
    "embed_features",
    "layer_features",
    "cmap_dim",
    "fp16_channels_last",
    "fused_modconv_default",
    "w_avg_beta",
}
"""Options that follow from the tensors' shapes, or that change nothing about a network's images."""


class Options:
    """The keyword arguments that a network of the file was made with; what is not asked for must be known."""

    def __init__(self, values: Any):
        if not isinstance(values, dict):
            raise Refusal(f"has {shown(values)} as the options of a network")
        self.values = dict(values)
        if not all(isinstance(name, str) for name in self.values):
            raise Refusal("has a network with an option whose name is no text")

    def group(self, name: str) -> Options:
        values = self.values.pop(name, None)
        return Options({} if values is None else values)

    def integer(self, name: str, default: int | None, least: int = 1) -> int:
        value = self.values.pop(name, default)
        if type(value) is not int or not least <= value <= LARGEST_OPTION:
            raise Refusal(f"has a network whose option {name} is {shown(value)}")
        return value

    def integer_or_none(self, name: str, default: int | None) -> int | None:
        if self.values.get(name, default) is None:
            self.values.pop(name, None)
            return None
        return self.integer(name, default)

    def rate(self) -> float:
        """The learning rate of a mapping's layers relative to the others', by which their stored weights are scaled."""
        value = self.values.pop("lr_multiplier", MAPPING_LR)
        if type(value) not in (int, float) or not (value > 0 and isfinite(value)):
            raise Refusal(f"has a network whose option lr_multiplier is {shown(value)}")
        return float(value)

    def clamp(self, default: float | None) -> float | None:
        value = self.values.pop("conv_clamp", default)
        if value is None or (type(value) in (int, float) and 0 < value < float("inf")):
            return value
        raise Refusal(f"has a network whose option conv_clamp is {shown(value)}")

    def form(self, default: str) -> Any:
        value = self.values.pop("architecture", default)
        if not isinstance(value, str) or value not in ("skip", "orig", "resnet"):
            raise Refusal(f"has a network whose option architecture is {shown(value)}")
        return value

    def spec(self) -> dict[str, Any]:
        """The image spec that generator and discriminator share."""
        size = self.integer("img_resolution", None, least=8)
        channels = self.integer("img_channels", None)
        if size & (size - 1) or size > LARGEST_SIZE:
            raise Refusal(f"makes images of {size} px, where a power of two from 8 to {LARGEST_SIZE} is known")
        if channels not in (1, 3):
            raise Refusal(f"makes images of {channels} channels, where 1 (grey) or 3 (RGB) are known")
        return {"size": size, "channels": channels, "classes": self.integer("c_dim", 0, least=0)}

    def pass_over(self, *names: str) -> None:
        """Options that say nothing, because the network has not the part that they are of."""
        for name in names:
            self.values.pop(name, None)

    def finish(self) -> None:
        """Refuse what is left, unless it means nothing or what this program does anyway."""
        for name, value in self.values.items():
            if name in FREE or (name in FIXED and _same(value, FIXED[name])):
                continue
            found = f"has a network with the option {name[:60]!r} = {shown(value)}"
            if name in FIXED:
                raise Refusal(f"{found}, and only {FIXED[name]!r} is known here")
            raise Refusal(f"{found}, which is not known here")


def _same(value: Any, expected: Any) -> bool:
    """Equality that never compares more than a few plain numbers."""
    if isinstance(expected, list):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(expected)
            and all(_same(found, wanted) for found, wanted in zip(value, expected, strict=True))
        )
    return isinstance(value, str | bool | int | float) and value == expected


def _options(module: Module) -> Options:
    positional = module.state.get("_init_args", ())
    if not isinstance(positional, tuple | list) or len(positional):
        raise Refusal("has a network that was made with arguments without names")
    return Options(module.state.get("_init_kwargs"))


def layout(generator: Module) -> str:
    """Whose class the generator is of: where its options stand, or else an attribute that only one of the two has."""
    options = _options(generator).values
    if "synthesis_kwargs" in options:
        return "stylegan2-ada-pytorch"
    flat = {"channel_base", "channel_max", "num_fp16_res", "conv_clamp", "fused_modconv_default", "architecture"}
    if flat & options.keys():
        return "stylegan3"
    block = _child(_child(generator, "synthesis"), "b4")
    return "stylegan3" if block and "fused_modconv_default" in block.state else "stylegan2-ada-pytorch"


def _child(module: Module | None, name: str) -> Module | None:
    children = module.state.get("_modules") if module else None
    child = children.get(name) if isinstance(children, dict) else None
    return child if isinstance(child, Module) else None


def _defaults(of_layout: str) -> tuple[int, float | None]:
    """num_fp16_res and conv_clamp where the file does not give them."""
    return (4, 256) if of_layout == "stylegan3" else (0, None)


def generator_architecture(module: Module) -> Architecture:
    """The fields that shape a discriminator keep their defaults. Raises `Refusal`."""
    fp16, clamp = _defaults(layout(module))
    options = _options(module)
    mapping, synthesis = options.group("mapping_kwargs"), options.group("synthesis_kwargs")
    spec = options.spec()
    z_dim, w_dim = options.integer("z_dim", None), options.integer("w_dim", None)
    merged = Options({**options.values, **synthesis.values})
    layers, rate = _layers_and_rate(mapping)
    architecture = Architecture(
        **spec,
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=layers,
        mapping_lr=rate,
        channel_base=merged.integer("channel_base", 32768),
        channel_max=merged.integer("channel_max", 512),
        g_architecture=merged.form("skip"),
        num_fp16_res=merged.integer("num_fp16_res", fp16, least=0),
        conv_clamp=merged.clamp(clamp),
    )
    for group in (mapping, merged):
        group.finish()
    return _with_channels(architecture)


def discriminator_architecture(module: Module, of_layout: str) -> Architecture:
    """The fields that shape a generator keep their defaults. Raises `Refusal`."""
    fp16, clamp = _defaults(of_layout)
    options = _options(module)
    blocks, mapping, last = (options.group(f"{name}_kwargs") for name in ("block", "mapping", "epilogue"))
    spec = options.spec()
    # Without a condition there is no mapping at all, whatever its options say.
    layers, rate = _layers_and_rate(mapping) if spec["classes"] else (Architecture.d_mapping_layers, MAPPING_LR)
    mbstd_channels = last.integer("mbstd_num_channels", 1, least=0)
    if not mbstd_channels:
        last.pass_over("mbstd_group_size")
    architecture = Architecture(
        **spec,
        d_mapping_layers=layers,
        d_mapping_lr=rate,
        channel_base=options.integer("channel_base", 32768),
        channel_max=options.integer("channel_max", 512),
        d_architecture=options.form("resnet"),
        num_fp16_res=options.integer("num_fp16_res", fp16, least=0),
        conv_clamp=options.clamp(clamp),
        mbstd_group=last.integer_or_none("mbstd_group_size", 4),
        mbstd_channels=mbstd_channels,
        freeze_d=blocks.integer("freeze_layers", 0, least=0),
    )
    for group in (options, blocks, last, *([mapping] if spec["classes"] else [])):
        group.finish()
    return _with_channels(architecture)


def _with_channels(architecture: Architecture) -> Architecture:
    if not architecture.channels_at(architecture.size):
        raise Refusal(f"has a network whose option channel_base is {architecture.channel_base}, too few for its size")
    return architecture


def _layers_and_rate(mapping: Options) -> tuple[int, float]:
    """Layers of a mapping network and their learning rate; without layers the rate and the activation mean nothing."""
    layers = mapping.integer("num_layers", 8, least=0)
    if layers > 64:
        raise Refusal(f"has a mapping network of {layers} layers")
    if not layers:
        mapping.pass_over("lr_multiplier", "activation")
    return layers, mapping.rate()
