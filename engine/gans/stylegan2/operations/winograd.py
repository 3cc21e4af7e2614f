"""3x3 convolutions on a CPU with a quarter of the multiplications (Winograd's minimal filtering, arXiv 1509.09308).

Four outputs of a 3-tap filter take 12 multiplications one by one, and 6 as A^T[(G g) * (B^T d)]: the filter and the six
inputs are evaluated as polynomials at the points 0, 1, -1, 1/2, -2 and infinity, multiplied there, and interpolated
(Toom and Cook). In both axes that is 36 products for 16 outputs of a pixel tile where 144 are usual, each one a matrix
product over the channels, and the evaluations are products with small matrices.

The points were chosen for fp32: the error is twice that of the direct sum (1.5e-6 and 0.85e-6 of the image's length at
256 channels), and it does not grow with the values' size. The gradient of the weight is the same map read backwards:
G^T[(B^T d) * (A grad)].
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

TILE = 4
"""Outputs of a tile along an axis."""
POINTS = 6
"""Points of evaluation along an axis, and inputs of a tile: each tile reads one pixel more on either side."""
FEWEST_CHANNELS, FEWEST_TILES = 64, 32
"""Fewer were not faster, or not tried."""
NUMBERS_AT_ONCE = 2**16
"""Tiles times channels that are worked on together: 9 MiB a buffer, of which two or three are in use."""

# fmt: off
EVALUATE = [  # B^T: six inputs -> their polynomial at the six points
    [1, -3/2,   -2,  3/2,   1, 0],
    [0,   -1,  1/2,  5/2,   1, 0],
    [0,    1, -5/2,  1/2,   1, 0],
    [0,   -2,   -1,    2,   1, 0],
    [0,  1/2,   -1, -1/2,   1, 0],
    [0,    1, -3/2,   -2, 3/2, 1],
]
EVALUATE_FILTER = [  # G: three taps -> their polynomial at the points, over the interpolation's denominators
    [     1,     0,     0],
    [   1/3,   1/3,   1/3],
    [  -1/3,   1/3,  -1/3],
    [-16/15, -8/15, -4/15],
    [  1/15, -2/15,  4/15],
    [     0,     0,     1],
]
INTERPOLATE = [  # A^T: the products -> four outputs
    [1, 1,  1,   1,  1, 0],
    [0, 1, -1, 1/2, -2, 0],
    [0, 1,  1, 1/4,  4, 0],
    [0, 1, -1, 1/8, -8, 1],
]
# fmt: on


def pays(x: Tensor, outputs: int) -> bool:
    """Whether images [N, i, h, w] are convolved faster like this to [N, outputs, h, w]: by their shape alone."""
    n, inputs, h, w = x.shape
    whole = h % TILE == 0 and w % TILE == 0
    tiles = n * (h // TILE) * (w // TILE)
    fp32 = x.device.type == "cpu" and x.dtype == torch.float32
    return fp32 and whole and min(inputs, outputs) >= FEWEST_CHANNELS and tiles >= FEWEST_TILES


def convolved_in_tiles(x: Tensor, weight: Tensor, transposed: bool) -> Tensor:
    """x [N, i, h, w], h and w multiples of 4, by weight [o, i, 3, 3] with padding 1 -> [N, o, h, w], channels last.

    Or `transposed` by weight [i, o, 3, 3]. Without gradients.
    """
    filters = _evaluated_filters(weight, transposed)  # [36, i, o]
    inputs, outputs = filters.shape[1:]
    matrices = _matrices(x.dtype)
    y = torch.empty(len(x), outputs, *x.shape[2:], dtype=x.dtype, memory_format=torch.channels_last)
    pixels = y.permute(0, 2, 3, 1)
    grid = _Grid.of(x, max(inputs, outputs))
    one, other = (_workspace.buffer(name, grid.numbers, x.dtype) for name in ("one", "other"))
    for block in grid.blocks():
        products = _view(other, POINTS**2, block.tiles, outputs)
        torch.bmm(grid.evaluated(x, block, one, other), filters, out=products)
        # The products may be overwritten from here on, each axis into the buffer that the other one left.
        half = _along_rows(matrices.interpolate, products, one)
        done = _along_columns(matrices.interpolate, half, other).view(TILE, TILE, *block.shape, outputs)
        block.tiled(pixels).copy_(done.permute(2, 3, 0, 4, 1, 5))
    return y


def weight_gradient_in_tiles(grad: Tensor, x: Tensor) -> Tensor:
    """[o, i, 3, 3] from the gradient [N, o, h, w] of a convolution's output and its input x [N, i, h, w]; padding 1."""
    inputs, outputs = x.shape[1], grad.shape[1]
    matrices = _matrices(x.dtype)
    total = _workspace.buffer("filters", POINTS**2 * inputs * outputs, x.dtype).view(-1, outputs, inputs).zero_()
    gradients = grad.permute(0, 2, 3, 1)
    grid = _Grid.of(x, max(inputs, outputs))
    one, other, third = (_workspace.buffer(name, grid.numbers, x.dtype) for name in ("one", "other", "third"))
    for block in grid.blocks():
        seen = grid.evaluated(x, block, one, other)
        tiles = _view(other, TILE, TILE, *block.shape, outputs)
        tiles.copy_(block.tiled(gradients).permute(2, 4, 0, 1, 3, 5))
        half = _along_rows(matrices.spread, tiles.view(TILE**2, block.tiles, outputs), third)
        spread = _along_columns(matrices.spread, half, other)
        total.baddbmm_(spread.mT, seen)
    taps = matrices.filters.T @ total.flatten(1)
    return taps.view(3, 3, outputs, inputs).permute(2, 3, 0, 1)


