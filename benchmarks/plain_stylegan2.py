"""StyleGAN2-ADA in its plain form, which ours is timed against and tested with: NCHW, one published formula a line.

The parameters of the networks are those of `engine.gans.stylegan2`; what is done with them is written anew. Filters
insert zeros, pad, convolve and drop pixels as they are defined. A sample may get convolution weights of its own
(`per_sample`), as the published generator has them when it samples, or activations are scaled, as it does when it
trains. Geometric augmentation resamples every image, moved or not.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.gans.augment.axes import LOWPASS
from engine.gans.augment.colour import recoloured
from engine.gans.augment.draws import Draws
from engine.gans.augment.geometry import draw_transform
from engine.gans.augment.pipe import AugmentPipe
from engine.gans.stylegan2.networks import (
    Convolution,
    Discriminator,
    FullyConnected,
    Generator,
    SynthesisLayer,
    ToRGB,
)

HALF = sqrt(0.5)


def upfirdn(
    x: Tensor,
    taps: Tensor,
    padding: tuple[int, int, int, int],
    up: tuple[int, int] = (1, 1),
    down: tuple[int, int] = (1, 1),
    gain: float = 1.0,
) -> Tensor:
    """Insert zeros behind each pixel, pad (left, right, top, bottom), convolve, keep every down-th pixel.

    x [N, C, h, w]; `up` and `down` are those of rows and columns.
    """
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up[1] - 1, 0, 0, 0, up[0] - 1)).reshape(n, c, h * up[0], w * up[1])
    kernel = (taps.to(x.dtype) * gain).flip(0, 1).expand(c, 1, *taps.shape)  # conv2d correlates
    return F.conv2d(F.pad(x, padding), kernel, groups=c)[:, :, :: down[0], :: down[1]]


def up2(x: Tensor, taps: Tensor) -> Tensor:
    return upfirdn(x, taps, (2, 1, 2, 1), up=(2, 2), gain=4)


def down2(x: Tensor, taps: Tensor) -> Tensor:
    return upfirdn(x, taps, (1, 1, 1, 1), down=(2, 2))


def norm2(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def lrelu(x: Tensor, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    x = F.leaky_relu(x, 0.2) * (sqrt(2) * gain)
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def fully_connected(layer: FullyConnected, x: Tensor) -> Tensor:
    x = x @ (layer.weight * (layer.lr / sqrt(layer.weight.shape[1]))).T + layer.bias * layer.lr
    return lrelu(x) if layer.activation == "lrelu" else x


def mapped(mapping: nn.Module, z: Tensor | None, c: Tensor | None = None) -> Tensor:
    """w [N, w_dim]; without z, what a discriminator's mapping makes of the condition."""
    layers = dict(mapping.named_children())
    embed = layers.pop("embed", None)
    inputs = [] if z is None else [norm2(z)]
    if isinstance(embed, FullyConnected):
        assert c is not None
        inputs.append(norm2(fully_connected(embed, c)))
    x = torch.cat(inputs, 1)
    for layer in layers.values():
        assert isinstance(layer, FullyConnected)
        x = fully_connected(layer, x)
    return x


