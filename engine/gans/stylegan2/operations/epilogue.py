"""What follows a convolution, as one operator: scale, bias, noise, leaky ReLU and clamp, with two derivatives.

    y = clamp(lrelu(x * scale + bias + noise * strength))

x [N, C, h, w] lies channels last; scale [N, C] (styles or demodulation), bias [C], noise [N or 1, 1, h, w] and strength
[] may each be None. The slope of the leaky ReLU is 0.2, or 1 for none. Gains belong into scale, bias and strength.

Images are large and this moves them through memory for a few sums each, so that the passes over them are what it costs.
On a GPU each derivative is one pass of a Triton kernel (`kernels`); elsewhere torch's operators work on a few images at
a time, which then stay in the processor's cache from one operator to the next.

The result is made of straight pieces: with m the slope where y came from, the derivatives are

    g = grad * m      grad_x = g * scale      grad_scale = sum_hw g * x
    grad_bias = sum_nhw g      grad_strength = sum g * noise

and, since m does not change, theirs are again sums of such products. A third derivative is not needed, and refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from engine.gans.stylegan2.operations import kernels
from engine.gans.stylegan2.operations.convolutions import weights_have_gradients

AT_ONCE = 2**22
"""Bytes of an image tensor that torch's operators work on at once, where it has more."""


def epilogue(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    noise: Tensor | None = None,
    strength: Tensor | None = None,
    slope: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """y as above, in the type and the layout of x. Without a scale it may overwrite x, whose values are not needed."""
    if noise is None:
        strength = None
    if clamp is not None:
        # As the images can hold it: else what was clamped lies below the clamp, and gets a gradient that is not there.
        clamp = kernels.rounded(clamp, x.dtype)
    if torch.is_grad_enabled():
        return _Epilogue.apply(x, scale, bias, noise, strength, slope, clamp)
    return _value(x, scale, bias, noise, strength, slope, clamp, in_place=scale is None)


class _Epilogue(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor | None,
        bias: Tensor | None,
        noise: Tensor | None,
        strength: Tensor | None,
        slope: float,
        clamp: float | None,
    ) -> Tensor:
        y = _value(x, scale, bias, noise, strength, slope, clamp, in_place=scale is None)
        if y is x:
            ctx.mark_dirty(x)
        # Without a scale no derivative asks for x, and a straight one asks for y only where it is clamped.
        curved = slope != 1 or clamp is not None
        ctx.save_for_backward(x if scale is not None else None, y if curved else None, scale, noise)
        ctx.form = slope, clamp
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, scale, noise = ctx.saved_tensors
        needed = ctx.needs_input_grad
        wanted = (needed[1], needed[2] and weights_have_gradients(), needed[4] and weights_have_gradients())
        y = None if y is None else y.detach()  # its slope does not change with it
        of_x, of_scale, of_bias, of_strength = _Derivative.apply(grad, y, x, scale, noise, *ctx.form, wanted)
        return of_x, of_scale, of_bias, None, of_strength, None, None


class _Derivative(torch.autograd.Function):
    """The gradients of x, scale, bias and strength; those that are not wanted are None."""

    @staticmethod
    def forward(
        ctx: Any,
        grad: Tensor,
        y: Tensor | None,
        x: Tensor | None,
        scale: Tensor | None,
        noise: Tensor | None,
        slope: float,
        clamp: float | None,
        wanted: tuple[bool, bool, bool],
    ) -> tuple[Tensor | None, ...]:
        ctx.save_for_backward(grad, y, x, scale, noise)
        ctx.form = slope, clamp
        ctx.set_materialize_grads(False)
        return _first_derivative(grad, y, x, scale, noise, slope, clamp, wanted)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        of_grad_x: Tensor | None,
        of_grad_scale: Tensor | None,
        of_grad_bias: Tensor | None,
        of_grad_strength: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        grad, y, x, scale, noise = ctx.saved_tensors
        needed = ctx.needs_input_grad
        slope, clamp = ctx.form
        of_gradients = (of_grad_x, of_grad_scale, of_grad_bias, of_grad_strength)
        wanted = (needed[0], needed[2], needed[3])
        of_grad, of_x, of_scale = _second_derivative(of_gradients, grad, y, x, scale, noise, slope, clamp, wanted)
        return of_grad, None, of_x, of_scale, None, None, None, None


def _value(
    x: Tensor,
    scale: Tensor | None,
    bias: Tensor | None,
    noise: Tensor | None,
    strength: Tensor | None,
    slope: float,
    clamp: float | None,
    in_place: bool,
) -> Tensor:
    if _in_triton(x):
        return kernels.epilogue(x, scale, bias, noise, strength, slope, clamp)
    y = x if in_place else torch.empty_like(x)
    plane = None if noise is None or strength is None else (noise * strength).to(x.dtype)
    for part in _parts(x):
        source, target = x[part], y[part]
        offset = None if bias is None else bias.to(x.dtype)[:, None, None]
        if scale is not None and offset is not None:
            torch.addcmul(offset, source, _of_channels(scale[part], x), out=target)
        elif scale is not None:
            torch.mul(source, _of_channels(scale[part], x), out=target)
        elif offset is not None:
            torch.add(source, offset, out=target)
        elif target is not source:
            target.copy_(source)
        if plane is not None:
            target += plane[part] if len(plane) > 1 else plane
        if slope != 1:
            F.leaky_relu_(target, slope)
        if clamp is not None:
            F.hardtanh_(target, -clamp, clamp)
    return y


def _first_derivative(
    grad: Tensor,
    y: Tensor | None,
    x: Tensor | None,
    scale: Tensor | None,
    noise: Tensor | None,
    slope: float,
    clamp: float | None,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor | None, ...]:
    want_scale, want_bias, want_strength = wanted
    if _in_triton(grad):
        return kernels.epilogue_backward(
            grad, grad if y is None else y, x, scale, noise, slope, clamp, want_scale, want_bias, want_strength
        )
    of_x = torch.empty_like(grad)
    sums_over_pixels, products, over_channels = [], [], []
    for part in _parts(grad):
        straight = _sloped(grad[part], None if y is None else y[part], slope, clamp)
        if want_bias:
            sums_over_pixels.append(straight.sum((0, 2, 3), dtype=_sums(grad)))
        if want_scale:
            assert x is not None
            products.append((straight * x[part]).sum((2, 3), dtype=_sums(grad)))
        if want_strength:
            over_channels.append(straight.sum(1, keepdim=True, dtype=_sums(grad)))
        if scale is not None:
            torch.mul(straight, _of_channels(scale[part], grad), out=of_x[part])
        else:
            of_x[part] = straight
    of_scale = torch.cat(products) if want_scale else None
    of_bias = torch.stack(sums_over_pixels).sum(0) if want_bias else None
    of_strength = None
    if want_strength:
        assert noise is not None
        of_strength = (torch.cat(over_channels) * noise).sum()
    return of_x, of_scale, of_bias, of_strength


def _second_derivative(
    of_gradients: tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None],
    grad: Tensor,
    y: Tensor | None,
    x: Tensor | None,
    scale: Tensor | None,
    noise: Tensor | None,
    slope: float,
    clamp: float | None,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor | None, ...]:
    """Of the loss's derivatives by the four gradients: those by grad, x and scale, None where they are not wanted."""
    of_grad_x, of_grad_scale, of_grad_bias, of_grad_strength = of_gradients
    want_grad, want_x, want_scale = wanted
    if _in_triton(grad):
        return kernels.epilogue_double_backward(
            *of_gradients, grad, grad if y is None else y, x, scale, noise, slope, clamp, *wanted
        )
    of_grad = torch.empty_like(grad) if want_grad else None
    of_x = torch.zeros_like(grad) if want_x and of_grad_scale is not None else None
    products = []
    plane = None if noise is None or of_grad_strength is None else (noise * of_grad_strength).to(grad.dtype)
    for part in _parts(grad):
        own_y = None if y is None else y[part]
        if of_grad is not None:
            total = _total(of_grad_x, of_grad_scale, of_grad_bias, plane, grad, x, scale, part)
            of_grad[part] = _sloped(total, own_y, slope, clamp)
        if of_x is None and not want_scale:
            continue
        straight = _sloped(grad[part], own_y, slope, clamp)
        if of_x is not None and of_grad_scale is not None:
            torch.mul(straight, _of_channels(of_grad_scale[part], grad), out=of_x[part])
        if want_scale and of_grad_x is not None:
            products.append((straight * of_grad_x[part]).sum((2, 3), dtype=_sums(grad)))
    return of_grad, of_x, torch.cat(products) if products else None


