"""Layers of StyleGAN2 (arXiv 1912.04958): equalised learning rate, modulation and demodulation, noise, ToRGB.

Weights are stored with unit variance and scaled at run time (equalised learning rate, arXiv 1710.10196 section 4.1).
Convolutions run in the precision of their input; styles, demodulation and their weights' sums stay in fp32. The
gains of activations and of the equalised learning rate are folded into weights and biases, which cost less to scale
than images do: LeakyReLU(g x) = g LeakyReLU(x) for g > 0.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.gans.stylegan2.convolutions import convolved
from engine.gans.stylegan2.epilogue import epilogue
from engine.gans.stylegan2.filters import blurred, downsampled, resample_filter, upsampled

Activation = Literal["linear", "lrelu"]
Noise = Literal["const", "random", "none"]
SLOPE = 0.2
SLOPES = {"linear": 1.0, "lrelu": SLOPE}
GAINS = {"linear": 1.0, "lrelu": sqrt(2)}


def norm2(x: Tensor) -> Tensor:
    """Each row of x [N, D] divided by its root mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def cast_with_energy(weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """weight [o, i, k, k] as `dtype`, and the sum of its squares over each kernel, [o, i]."""
    if torch.is_grad_enabled():
        return _CastWithEnergy.apply(weight, dtype)
    return weight.to(dtype), weight.square().sum((2, 3))


class _CastWithEnergy(torch.autograd.Function):
    """Both in one, because the gradients of both then come together in one pass over the weight."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(weight)
        return weight.to(dtype, copy=True), weight.square().sum((2, 3))

    @staticmethod
    def backward(ctx: Any, of_cast: Tensor, of_energy: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return torch.addcmul(of_cast.to(weight.dtype), weight, 2 * of_energy[:, :, None, None]), None


class FullyConnected(nn.Module):
    """x [N, i] -> [N, o], with equalised learning rate; `lr` multiplies that rate (0.01 in mapping networks)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Activation = "linear",
        lr: float = 1.0,
        initial_bias: float = 0.0,
    ):
        super().__init__()
        self.activation: Activation = activation
        self.lr = lr
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full([outputs], initial_bias))

    def forward(self, x: Tensor) -> Tensor:
        gain = GAINS[self.activation] * self.lr
        x = x * (gain / sqrt(self.weight.shape[1]))  # smaller than the weight
        x = torch.addmm(self.bias * gain, x, self.weight.T)
        return F.leaky_relu_(x, SLOPE) if self.activation == "lrelu" else x


class Convolution(nn.Module):
    """x [N, i, h, w] -> [N, o, h, w], or twice or half the size; the discriminator's, and the generator's skips.

    `gain` multiplies the activation's own gain, and the clamp. With `frozen`, weight and bias are buffers.
    """

    weight: Tensor
    bias: Tensor | None
    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        bias: bool = True,
        activation: Activation = "lrelu",
        resample: Literal["up", "down", None] = None,
        gain: float = 1.0,
        clamp: float | None = None,
        frozen: bool = False,
    ):
        super().__init__()
        self.activation: Activation = activation
        self.resample = resample
        self.weight_gain = 1 / sqrt(inputs * kernel**2)
        self.gain = gain * GAINS[activation]
        self.clamp = None if clamp is None else clamp * gain
        self.register_buffer("resample_filter", resample_filter())
        weight = torch.randn(outputs, inputs, kernel, kernel)
        values = {"weight": weight, "bias": torch.zeros(outputs) if bias else None}
        for name, value in values.items():
            if frozen:
                self.register_buffer(name, value)
            else:
                self.register_parameter(name, None if value is None else nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * (self.weight_gain * self.gain)).to(x.dtype)
        kernel = weight.shape[-1]
        if self.resample == "down":
            x = convolved(downsampled(x), weight) if kernel == 1 else convolved(blurred(x, 2), weight, stride=2)
        elif self.resample == "up":  # only the 1x1 skips of a 'resnet' generator
            x = upsampled(convolved(x, weight))
        else:
            x = convolved(x, weight, padding=kernel // 2)
        if self.bias is None and self.activation == "linear" and self.clamp is None:
            return x
        bias = None if self.bias is None else self.bias * self.gain
        return epilogue(x, bias=bias, slope=SLOPES[self.activation], clamp=self.clamp)


class SynthesisLayer(nn.Module):
    """A 3x3 convolution modulated by w, with noise: x [N, i, h, w] and w [N, w_dim] -> [N, o, r, r].

    Scaling the activations by the styles before, and by the demodulation after one convolution with the shared
    weights, equals convolving each sample with weights of its own (appendix B of the paper), without building those.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        *,
        up: bool = False,
        gain: float = 1.0,
        clamp: float | None = None,
    ):
        super().__init__()
        self.resolution, self.up = resolution, up
        self.gain = gain * GAINS["lrelu"]
        self.clamp = None if clamp is None else clamp * gain
        self.affine = FullyConnected(w_dim, inputs, initial_bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", resample_filter())

    def forward(self, x: Tensor, w: Tensor, noise: Noise | Tensor = "const") -> Tensor:
        styles: Tensor = self.affine(w)
        weight: Tensor = self.weight
        if x.dtype == torch.float16:  # keeps sums in range; cancelled by the demodulation
            weight = weight / (weight.abs().amax((1, 2, 3), keepdim=True) * sqrt(weight[0].numel()))
            styles = styles / styles.abs().amax(1, keepdim=True)
        weight, energy = cast_with_energy(weight, x.dtype)
        demodulation = (styles.square() @ energy.T + 1e-8).rsqrt() * self.gain  # [N, o]

        x = epilogue(x, styles)
        if self.up:
            x = blurred(convolved(x, weight.transpose(0, 1), stride=2, transposed=True), 1, gain=4.0)
        else:
            x = convolved(x, weight, padding=1)
        plane, strength = self.noise_plane(noise, len(x)), self.noise_strength * self.gain
        return epilogue(x, demodulation, self.bias * self.gain, plane, strength, SLOPE, self.clamp)

    def noise_plane(self, noise: Noise | Tensor, batch: int) -> Tensor | None:
        """The noise before its strength, [batch or 1, 1, r, r]; None for none."""
        if isinstance(noise, Tensor):
            return noise
        if noise == "random":
            return torch.randn(
                [batch, 1, self.resolution, self.resolution], device=self.weight.device, dtype=self.weight.dtype
            )
        return self.noise_const[None, None] if noise == "const" else None


class ToRGB(nn.Module):
    """A 1x1 convolution modulated by w, not demodulated: x [N, i, r, r] and w [N, w_dim] -> [N, channels, r, r]."""

    def __init__(self, inputs: int, channels: int, w_dim: int, *, clamp: float | None = None):
        super().__init__()
        self.clamp = clamp
        self.style_gain = 1 / sqrt(inputs)
        self.affine = FullyConnected(w_dim, inputs, initial_bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = convolved(epilogue(x, self.affine(w) * self.style_gain), self.weight.to(x.dtype))
        return epilogue(x, bias=self.bias, clamp=self.clamp)