@dataclass(frozen=True)
class _Matrices:
    """The three maps of an axis, and that of both axes for the filters, in one type."""

    evaluate: Tensor
    """[6, 6]"""
    interpolate: Tensor
    """[4, 6]"""
    spread: Tensor
    """[6, 4], the transpose of the interpolation, for gradients"""
    filters: Tensor
    """[36, 9]"""
    filters_turned: Tensor
    """[36, 9] of the filter turned by 180 degrees"""


@cache
@torch.inference_mode(False)  # they are kept, and may be needed with gradients later
def _matrices(dtype: torch.dtype) -> _Matrices:
    evaluate, of_filter, interpolate = (
        torch.tensor(matrix, dtype=torch.float64) for matrix in (EVALUATE, EVALUATE_FILTER, INTERPOLATE)
    )
    maps = (evaluate, interpolate, interpolate.T.contiguous())
    both = (torch.kron(of_filter, of_filter), torch.kron(of_filter.flip(1), of_filter.flip(1)))
    return _Matrices(*(matrix.to(dtype) for matrix in (*maps, *both)))


def _evaluated_filters(weight: Tensor, transposed: bool) -> Tensor:
    """[36, i, o] of a weight [o, i, 3, 3], or of a transposed convolution's [i, o, 3, 3]."""
    matrices = _matrices(weight.dtype)
    matrix = matrices.filters_turned if transposed else matrices.filters
    taps = weight.permute(0, 2, 3, 1).reshape(len(weight), 9, -1)  # no copy of a weight that lies channels last
    evaluated = _workspace.buffer("filters", 4 * weight.numel(), weight.dtype).view(len(weight), POINTS**2, -1)
    torch.matmul(matrix, taps, out=evaluated)
    return evaluated.transpose(0, 1) if transposed else evaluated.permute(1, 2, 0)


class _Workspace(threading.local):
    """Memory kept from call to call: the first touch of fresh memory took a third of the time of images of 16 px."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    @torch.inference_mode(False)
    def buffer(self, name: str, numbers: int, dtype: torch.dtype) -> Tensor:
        """A flat tensor of so many numbers, which the next call of this name may overwrite."""
        kept = self.buffers.get((name, dtype))
        if kept is None or kept.numel() < numbers:
            kept = self.buffers[name, dtype] = torch.empty(numbers, dtype=dtype)
        return kept[:numbers]


_workspace = _Workspace()


@dataclass(frozen=True)
class _Block:
    """Tiles that are worked on together: some rows of tiles of some images."""

    images: slice
    first: int
    """Row of tiles."""
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Images, rows and columns of tiles."""
        return self.images.stop - self.images.start, self.rows, self.columns

    @property
    def tiles(self) -> int:
        images, rows, columns = self.shape
        return images * rows * columns

    def tiled(self, pixels: Tensor) -> Tensor:
        """The block's part of pixels [N, h, w, C]: [images, rows, 4, columns, 4, C], a view."""
        part = pixels[self.images, self.first * TILE : (self.first + self.rows) * TILE]
        return part.unflatten(2, (self.columns, TILE)).unflatten(1, (self.rows, TILE))


