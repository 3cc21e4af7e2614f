"""3x3 convolutions in tiles are the plain ones, with their derivatives, whatever is worked on together."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from engine.gans.stylegan2.operations import convolutions, winograd
from engine.gans.stylegan2.operations.convolutions import convolved
from engine.gans.stylegan2.operations.winograd import convolved_in_tiles, pays, weight_gradient_in_tiles

BLOCKS = pytest.mark.parametrize("numbers_at_once", [2**16, 4 * 6 * 3, 1], ids=["all", "some", "a row of tiles"])


def test_the_three_maps_are_a_filter_exactly() -> None:
    """In fractions, for each of the 18 products of an input and a tap."""
    evaluate, of_filter, interpolate = (
        [[Fraction(value).limit_denominator(100) for value in row] for row in matrix]
        for matrix in (winograd.EVALUATE, winograd.EVALUATE_FILTER, winograd.INTERPOLATE)
    )
    for output in range(4):
        for pixel in range(6):
            for tap in range(3):
                product = sum(
                    interpolate[output][point] * of_filter[point][tap] * evaluate[point][pixel] for point in range(6)
                )
                assert product == (pixel == output + tap)


@BLOCKS
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(3, 5, 8, 12), (1, 6, 4, 4), (2, 6, 16, 8)], ids=str)
def test_values_and_weights_gradients_are_torchs(
    shape: tuple[int, ...], transposed: bool, numbers_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "NUMBERS_AT_ONCE", numbers_at_once)
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).to(memory_format=torch.channels_last)
    inputs, outputs = shape[1], 4
    weight = torch.randn(*((inputs, outputs) if transposed else (outputs, inputs)), 3, 3, dtype=torch.float64)
    weight.requires_grad_()
    expected = (F.conv_transpose2d if transposed else F.conv2d)(x, weight, padding=1)
    found = convolved_in_tiles(x, weight.detach(), transposed)
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)

    upstream = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad(expected, weight, upstream)
    pair = (x, upstream) if transposed else (upstream, x)
    torch.testing.assert_close(weight_gradient_in_tiles(*pair), gradient)


def test_layouts_and_parts_of_tensors_do_not_matter() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 4, 6, dtype=torch.float64)[..., 1:5].transpose(1, 2)[:, :4].transpose(1, 2)  # NCHW, strided
    weight = torch.randn(3, 5, 3, 3, dtype=torch.float64).transpose(0, 1)[:, :3]
    x = torch.cat([x, x])[:, :3]
    torch.testing.assert_close(convolved_in_tiles(x, weight, False), F.conv2d(x, weight, padding=1))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """In tiles whatever the size and type."""
    monkeypatch.setattr(convolutions, "pays", lambda x, outputs: True)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_in_tiles_can_be_differentiated_any_number_of_times(transposed: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)

    def bent(x: Tensor, weight: Tensor) -> Tensor:
        return convolved(x, weight, padding=1, transposed=transposed).sin()

    assert gradcheck(bent, (x, weight))
    assert gradgradcheck(bent, (x, weight))


def test_the_error_is_that_of_a_direct_sum() -> None:
    """In fp32 at a generator's width: within three times of torch's own, for the value and both gradients."""
    torch.manual_seed(0)
    x = torch.randn(2, 256, 16, 16).to(memory_format=torch.channels_last)
    weight, upstream = torch.randn(256, 256, 3, 3), torch.randn(2, 256, 16, 16)

    def all_three(dtype: torch.dtype) -> list[Tensor]:
        own_x, own_weight = x.to(dtype).requires_grad_(), weight.to(dtype).requires_grad_()
        y = F.conv2d(own_x, own_weight, padding=1)
        return [y.detach(), *torch.autograd.grad(y, (own_x, own_weight), upstream.to(dtype))]

    ours = [
        convolved_in_tiles(x, weight, False),
        convolved_in_tiles(upstream, weight, True),
        weight_gradient_in_tiles(upstream, x),
    ]
    for found, direct, exact in zip(ours, all_three(torch.float32), all_three(torch.float64), strict=True):
        error, usual = ((value.double() - exact).norm() / exact.norm() for value in (found, direct))
        assert error < 3 * usual + 1e-6


def test_calls_in_two_threads_do_not_share_their_memory() -> None:
    """The buffers that are kept belong to a thread."""
    from concurrent.futures import ThreadPoolExecutor

    x, weight = torch.randn(4, 64, 32, 32), torch.randn(64, 64, 3, 3)
    expected = convolved_in_tiles(x, weight, False)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: convolved_in_tiles(x, weight, False), range(8)):
            assert torch.equal(found, expected)


def test_they_are_for_large_images_in_fp32_on_a_processor() -> None:
    def asked(n: int, channels: int, side: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> bool:
        return pays(torch.empty(n, channels, side, side, dtype=dtype, device=device), 64)

    assert asked(8, 64, 8) and asked(1, 64, 32)
    assert not asked(8, 63, 8) and not asked(1, 64, 8)  # few channels, few tiles
    assert not asked(8, 64, 18)  # no whole tiles
    assert not asked(8, 64, 8, torch.float64) and not asked(8, 64, 8, torch.bfloat16)
    assert not asked(8, 64, 8, device="meta")
