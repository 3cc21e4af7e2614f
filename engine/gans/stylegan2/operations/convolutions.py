"""Convolutions whose double backward is as fast as their backward.

A convolution and the transposed one with the same weight are each other's adjoint, and a weight's gradient is linear in
both of what it is made of; so all derivatives of any order are calls of the same three operators. torch's own double
backward instead takes an image for a kernel as large as itself, which takes two or three times as long.

Images lie channels last, where a 1x1 convolution is a matrix product of the pixels. From or to grey images it is
computed as one: torch's convolution is up to fifty times slower there on a CPU, and forgets the layout. In fp32 on a
CPU large 3x3 convolutions go tile by tile (`winograd`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.devices import cpu_multiplies_bf16
from engine.gans.stylegan2.operations.winograd import convolved_in_tiles, pays, weight_gradient_in_tiles

_weights_too = True


@contextmanager
def gradients_of_images_only() -> Iterator[None]:
    """Leave out the gradients of weights in a backward pass that ends at images or at w.

    torch does so by itself for its own operators, but gives other operators no sign of what a pass is for. (Not a
    thread's own state, because on a GPU another thread does the pass.)
    """
    global _weights_too
    _weights_too = False
    try:
        yield
    finally:
        _weights_too = True


def weights_have_gradients() -> bool:
    """Whether the backward pass that runs now is to compute the gradients of weights."""
    return _weights_too


def convolved(x: Tensor, weight: Tensor, *, stride: int = 1, padding: int = 0, transposed: bool = False) -> Tensor:
    """x [N, i, h, w] by weight [o, i, k, k], or transposed by weight [i, o, k, k].

    A transposed convolution gives the smallest size that the plain one would make x from.
    """
    if torch.is_grad_enabled():
        return _Convolution.apply(x, weight, stride, padding, transposed)
    return _apply(x, weight, stride, padding, transposed)


def _apply(x: Tensor, weight: Tensor, stride: int, padding: int, transposed: bool) -> Tensor:
    if _emulated(x):
        return _apply(x.float(), weight.float(), stride, padding, transposed).to(x.dtype)
    if _in_tiles(weight, stride, padding) and pays(x, weight.shape[1 if transposed else 0]):
        return convolved_in_tiles(x, weight, transposed)
    if not _from_or_to_grey(weight):
        operator = F.conv_transpose2d if transposed else F.conv2d
        return operator(x, weight, stride=stride, padding=padding)
    matrix = weight[:, :, 0, 0] if transposed else weight[:, :, 0, 0].T
    n, _, h, w = x.shape
    y = torch.empty(n, matrix.shape[1], h, w, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    torch.mm(_pixels(x), matrix, out=_pixels(y))
    return y


def _in_tiles(weight: Tensor, stride: int, padding: int) -> bool:
    return weight.shape[2] == 3 and stride == 1 and padding == 1


def _from_or_to_grey(weight: Tensor) -> bool:
    return weight.shape[2] == 1 and 1 in weight.shape[:2]


def _pixels(x: Tensor) -> Tensor:
    """Images [N, C, h, w] as rows [N h w, C], without a copy if they lie channels last."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, transposed: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.form = stride, padding, transposed
        return _apply(x, weight, stride, padding, transposed)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, transposed = ctx.form
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = convolved(grad, weight, stride=stride, padding=padding, transposed=not transposed)
        if ctx.needs_input_grad[1] and _weights_too:
            of_weight = _WeightGradient.apply(grad, x, weight.detach(), stride, padding, transposed)
        return of_x, of_weight, None, None, None


class _WeightGradient(torch.autograd.Function):
    """The gradient of a weight, of which only the shape is used, from that of the output and from the input."""

    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, transposed: bool
    ) -> Tensor:
        ctx.save_for_backward(grad, x)
        ctx.form = stride, padding, transposed
        if transposed:  # what the plain convolution makes of the other
            grad, x = x, grad
        if _emulated(x):
            return _weight_gradient(grad.float(), x.float(), weight, stride, padding).to(x.dtype)
        return _weight_gradient(grad, x, weight, stride, padding)

    @staticmethod
    def backward(ctx: Any, of_weight: Tensor) -> tuple[Tensor | None, ...]:
        grad, x = ctx.saved_tensors
        stride, padding, transposed = ctx.form
        of_grad = of_x = None
        if ctx.needs_input_grad[0]:
            of_grad = convolved(x, of_weight, stride=stride, padding=padding, transposed=transposed)
        if ctx.needs_input_grad[1]:
            of_x = convolved(grad, of_weight, stride=stride, padding=padding, transposed=not transposed)
        return of_grad, of_x, None, None, None, None


def _weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """That of a plain convolution's weight [o, i, k, k], of which only the shape is used."""
    if _in_tiles(weight, stride, padding) and pays(x, grad.shape[1]):
        return weight_gradient_in_tiles(grad, x)
    if _from_or_to_grey(weight):
        return (_pixels(grad).T @ _pixels(x))[:, :, None, None]
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and (stride > 1 or x.shape[2] <= 8):
        return _from_patches(grad, x, weight.shape[2], stride, padding)
    sizes, only_weight = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1), [False, True, False]
    return torch.ops.aten.convolution_backward(grad, x, weight.to(x.dtype), None, *sizes, only_weight)[1]


def _emulated(x: Tensor) -> bool:
    """Whether torch would compute in bf16 without instructions for it: slower than fp32, and its sums are rounded."""
    return x.device.type == "cpu" and x.dtype == torch.bfloat16 and not cpu_multiplies_bf16()


AT_ONCE = 2**24
"""Bytes of patches that are made at once, to stay in the caches."""


def _from_patches(grad: Tensor, x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """A weight's gradient from all patches of x: of small or strided images a CPU's fastest way, and most exact.

    grad [N, o, h, w] and x [N, i, ...] -> [o, i, kernel, kernel].
    """
    if padding:
        x = F.pad(x, (padding,) * 4)
    _, o, h, w = grad.shape
    i = x.shape[1]
    total = torch.zeros(o, kernel**2 * i)
    samples = max(1, AT_ONCE // (h * w * kernel**2 * i * x.element_size()))
    for some_grad, some in zip(grad.split(samples), x.split(samples), strict=True):
        sample, channel, down, right = some.stride()
        strides = (sample, stride * down, stride * right, down, right, channel)
        patches = some.as_strided((len(some), h, w, kernel, kernel, i), strides, some.storage_offset())
        total += _pixels(some_grad).T @ patches.reshape(-1, kernel**2 * i)
    return total.view(o, kernel, kernel, i).permute(0, 3, 1, 2).to(x.dtype)