def _total(
    of_grad_x: Tensor | None,
    of_grad_scale: Tensor | None,
    of_grad_bias: Tensor | None,
    plane: Tensor | None,
    grad: Tensor,
    x: Tensor | None,
    scale: Tensor | None,
    part: slice,
) -> Tensor:
    """What reaches the part's grad through all four gradients, before the slope."""
    if of_grad_x is None:
        total = torch.zeros_like(grad[part])
    elif scale is not None:
        total = of_grad_x[part] * _of_channels(scale[part], grad)
    else:
        total = of_grad_x[part]
    if of_grad_scale is not None:
        assert x is not None
        total = torch.addcmul(total, x[part], _of_channels(of_grad_scale[part], grad))
    if of_grad_bias is not None:
        total = total + of_grad_bias.to(grad.dtype)[:, None, None]
    if plane is not None:
        total = total + (plane[part] if len(plane) > 1 else plane)
    return total


def _sloped(grad: Tensor, y: Tensor | None, slope: float, clamp: float | None) -> Tensor:
    """grad times the slope at which y came about."""
    if y is not None and clamp is not None:
        grad = torch.ops.aten.hardtanh_backward(grad, y, -clamp, clamp)
    if y is not None and slope != 1:
        grad = torch.ops.aten.leaky_relu_backward(grad, y, slope, True)
    return grad


def _sums(images: Tensor) -> torch.dtype:
    """The type of sums over images."""
    return torch.promote_types(images.dtype, torch.float32)


def _of_channels(values: Tensor, images: Tensor) -> Tensor:
    """[n, C] for images [n, C, h, w], in their type."""
    return values.to(images.dtype)[:, :, None, None]


def _parts(images: Tensor) -> Iterator[slice]:
    """The images in parts of about `AT_ONCE` bytes on a processor, all at once on a GPU."""
    count = len(images)
    whole = images.device.type != "cpu"
    at_once = count if whole else max(1, AT_ONCE * count // max(1, images.numel() * images.element_size()))
    return (slice(start, min(start + at_once, count)) for start in range(0, count, at_once))


def _in_triton(images: Tensor) -> bool:
    return images.device.type == "cuda" and images.dtype in kernels.DTYPES and kernels.usable(images.device)