def convolved(layer: Convolution, x: Tensor, clamp: float | None, gain: float = 1.0, resample: str = "") -> Tensor:
    """Of a discriminator; without bias, a skip, which is linear."""
    weight = layer.weight / sqrt(layer.weight[0].numel())
    kernel = weight.shape[2]
    if resample == "down" and kernel == 1:
        x = F.conv2d(down2(x, layer.resample_filter), weight)
    elif resample == "down":
        x = F.conv2d(upfirdn(x, layer.resample_filter, (2, 2, 2, 2)), weight, stride=2)
    else:
        x = F.conv2d(x, weight, padding=kernel // 2)
    if resample == "up":
        x = up2(x, layer.resample_filter)
    return x * gain if layer.bias is None else lrelu(x + layer.bias[:, None, None], gain, clamp)


def modulated(layer: SynthesisLayer, x: Tensor, styles: Tensor, per_sample: bool) -> Tensor:
    """x [N, i, h, w] convolved with weights that are modulated by styles [N, i] and demodulated."""
    n, i, h, w = x.shape
    o = len(layer.weight)
    own = layer.weight * styles[:, None, :, None, None]  # [N, o, i, 3, 3]
    coefficients = (own.square().sum((2, 3, 4)) + 1e-8).rsqrt()
    if per_sample:
        own = own * coefficients[:, :, None, None, None]
        x, groups = x.reshape(1, n * i, h, w), n
        kernel = own.transpose(1, 2).reshape(n * i, o, 3, 3) if layer.up else own.reshape(n * o, i, 3, 3)
    else:
        x, groups = x * styles[:, :, None, None], 1
        kernel = layer.weight.transpose(0, 1) if layer.up else layer.weight
    if layer.up:
        x = F.conv_transpose2d(x, kernel, stride=2, groups=groups)
        x = upfirdn(x, layer.resample_filter, (1, 1, 1, 1), gain=4)
    else:
        x = F.conv2d(x, kernel, padding=1, groups=groups)
    return x.reshape(n, o, *x.shape[2:]) if per_sample else x * coefficients[:, :, None, None]


def synthesis_layer(
    layer: SynthesisLayer, x: Tensor, w: Tensor, noise: str, clamp: float | None, gain: float, per_sample: bool
) -> Tensor:
    x = modulated(layer, x, fully_connected(layer.affine, w), per_sample)
    if noise == "random":
        x = x + torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype) * layer.noise_strength
    elif noise == "const":
        x = x + layer.noise_const * layer.noise_strength
    return lrelu(x + layer.bias[:, None, None], gain, clamp)


def to_rgb(layer: ToRGB, x: Tensor, w: Tensor, clamp: float | None) -> Tensor:
    styles = fully_connected(layer.affine, w) / sqrt(layer.weight.shape[1])
    x = F.conv2d(x * styles[:, :, None, None], layer.weight, layer.bias)
    return x if clamp is None else x.clamp(-clamp, clamp)


def synthesised(g: Generator, w: Tensor, noise: str = "const", per_sample: bool = False) -> Tensor:
    """Images [N, C, R, R] of w [N, w_dim], or of ws [N, num_ws, w_dim]."""
    ws = w if w.dim() == 3 else w[:, None].expand(-1, g.architecture.num_ws, -1)
    clamp, form = g.architecture.conv_clamp, g.architecture.g_architecture
    x, image, number = torch.empty(0), None, 0
    for resolution in g.architecture.resolutions:
        block = getattr(g.synthesis, f"b{resolution}")
        shortcut, gain = None, 1.0
        if resolution == 4:
            x = block.const.expand(len(ws), -1, -1, -1)
        else:
            if form == "resnet":
                shortcut, gain = convolved(block.skip, x, None, HALF, "up"), HALF
            x = synthesis_layer(block.conv0, x, ws[:, number], noise, clamp, 1.0, per_sample)
            number += 1
        x = synthesis_layer(block.conv1, x, ws[:, number], noise, clamp, gain, per_sample)
        number += 1
        x = x if shortcut is None else x + shortcut
        if image is not None:
            image = up2(image, block.resample_filter)
        if form == "skip" or resolution == g.architecture.size:
            rgb = to_rgb(block.torgb, x, ws[:, number], clamp)
            image = rgb if image is None else image + rgb
    assert image is not None
    return image


