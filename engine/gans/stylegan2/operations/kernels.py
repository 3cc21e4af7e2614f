"""Triton kernels for CUDA: the resampling filter, and what follows a convolution ("epilogue"), with its derivatives.

Both only move memory, and torch's operators move it several times. Let A be the bytes of an image tensor; at 256 px,
batch 8, 128 channels in bf16, A = 134 MB. Read and written by torch's operators, and here:

    epilogue (demodulation, bias, noise, leaky ReLU, clamp)      8 A      2 A
    its derivative, of x, scale, bias and strength              16 A      4 A   read grad, y, x; write grad_x
    its second derivative by all of these                       25 A      6 A   read of_grad_x, grad, y, x; write two
    its second derivative by grad_x alone                        8 A      3 A   read of_grad_x, y; write of_grad
    blur, A being its input                                      2 A      2 A
    upsampling, A being its input                               13 A      5 A   no repeated pixels in between
    downsampling, A being its input                           1.25 A   1.25 A

Blur and downsampling cannot move less than a good depthwise convolution, only come nearer to the speed of memory, which
depends on the kernel that cuDNN or torch have for images that lie channels last. The filter is separable: a program
goes down a few rows, adds each row's neighbours across once (three of four reads come from the L1 cache), and keeps the
last sums in registers for the vertical pass.

Sums are made in fp32, in an order that the shapes alone decide, so that runs repeat: each program writes its part to a
buffer, and one more small kernel adds the parts. Nothing waits for the host and all shapes are known beforehand, so
that CUDA graphs can hold these calls once they have been made outside one, where they compile. No autograd here.

Images are [N, C, h, w] in one of DTYPES, best laid channels last (others are copied to that first; to the filter alone
NCHW is as good); scales, biases, noise and strengths in fp32.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

import logging
import os
from functools import cache
from math import inf, prod
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

logger = logging.getLogger(__name__)

try:
    import triton
    import triton.language as tl

    PRESENT = True
except Exception:  # it comes with torch on Linux alone, and a broken one may raise anything
    PRESENT = False

DTYPES = (torch.float32, torch.bfloat16, torch.float16)

PROGRAMS = 2048
"""So many keep a GPU of some hundred cores busy; where there is more work, each program does more of it."""

NOT_SPECIAL = ["height", "width", "out_height", "out_width", "padding", "pixels", "span", "chunks", "noise_step"]
NOT_SPECIAL += ["images", "rows", "programs"]
"""Numbers of which no value has a kernel of its own, as multiples of 16 have among the channels."""


def _jit(function: Any) -> Any:
    return triton.jit(function, do_not_specialize=NOT_SPECIAL) if PRESENT else function


def _launch(kernel: Any, programs: int, *arguments: Any, **blocks: int) -> None:
    """Run as many programs of a kernel, on the device of its tensors.

    Fused multiplication and addition is asked for because Triton 3.9 warns without it, and 3.10 leaves it out.
    """
    with torch.cuda.device_of(next(argument for argument in arguments if isinstance(argument, Tensor))):
        kernel[(programs,)](*arguments, **blocks, enable_fp_fusion=True)


def _blocks(x: Tensor, of_thread: int) -> tuple[int, int]:
    """Pixels and channels of a tile with so many bytes for each of a program's 128 threads, 16 being one access.

    64 channels are 128 bytes of bf16, as much as a GPU moves at once; where there are fewer there are more pixels.
    """
    channels = min(64, 1 << (x.shape[1] - 1).bit_length())
    return 128 * of_thread // x.element_size() // channels, channels


# The resampling filter


def resampled(x: Tensor, use: Literal["blur", "up", "down"], padding: int, gain: float) -> Tensor:
    """[1, 3, 3, 1] in both axes with sum `gain`: the same map as `filters._apply`, in the layout of x.

    `blur` after zero-padding, [N, C, h, w] -> [N, C, h + 2 padding - 3, ...]; `down` with padding 1 and every second
    pixel, -> [N, C, h/2, w/2]; `up` as if zeros were inserted before with padding (2, 1), -> [N, C, 2h, 2w]. Reads x
    (a few rows of it twice, the second time from the L2 cache) and writes the result, once.
    """
    n, channels, height, width = x.shape
    if x.is_contiguous() and not x.is_contiguous(memory_format=torch.channels_last):  # NCHW: planes of one channel
        planes = resampled(x.view(n * channels, 1, height, width), use, padding, gain)
        return planes.view(n, channels, *planes.shape[2:])
    x = _channels_last(x)
    if use == "up":
        out_height, out_width = 2 * height, 2 * width
    else:
        stride = 2 if use == "down" else 1
        out_height, out_width = ((size + 2 * padding - 4) // stride + 1 for size in (height, width))
    y = _empty(x, out_height, out_width)
    columns, of_channels = _blocks(x, 16)
    down, across = (height, width) if use == "up" else (out_height, out_width)
    strips = n * _ceil(across, columns) * _ceil(channels, of_channels)
    # The taller a strip, the fewer rows are read twice. Even, because `_filter` takes two in a turn
    rows = min(16, max(2, strips * down // PROGRAMS // 2 * 2))
    programs, blocks = strips * _ceil(down, rows), {"COLUMNS": columns, "CHANNELS": of_channels}
    if use == "up":
        _launch(_up, programs, x, y, gain / 64, height, width, rows, channels, **blocks)
    else:
        sizes = height, width, out_height, out_width, padding, rows, channels
        _launch(_filter, programs, x, y, gain / 64, *sizes, STRIDE=stride, **blocks)
    return y


@_jit
def _filter(
    x, y, gain, height, width, out_height, out_width, padding, rows, channels,
    STRIDE: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """`rows` rows of y, from three rows of x and two more in each turn, so that two are under way at a time."""
    image, top, column, c = _strip(out_height, out_width, rows, channels, COLUMNS, CHANNELS)
    row, left = top * STRIDE - padding, column * STRIDE - padding
    first = _across(x, image, row, left, height, width, c, channels)
    second = _across(x, image, row + 1, left, height, width, c, channels)
    third = _across(x, image, row + 2, left, height, width, c, channels)
    for i in range(0, rows * STRIDE, 2):
        fourth = _across(x, image, row + i + 3, left, height, width, c, channels)
        fifth = _across(x, image, row + i + 4, left, height, width, c, channels)
        to = top + i // STRIDE
        at = _row(y, image, to, out_height, out_width, channels) + column * channels + c
        inside = (column < tl.where(to < out_height, out_width, 0)) & (c < channels)
        tl.store(at, (first + 3 * (second + third) + fourth) * gain, mask=inside)
        if STRIDE == 1:
            at += out_width * channels
            inside = (column < tl.where(to + 1 < out_height, out_width, 0)) & (c < channels)
            tl.store(at, (second + 3 * (third + fourth) + fifth) * gain, mask=inside)
        first, second, third = third, fourth, fifth


@_jit
def _across(x, image, row, left, height, width, c, channels):
    """A row of x filtered by [1, 3, 3, 1] across, the first tap at the columns `left`; zero outside."""
    end, some = tl.where((row >= 0) & (row < height), width, 0), c < channels
    at = _row(x, image, row, height, width, channels) + left * channels + c
    a = tl.load(at, mask=some & (left >= 0) & (left < end), other=0.0).to(tl.float32)
    at += channels
    b = tl.load(at, mask=some & (left >= -1) & (left < end - 1), other=0.0).to(tl.float32)
    at += channels
    b += tl.load(at, mask=some & (left >= -2) & (left < end - 2), other=0.0).to(tl.float32)
    at += channels
    a += tl.load(at, mask=some & (left >= -3) & (left < end - 3), other=0.0).to(tl.float32)
    return a + 3 * b


@_jit
def _up(x, y, gain, height, width, rows, channels, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr):
    """Two rows of y for each of `rows` of x and the next: each pixel of y is (1, 3) of two of x, in both axes."""
    image, top, column, c = _strip(height, width, rows, channels, COLUMNS, CHANNELS)
    above_left, above_right = _spread(x, image, top - 1, column, height, width, c, channels)
    left, right = _spread(x, image, top, column, height, width, c, channels)
    for row in range(top, top + rows):
        below_left, below_right = _spread(x, image, row + 1, column, height, width, c, channels)
        at = _row(y, image, 2 * row, 2 * height, 2 * width, channels) + 2 * column * channels + c
        inside = (column < tl.where(row < height, width, 0)) & (c < channels)
        tl.store(at, (above_left + 3 * left) * gain, mask=inside)
        tl.store(at + channels, (above_right + 3 * right) * gain, mask=inside)
        at += 2 * width * channels
        tl.store(at, (3 * left + below_left) * gain, mask=inside)
        tl.store(at + channels, (3 * right + below_right) * gain, mask=inside)
        above_left, above_right, left, right = left, right, below_left, below_right


@_jit
def _spread(x, image, row, column, height, width, c, channels):
    """The two pixels that each one of a row becomes across: (1, 3) with its left, (3, 1) with its right neighbour."""
    end, some = tl.where((row >= 0) & (row < height), width, 0), c < channels
    at = _row(x, image, row, height, width, channels) + column * channels + c
    before = tl.load(at - channels, mask=some & (column >= 1) & (column < end), other=0.0).to(tl.float32)
    here = tl.load(at, mask=some & (column < end), other=0.0).to(tl.float32)
    after = tl.load(at + channels, mask=some & (column < end - 1), other=0.0).to(tl.float32)
    return before + 3 * here, 3 * here + after


@_jit
def _strip(height, width, rows, channels, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr):
    """Where this program works: the image, its first row, columns [COLUMNS, 1] and channels [1, CHANNELS]."""
    block = tl.program_id(0)
    c = block % tl.cdiv(channels, CHANNELS) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    block = block // tl.cdiv(channels, CHANNELS)
    column = block % tl.cdiv(width, COLUMNS) * COLUMNS + tl.arange(0, COLUMNS)[:, None]
    block = block // tl.cdiv(width, COLUMNS)
    return block // tl.cdiv(height, rows), block % tl.cdiv(height, rows) * rows, column, c


@_jit
def _row(x, image, row, height, width, channels):
    """Where a row begins. In 64 bits: a batch may have more than 2^31 values, a row does not."""
    return x + (image * height + row).to(tl.int64) * (width * channels)


# The epilogue of a convolution


def epilogue(
    x: Tensor,
    scale: Tensor | None,
    bias: Tensor | None,
    noise: Tensor | None,
    strength: Tensor | None,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """y = clamp(LeakyReLU(scale[n, c] x + bias[c] + strength noise[n or 0, h, w])), rounded once; shaped like x.

    x [N, C, h, w], scale [N, C], bias [C], noise [N or 1, 1, h, w] with strength [], each of which may be None; slope
    1 is linear. Reads x and writes y.
    """
    x = _channels_last(x)
    y = _empty(x, *x.shape[2:])
    cut = _Cut(x, 32)  # two reads under way, as there are in the derivatives
    vectors = _flat(scale), _flat(bias), strength, *_planes(noise, x)
    _launch(_forward, cut.programs, x, y, *vectors, slope, rounded(clamp, x.dtype), *cut.sizes, **cut.blocks)
    return y


def epilogue_backward(
    grad: Tensor,
    y: Tensor,
    x: Tensor | None,
    scale: Tensor | None,
    noise: Tensor | None,
    slope: float,
    clamp: float | None,
    want_scale: bool,
    want_bias: bool,
    want_strength: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of x (like grad), scale [N, C], bias [C] and strength [], None where not wanted, from that of y.

    With g = m grad: scale g, and the sums of g x over pixels, of g over images and pixels, and of g noise over all.
    The slope m is 0 where y is at the clamp, `slope` where y <= 0, else 1, as in torch's operators. Reads grad, y,
    x for the scale's and noise for the strength's gradient; writes grad_x.
    """
    grad, y = _channels_last(grad), _channels_last(y)
    x = _channels_last(x) if x is not None and want_scale else None
    planes = _planes(noise if want_strength else None, y)
    of_x = _empty(grad, *grad.shape[2:])
    cut = _Cut(y, 16, sums=want_scale or want_bias or want_strength)
    of_scale, of_bias = cut.sums(want_scale, *y.shape[:2]), cut.sums(want_bias, y.shape[1])
    of_strength = cut.sums(want_strength)
    tensors = grad, y, x, _flat(scale), of_x, of_scale[1], of_bias[1], of_strength[1]
    numbers = slope, rounded(clamp, y.dtype), *cut.sizes
    _launch(_backward, cut.programs, *tensors, *planes, *numbers, **cut.blocks)
    cut.add_up(of_scale, of_bias, of_strength)
    return of_x, of_scale[0], of_bias[0], of_strength[0]