class _Grid:
    """The tiles of images [N, C, h, w], block by block."""

    def __init__(self, images: int, rows: int, columns: int, inputs: int, channels: int, like: Tensor):
        self.images, self.rows, self.columns, self.channels = images, rows, columns, channels
        wanted = max(1, NUMBERS_AT_ONCE // channels)
        self.images_at_once = min(images, max(1, wanted // (rows * columns)))
        self.rows_at_once = rows if self.images_at_once > 1 else min(rows, max(1, wanted // columns))
        self.numbers = POINTS**2 * self.images_at_once * self.rows_at_once * columns * channels
        # Pixels of a block with the border that its tiles read; the left and the right one stay zero.
        height, width = self.rows_at_once * TILE + 2, columns * TILE + 2
        self.border = like.new_zeros(self.images_at_once, height, width, inputs)

    @classmethod
    def of(cls, x: Tensor, channels: int) -> _Grid:
        """`channels` is the larger number of inputs and outputs."""
        n, inputs, h, w = x.shape
        return cls(n, h // TILE, w // TILE, inputs, channels, x)

    def blocks(self) -> Iterator[_Block]:
        for image in range(0, self.images, self.images_at_once):
            images = slice(image, min(image + self.images_at_once, self.images))
            for first in range(0, self.rows, self.rows_at_once):
                yield _Block(images, first, min(self.rows_at_once, self.rows - first), self.columns)

    def evaluated(self, x: Tensor, block: _Block, one: Tensor, other: Tensor) -> Tensor:
        """The block's tiles at the points, [36, tiles, C], in the buffer `one`; the other is overwritten too."""
        count, rows, columns = block.shape
        inputs = x.shape[1]
        top, bottom = block.first * TILE - 1, (block.first + rows) * TILE + 1
        inside = slice(max(top, 0), min(bottom, self.rows * TILE))
        border = self.border[:count, : bottom - top]
        if inside.start > top:
            border[:, 0] = 0
        if inside.stop < bottom:
            border[:, -1] = 0
        border[:, inside.start - top : inside.stop - top, 1:-1] = x.permute(0, 2, 3, 1)[block.images, inside]
        image, down, right, channel = border.stride()
        tiles = _view(one, POINTS, POINTS, count, rows, columns, inputs)
        shape, strides = tiles.shape, (down, right, image, down * TILE, right * TILE, channel)
        tiles.copy_(border.as_strided(shape, strides))
        evaluate = _matrices(x.dtype).evaluate
        half = _along_rows(evaluate, tiles.view(POINTS**2, block.tiles, inputs), other)
        return _along_columns(evaluate, half, one)


def _along_rows(matrix: Tensor, tiles: Tensor, out: Tensor) -> Tensor:
    """matrix [p, q] times the first axis of tiles [q q, T, C] -> [p, q, T C], in the buffer `out`."""
    p, q = matrix.shape
    found = _view(out, p, tiles.numel() // q)
    torch.mm(matrix, tiles.view(q, -1), out=found)
    return found.view(p, q, -1).unflatten(2, tiles.shape[1:])


def _along_columns(matrix: Tensor, half: Tensor, out: Tensor) -> Tensor:
    """matrix [p, q] times the second axis of half [p, q, T, C] -> [p p, T, C], in the buffer `out`."""
    p = len(matrix)
    shape = half.shape[2:]
    found = _view(out, p, p, shape.numel())
    torch.bmm(matrix.expand(p, -1, -1), half.flatten(2), out=found)
    return found.view(p * p, *shape)


def _view(buffer: Tensor, *shape: int) -> Tensor:
    """The beginning of a flat buffer in this shape."""
    return buffer[: torch.Size(shape).numel()].view(shape)