def with_minibatch_std(x: Tensor, group: int | None) -> Tensor:
    n, c, h, w = x.shape
    group = min(group or n, n)
    members = x.reshape(group, n // group, 1, c, h, w)
    deviation = ((members - members.mean(0)).square().mean(0) + 1e-8).sqrt().mean((2, 3, 4))
    return torch.cat([x, deviation.reshape(-1, 1, 1, 1).repeat(group, 1, h, w)], 1)


def discriminated(d: Discriminator, images: Tensor, c: Tensor | None = None) -> Tensor:
    """Logits [N, 1] of images [N, C, R, R]."""
    clamp, form = d.architecture.conv_clamp, d.architecture.d_architecture
    x = None
    for resolution in d.architecture.resolutions[:0:-1]:
        block = getattr(d, f"b{resolution}")
        if x is None or form == "skip":
            seen = convolved(block.fromrgb, images, clamp)
            x = seen if x is None else x + seen
            images = down2(images, block.resample_filter)
        y = convolved(block.conv0, x, clamp)
        if form == "resnet":
            x = convolved(block.conv1, y, clamp, HALF, "down") + convolved(block.skip, x, None, HALF, "down")
        else:
            x = convolved(block.conv1, y, clamp, 1.0, "down")
    assert x is not None
    if form == "skip":
        x = x + convolved(d.b4.fromrgb, images, None)
    x = convolved(d.b4.conv, with_minibatch_std(x, d.architecture.mbstd_group), clamp)
    logits = fully_connected(d.b4.out, fully_connected(d.b4.fc, x.flatten(1)))
    if c is None:
        return logits
    towards = mapped(d.mapping, None, c)
    return (logits * towards).sum(1, keepdim=True) / sqrt(towards.shape[1])


def augmented(pipe: AugmentPipe, images: Tensor) -> Tensor:
    """Geometry with exact margins, and colour, with the draws of the pipe."""
    n, _, height, width = images.shape
    draws = Draws(n, pipe.p, images, None)
    drawn = draw_transform(draws, pipe.operations, pipe.strengths, height, width)
    inverse = torch.cat([drawn, torch.tensor([0.0, 0.0, 1.0]).expand(n, 1, 3)], 1)

    pad = len(LOWPASS) // 4
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = torch.tensor([[-x, x, x, -x], [-y, -y, y, y], [1.0, 1.0, 1.0, 1.0]])
    reached = (inverse @ corners)[:, :2].permute(1, 0, 2).flatten(1)
    margins = torch.cat([-reached, reached]).amax(1) + torch.tensor([2 * pad - x, 2 * pad - y] * 2)
    margins = margins.clamp(min=0).minimum(torch.tensor([width - 1.0, height - 1.0] * 2)).ceil()
    left, top, right, bottom = margins.int().tolist()
    images = F.pad(images, (left, right, top, bottom), mode="reflect")
    inverse = shift((left - right) / 2, (top - bottom) / 2) @ inverse

    taps = torch.tensor(LOWPASS) / sum(LOWPASS)
    images = upfirdn(images, taps[None], (6, 5, 0, 0), up=(1, 2), gain=2)
    images = upfirdn(images, taps[:, None], (0, 0, 6, 5), up=(2, 1), gain=2)
    inverse = scale(2, 2) @ inverse @ scale(0.5, 0.5)
    inverse = shift(-0.5, -0.5) @ inverse @ shift(0.5, 0.5)
    tall, wide = 2 * (height + 2 * pad), 2 * (width + 2 * pad)
    inverse = scale(2 / images.shape[3], 2 / images.shape[2]) @ inverse @ scale(wide / 2, tall / 2)
    grid = F.affine_grid(inverse[:, :2], [n, images.shape[1], tall, wide], align_corners=False)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    back = taps.flip(0)  # this pass correlates
    images = upfirdn(images, back[None], (-1, -1, 0, 0), down=(1, 2))
    images = upfirdn(images, back[:, None], (0, 0, -1, -1), down=(2, 1))
    return recoloured(images, draws, pipe.operations, pipe.strengths)


def shift(x: float, y: float) -> Tensor:
    return torch.tensor([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scale(x: float, y: float) -> Tensor:
    return torch.tensor([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])