def epilogue_double_backward(
    of_grad_x: Tensor | None,
    of_grad_scale: Tensor | None,
    of_grad_bias: Tensor | None,
    of_grad_strength: Tensor | None,
    grad: Tensor,
    y: Tensor,
    x: Tensor | None,
    scale: Tensor | None,
    noise: Tensor | None,
    slope: float,
    clamp: float | None,
    want_grad: bool,
    want_x: bool,
    want_scale: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of grad, x (both like grad) and scale [N, C] from those of what `epilogue_backward` gave.

    With its m and g: m (scale of_grad_x + of_grad_scale x + of_grad_bias + of_grad_strength noise), of_grad_scale g,
    and the sum of of_grad_x g over pixels; None where not wanted, or where all that it is made of is None. m has no
    derivative: the epilogue is made of straight pieces. Reads of_grad_x, grad, y, and x if of_grad_scale is there;
    writes the first two.
    """
    grad, y = _channels_last(grad), _channels_last(y)
    of_grad_x = None if of_grad_x is None else _channels_last(of_grad_x)
    given = of_grad_x, of_grad_scale, of_grad_bias, of_grad_strength
    want_grad = want_grad and any(tensor is not None for tensor in given)
    want_x = want_x and of_grad_scale is not None
    want_scale = want_scale and of_grad_x is not None and scale is not None
    if not (want_grad or want_x or want_scale):
        return None, None, None
    x = _channels_last(x) if x is not None and want_grad and of_grad_scale is not None else None
    planes = _planes(noise if want_grad and of_grad_strength is not None else None, y)
    of_grad = _empty(grad, *grad.shape[2:]) if want_grad else None
    of_x = _empty(grad, *grad.shape[2:]) if want_x else None
    cut = _Cut(y, 16, sums=want_scale)
    of_scale = cut.sums(want_scale, *y.shape[:2])
    vectors = _flat(of_grad_scale), _flat(of_grad_bias), of_grad_strength, _flat(scale)
    tensors = grad, y, x, of_grad_x, *vectors, of_grad, of_x, of_scale[1]
    numbers = slope, rounded(clamp, y.dtype), *cut.sizes
    _launch(_double_backward, cut.programs, *tensors, *planes, *numbers, **cut.blocks)
    cut.add_up(of_scale)
    return of_grad, of_x, of_scale[0]


Sums = tuple[Tensor | None, Tensor | None]
"""Sums and their parts."""


class _Cut:
    """How images are cut among programs: each takes `span` pixels of one image in turns, and CHANNELS channels."""

    def __init__(self, x: Tensor, of_thread: int, sums: bool = False):
        self.images, self.channels, height, width = x.shape
        of_pixels, of_channels = _blocks(x, of_thread)
        across, tiles = _ceil(self.channels, of_channels), _ceil(height * width, of_pixels)
        # The more turns a program takes, the fewer parts are left to add
        turns = max(1, min(tiles, self.images * across * tiles // PROGRAMS)) if sums else 1
        self.chunks = _ceil(tiles, turns)
        self.programs = self.images * self.chunks * across
        self.device = x.device
        self.sizes = height * width, self.channels, turns * of_pixels, self.chunks
        self.blocks = {"PIXELS": of_pixels, "CHANNELS": of_channels}

    def sums(self, wanted: bool, *shape: int) -> tuple[Tensor | None, Tensor | None]:
        """Where sums [N, C], [C] or [] will be written, and where their parts will; None if not wanted."""
        if not wanted:
            return None, None
        parts = [self.images * self.chunks * self.channels if shape else self.programs]
        total, part = (torch.empty(of, dtype=torch.float32, device=self.device) for of in (shape, parts))
        return total, part

    def add_up(self, of_scale: Sums, of_bias: Sums = (None, None), of_strength: Sums = (None, None)) -> None:
        """The second step: the sums from their parts, in one launch."""
        images = 0 if of_scale[0] is None else self.images
        jobs = images + (of_bias[0] is not None or of_strength[0] is not None)
        if jobs:
            sizes = images, self.chunks, self.images * self.chunks, self.programs, self.channels
            programs = jobs * _ceil(self.channels, 16)  # of few channels each, for there are not many
            _launch(_add_up, programs, *of_scale, *of_bias, *of_strength, *sizes, ROWS=256, CHANNELS=16)


@_jit
def _forward(
    x, y, scale, bias, strength, noise, noise_step, slope, clamp, pixels, channels, span, chunks,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    image, start, c = _tile(channels, span, chunks, CHANNELS)
    first, pixel, at, inside = _values(image, start, pixels, c, channels, PIXELS)
    value = tl.load(x + first + at, mask=inside, other=0.0).to(tl.float32)
    if scale is not None:
        value *= tl.load(scale + image * channels + c, mask=c < channels, other=0.0)
    if bias is not None:
        value += tl.load(bias + c, mask=c < channels, other=0.0)
    if noise is not None:
        value += tl.load(noise + image * noise_step + pixel, mask=pixel < pixels, other=0.0) * tl.load(strength)
    value = tl.where(value > 0, value, value * slope)
    value = tl.where(value > clamp, clamp, value)  # not minimum and maximum, which would hide that a value is no number
    value = tl.where(value < -clamp, -clamp, value)
    tl.store(y + first + at, value, mask=inside)


@_jit
def _backward(
    grad, y, x, scale, of_x, scale_parts, bias_parts, strength_parts, noise, noise_step, slope, clamp, pixels,
    channels, span, chunks, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    image, begin, c = _tile(channels, span, chunks, CHANNELS)
    if scale is not None:
        factor = tl.load(scale + image * channels + c, mask=c < channels, other=0.0)
    if scale_parts is not None:
        scale_sum = tl.zeros([PIXELS, CHANNELS], tl.float32)
    if bias_parts is not None:
        bias_sum = tl.zeros([PIXELS, CHANNELS], tl.float32)
    if strength_parts is not None:
        strength_sum = tl.zeros([PIXELS, CHANNELS], tl.float32)
    for start in range(begin, begin + span, PIXELS):
        first, pixel, at, inside = _values(image, start, pixels, c, channels, PIXELS)
        found = tl.load(y + first + at, mask=inside, other=0.0).to(tl.float32)
        g = _through(tl.load(grad + first + at, mask=inside, other=0.0).to(tl.float32), found, slope, clamp)
        if scale is not None:
            tl.store(of_x + first + at, g * factor, mask=inside)
        else:
            tl.store(of_x + first + at, g, mask=inside)
        if scale_parts is not None:
            scale_sum += g * tl.load(x + first + at, mask=inside, other=0.0).to(tl.float32)
        if bias_parts is not None:
            bias_sum += g
        if strength_parts is not None:
            strength_sum += g * tl.load(noise + image * noise_step + pixel, mask=pixel < pixels, other=0.0)
    part = (image * chunks + begin // span) * channels + c
    if scale_parts is not None:
        tl.store(scale_parts + part, tl.sum(scale_sum, 0)[None, :], mask=c < channels)
    if bias_parts is not None:
        tl.store(bias_parts + part, tl.sum(bias_sum, 0)[None, :], mask=c < channels)
    if strength_parts is not None:
        tl.store(strength_parts + tl.program_id(0), tl.sum(tl.sum(strength_sum, 0), 0))


@_jit
def _double_backward(
    grad, y, x, of_grad_x, of_grad_scale, of_grad_bias, of_grad_strength, scale, of_grad, of_x, scale_parts,
    noise, noise_step, slope, clamp, pixels, channels, span, chunks, PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr
):  # fmt: skip
    image, begin, c = _tile(channels, span, chunks, CHANNELS)
    if scale is not None:
        factor = tl.load(scale + image * channels + c, mask=c < channels, other=0.0)
    if of_grad_scale is not None:
        along_scale = tl.load(of_grad_scale + image * channels + c, mask=c < channels, other=0.0)
    if of_grad_bias is not None:
        along_bias = tl.load(of_grad_bias + c, mask=c < channels, other=0.0)
    if of_grad_strength is not None:
        along_strength = tl.load(of_grad_strength)
    if scale_parts is not None:
        scale_sum = tl.zeros([PIXELS, CHANNELS], tl.float32)
    for start in range(begin, begin + span, PIXELS):
        first, pixel, at, inside = _values(image, start, pixels, c, channels, PIXELS)
        found = tl.load(y + first + at, mask=inside, other=0.0).to(tl.float32)
        if of_grad_x is not None:
            along_x = tl.load(of_grad_x + first + at, mask=inside, other=0.0).to(tl.float32)
        if of_x is not None or scale_parts is not None:
            g = _through(tl.load(grad + first + at, mask=inside, other=0.0).to(tl.float32), found, slope, clamp)
            if of_x is not None:
                tl.store(of_x + first + at, g * along_scale, mask=inside)
            if scale_parts is not None:
                scale_sum += g * along_x
        if of_grad is not None:
            total = tl.zeros([PIXELS, CHANNELS], tl.float32)
            if of_grad_x is not None:
                if scale is not None:
                    total += along_x * factor
                else:
                    total += along_x
            if of_grad_scale is not None:
                total += along_scale * tl.load(x + first + at, mask=inside, other=0.0).to(tl.float32)
            if of_grad_bias is not None:
                total += along_bias
            if of_grad_strength is not None:
                total += along_strength * tl.load(noise + image * noise_step + pixel, mask=pixel < pixels, other=0.0)
            tl.store(of_grad + first + at, _through(total, found, slope, clamp), mask=inside)
    if scale_parts is not None:
        part = (image * chunks + begin // span) * channels + c
        tl.store(scale_parts + part, tl.sum(scale_sum, 0)[None, :], mask=c < channels)


@_jit
def _add_up(
    of_scale, scale_parts, of_bias, bias_parts, of_strength, strength_parts, images, chunks, rows, programs,
    channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """The scale's sums of an image, or, behind all images, the bias's; the first of those adds the strength's."""
    block = tl.program_id(0)
    image = block // tl.cdiv(channels, CHANNELS)
    c = block % tl.cdiv(channels, CHANNELS) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    if image < images:
        if of_scale is not None:
            total = _column_sums(scale_parts + image * chunks * channels, chunks, c, channels, ROWS, CHANNELS)
            tl.store(of_scale + image * channels + c, total, mask=c < channels)
    else:
        if of_bias is not None:
            total = _column_sums(bias_parts, rows, c, channels, ROWS, CHANNELS)
            tl.store(of_bias + c, total, mask=c < channels)
        if of_strength is not None:  # noqa: SIM102  this is known when the kernel is compiled, the next is not
            if block == images * tl.cdiv(channels, CHANNELS):
                single = tl.zeros([1, 1], tl.int32)
                tl.store(of_strength + single, _column_sums(strength_parts, programs, single, 1, 8 * ROWS, 1))


@_jit
def _column_sums(parts, rows, c, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """The sums of the columns c [1, CHANNELS] of a matrix [rows, channels], always in the same order."""
    total = tl.zeros([ROWS, CHANNELS], tl.float32)
    for start in range(0, rows, ROWS):
        row = start + tl.arange(0, ROWS)[:, None]
        total += tl.load(parts + row * channels + c, mask=(row < rows) & (c < channels), other=0.0)
    return tl.sum(total, 0)[None, :]


@_jit
def _tile(channels, span, chunks, CHANNELS: tl.constexpr):
    """Where this program works: the image, its first pixel of it, and the channels [1, CHANNELS]."""
    block = tl.program_id(0)
    c = block % tl.cdiv(channels, CHANNELS) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    block = block // tl.cdiv(channels, CHANNELS)
    return block // chunks, block % chunks * span, c


@_jit
def _values(image, start, pixels, c, channels, PIXELS: tl.constexpr):
    """A tile: its begin (in 64 bits: a batch may have more than 2^31 values), pixels, and what lies where behind it."""
    i = tl.arange(0, PIXELS)[:, None]
    first = (image * pixels + start).to(tl.int64) * channels
    return first, start + i, i * channels + c, (start + i < pixels) & (c < channels)


@_jit
def _through(value, y, slope, clamp):
    """The value times the slope at y, and none of it, be it infinite, at the clamp."""
    return tl.where(tl.abs(y) >= clamp, 0.0, tl.where(y > 0, value, value * slope))


# Parts of both


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _empty(x: Tensor, height: int, width: int) -> Tensor:
    """An image like x of another size, channels last."""
    shape = *x.shape[:2], height, width
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _flat(vector: Tensor | None) -> Tensor | None:
    return None if vector is None else vector.contiguous()


def _planes(noise: Tensor | None, x: Tensor) -> tuple[Tensor | None, int]:
    """The noise, and how far one image's is from the next one's."""
    if noise is None:
        return None, 0
    if len(noise) not in (1, len(x)) or noise.shape[1:] != (1, *x.shape[2:]):
        raise ValueError(f"noise {list(noise.shape)} does not fit images {list(x.shape)}")  # it would be read beyond
    return noise.contiguous(), 0 if len(noise) == 1 else x.shape[2] * x.shape[3]


@cache
def rounded(clamp: float | None, dtype: torch.dtype) -> float:
    """The clamp as a value of the images, so that y is known to be there: bf16 makes 181 of 256 / sqrt(2)."""
    return inf if clamp is None else torch.tensor(clamp, dtype=dtype).item()


# Whether they can be used

_usable: dict[int, bool] = {}


def usable(device: torch.device) -> bool:
    """Whether the kernels run on this device: CUDA of capability 8.0 and more, with Triton and a C compiler.

    Tried out once a device and process, on small images, which compiles for some seconds on a machine's first run and
    waits for the device; not while a CUDA graph is recorded (False then, if nothing is known yet). Where they do not
    run on a GPU one sentence says why. The environment variable ERSATZ_TRITON=0 turns them off.
    """
    if device.type != "cuda":
        return False
    index = torch.cuda.current_device() if device.index is None else device.index
    if index not in _usable:
        if torch.cuda.is_current_stream_capturing():
            return False
        obstacle = _obstacle(torch.device("cuda", index))
        _usable[index] = obstacle is None
        if obstacle is not None:
            logger.warning(f"{obstacle}; torch's operators are used instead, which are slower.")
    return _usable[index]


def _obstacle(device: torch.device) -> str | None:
    if os.environ.get("ERSATZ_TRITON") == "0":
        return "ERSATZ_TRITON=0 turns the Triton kernels off"
    if not PRESENT:
        return "Triton, which the fast kernels for CUDA need, is not installed"
    major, minor = torch.cuda.get_device_capability(device)
    if major < 8:
        return f"The Triton kernels need a GPU of compute capability 8.0 or more, and this one has {major}.{minor}"
    try:
        wrong = _differing(_tried(device))
    except Exception as error:  # whatever a compiler, a driver or a linker may raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return f"The Triton kernels cannot be compiled or run here ({reason})"
    return f"The Triton kernels give wrong numbers on this GPU ({', '.join(wrong)})" if wrong else None


def _tried(device: torch.device) -> dict[str, tuple[Tensor | None, Tensor]]:
    """What every kernel gives on this device in bf16, and plain formulas on the CPU; without random numbers."""

    def wave(*shape: int, phase: int) -> Tensor:
        return (torch.arange(prod(shape)) * 0.37 + phase).sin().mul(1.7).bfloat16().float().view(shape)

    def there(image: Tensor) -> Tensor:
        return image.to(device, torch.bfloat16, memory_format=torch.channels_last)

    def planes(vector: Tensor) -> Tensor:
        return vector[..., None, None]

    x, grad, along_x = (wave(2, 64, 8, 8, phase=phase) for phase in range(3))
    scale, bias, strength = wave(2, 64, phase=3), wave(64, phase=4), wave(phase=5)
    along_scale, along_bias, along_strength = wave(2, 64, phase=6), wave(64, phase=7), wave(phase=8)
    noise = wave(2, 1, 8, 8, phase=9)
    slope, clamp = 0.2, 1.5

    y = epilogue(there(x), scale.to(device), bias.to(device), noise.to(device), strength.to(device), slope, clamp)
    here = y.float().cpu()
    m = torch.where(here > 0, 1.0, slope) * (here.abs() < clamp)
    known = there(grad), y, there(x), scale.to(device), noise.to(device), slope, clamp
    first = epilogue_backward(*known, True, True, True)
    second = epilogue_double_backward(
        there(along_x),
        along_scale.to(device),
        along_bias.to(device),
        along_strength.to(device),
        *known,
        True,
        True,
        True,
    )
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    taps, g = (row[:, None] * row / 64).expand(64, 1, 4, 4), m * grad
    return {
        "blur": (resampled(there(x), "blur", 2, 1.0), F.conv2d(x, taps, padding=2, groups=64)),
        "down": (resampled(there(x), "down", 1, 1.0), F.conv2d(x, taps, stride=2, padding=1, groups=64)),
        "up": (resampled(there(x), "up", 1, 1.0), F.conv_transpose2d(x, taps, stride=2, padding=1, groups=64)),
        "y": (y, F.leaky_relu(planes(scale) * x + planes(bias) + strength * noise, slope).clamp(-clamp, clamp)),
        "gradient of x": (first[0], planes(scale) * g),
        "gradient of the scale": (first[1], (g * x).sum((2, 3))),
        "gradient of the bias": (first[2], g.sum((0, 2, 3))),
        "gradient of the strength": (first[3], (g * noise).sum()),
        "second gradient of the gradient": (
            second[0],
            m * (planes(scale) * along_x + planes(along_scale) * x + planes(along_bias) + along_strength * noise),
        ),
        "second gradient of x": (second[1], planes(along_scale) * g),
        "second gradient of the scale": (second[2], (g * along_x).sum((2, 3))),
    }


def _differing(results: dict[str, tuple[Tensor | None, Tensor]]) -> list[str]:
    """The names of those that differ by more than the rounding of bf16."""

    def agree(found: Tensor | None, expected: Tensor) -> bool:
        tolerance = 0.01 * expected.abs().max().item()
        return found is not None and torch.allclose(found.float().cpu(), expected, rtol=0.01, atol=tolerance)

    return [name for name, (found, expected) in results.items() if not agree(found, expected)]
