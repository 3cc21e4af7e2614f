"""The architecture of StyleGAN2's two networks: sizes, widths, depths and forms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import log2
from typing import Any, Literal, Self, get_args

from engine.configs import StyleganConfig
from engine.configs.stylegan2 import SIZES
from engine.gans.image_spec import ImageSpec

Form = Literal["skip", "orig", "resnet"]
LIMITS = {
    "size": (8, 4096),
    "channels": (1, 4),
    "classes": (0, 100_000),
    "z_dim": (0, 65_536),
    "w_dim": (1, 65_536),
    "mapping_layers": (0, 64),
    "channel_base": (1, 2**24),
    "channel_max": (1, 65_536),
    "d_mapping_layers": (0, 64),
}
"""Least and most of the sizes: wide of every network there is, and far from what no machine can build."""
MAPPING_LR = 0.01
"""As published (arXiv 1812.04948, appendix C)."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything that must be known to build a generator or a discriminator that fits a file's weights."""

    size: int
    """Pixels of an image's side, a power of two of at least 8."""
    channels: int
    """1 (grey) or 3 (RGB)."""
    classes: int = 0
    """Length of the condition vector; 0: unconditional."""
    z_dim: int = 512
    """Length of the latent vector z."""
    w_dim: int = 512
    """Length of the intermediate latent vector w."""
    mapping_layers: int = 8
    """Layers of the generator's mapping network."""
    mapping_lr: float = MAPPING_LR
    """Learning rate of those layers relative to the others'; their weights are stored divided by it."""
    channel_base: int = 32768
    """Channels at a resolution are this divided by it."""
    channel_max: int = 512
    """Most channels at any resolution."""
    g_architecture: Form = "skip"
    """How the generator's blocks reach the image."""
    d_architecture: Form = "resnet"
    """How the discriminator's blocks follow each other."""
    num_fp16_res: int = 0
    """How many of the highest resolutions run in low precision, where one is set (`set_precision`)."""
    conv_clamp: float | None = None
    """Clamp of the convolutions' outputs to +- this; None: no clamp."""
    mbstd_group: int | None = 4
    """Images over which minibatch-std takes the standard deviation; None: the whole batch."""
    mbstd_channels: int = 1
    """Channels that minibatch-std appends; 0: no minibatch-std."""
    freeze_d: int = 0
    """How many of the discriminator's first layers are buffers instead of parameters."""
    d_mapping_layers: int = 8
    """Layers of a conditional discriminator's mapping network."""
    d_mapping_lr: float = MAPPING_LR
    """Learning rate of those layers relative to the others'."""

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"{name} is {value!r}; a whole number from {least} to {most} is expected")
        for name in ("g_architecture", "d_architecture"):
            if getattr(self, name) not in get_args(Form):
                raise ValueError(f"{name} is {getattr(self, name)!r}; one of {', '.join(get_args(Form))} is expected")
        if self.size & (self.size - 1):
            raise ValueError(f"size {self.size} is not a power of two of at least 8")

    @classmethod
    def from_config(cls, config: StyleganConfig, spec: ImageSpec) -> Self:
        """The networks that a run trains; as published, pure fp32 has no clamp either."""
        spec.require_size("StyleGAN2-ADA", SIZES)
        fp32 = config.precision == "fp32"
        return cls(
            size=spec.size,
            channels=spec.channels,
            classes=spec.classes,
            z_dim=config.z_dim,
            w_dim=config.w_dim,
            mapping_layers=config.mapping_layers,
            mapping_lr=config.mapping_lr,
            channel_base=config.channel_base,
            channel_max=config.channel_max,
            d_architecture=config.d_architecture,
            num_fp16_res=0 if fp32 else config.num_fp16_res,
            conv_clamp=None if fp32 else config.conv_clamp or None,
            mbstd_group=config.mbstd_group,
            freeze_d=config.freeze_d,
            d_mapping_layers=config.d_mapping_layers,
            d_mapping_lr=config.d_mapping_lr,
        )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8, ..., size: one block of either network for each."""
        return tuple(2**k for k in range(2, int(log2(self.size)) + 1))

    @property
    def num_ws(self) -> int:
        """Number of w that the synthesis network takes: one for each convolution and one for the last ToRGB."""
        return 2 * len(self.resolutions)

    def channels_at(self, resolution: int) -> int:
        """Width of both networks at a resolution."""
        return min(self.channel_base // resolution, self.channel_max)

    def in_low_precision(self, resolution: int) -> bool:
        """Whether the block of this resolution is among those that `set_precision` lowers."""
        return resolution >= max(self.size * 2 // 2**self.num_fp16_res, 8)


def describe_networks(g: Architecture, d: Architecture) -> dict[str, Any]:
    """Metadata of a StyleGAN2 snapshot's networks, enough to build both (`Architecture(**facts["g_architecture"])`).

    The two differ in an imported file at most.
    """
    return {"w_dim": g.w_dim, "num_ws": g.num_ws, "g_architecture": asdict(g), "d_architecture": asdict(d)}
