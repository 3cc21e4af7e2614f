"""Filters and convolutions are what their definitions say, and may be differentiated any number of times."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from engine.gans.stylegan2.networks import (
    SynthesisLayer,
)
from engine.gans.stylegan2.operations import convolutions
from engine.gans.stylegan2.operations.convolutions import convolved, gradients_of_images_only
from engine.gans.stylegan2.operations.filters import blurred, downsampled, resample_filter, upsampled

TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def with_zeros(image: np.ndarray) -> np.ndarray:
    """A zero behind each pixel, both ways."""
    spread = np.zeros((2 * len(image), 2 * image.shape[1]))
    spread[::2, ::2] = image
    return spread


def each_plane(x: Tensor, function: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    planes = [function(plane) for plane in x.flatten(0, 1).numpy()]
    return torch.from_numpy(np.stack(planes)).unflatten(0, x.shape[:2])


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 6, 8, dtype=torch.float64)


def test_the_filter_sums_to_one() -> None:
    assert np.array_equal(resample_filter().numpy(), TAPS)


def test_upsampling_inserts_zeros_and_filters(x: Tensor) -> None:
    expected = each_plane(x, lambda p: 4 * convolve2d(np.pad(with_zeros(p), (2, 1)), TAPS, mode="valid"))
    torch.testing.assert_close(upsampled(x), expected)


def test_downsampling_filters_and_keeps_even_pixels(x: Tensor) -> None:
    expected = each_plane(x, lambda p: convolve2d(np.pad(p, 1), TAPS, mode="valid")[::2, ::2])
    torch.testing.assert_close(downsampled(x), expected)


@pytest.mark.parametrize("padding", [1, 2])
def test_blurring_filters(x: Tensor, padding: int) -> None:
    expected = each_plane(x, lambda p: 4 * convolve2d(np.pad(p, padding), TAPS, mode="valid"))
    torch.testing.assert_close(blurred(x, padding, gain=4.0), expected)


@pytest.mark.parametrize("up", [False, True], ids=["same size", "up"])
def test_a_synthesis_layer_is_what_the_paper_says(up: bool) -> None:
    """Pixel by pixel with weights of each sample's own; going up, the convolution is a true one, else a correlation."""
    torch.manual_seed(0)
    layer = SynthesisLayer(3, 2, 4, 8, up=up, clamp=0.9).double()
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.constant_(layer.noise_strength, 0.5)
    side = 4 if up else 8
    x, w = torch.randn(2, 3, side, side, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    with torch.no_grad():
        found = layer(x, w)
        weight, styles = layer.weight.numpy(), layer.affine(w).numpy()
        noise, bias = layer.noise_const.numpy(), layer.bias.numpy()
    for n in range(2):
        for o in range(2):
            own = weight[o] * styles[n][:, None, None]
            own = own / sqrt((own**2).sum() + 1e-8)
            image = np.zeros((8, 8))
            for i in range(3):
                if up:
                    grown = convolve2d(with_zeros(x[n, i].numpy())[:-1, :-1], own[i], mode="full")
                    image += 4 * convolve2d(np.pad(grown, 1), TAPS, mode="valid")
                else:
                    image += convolve2d(np.pad(x[n, i].numpy(), 1), own[i, ::-1, ::-1], mode="valid")
            image += 0.5 * noise + bias[o]
            expected = np.clip(np.where(image > 0, image, 0.2 * image) * sqrt(2), -0.9, 0.9)
            np.testing.assert_allclose(found[n, o].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("filtering", [upsampled, downsampled, lambda x: blurred(x, 1), lambda x: blurred(x, 2)])
def test_filters_can_be_differentiated_twice(filtering: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)

    def bent(x: Tensor) -> Tensor:
        return filtering(x).sin()  # something that a second derivative can see

    assert gradcheck(bent, (x,))
    assert gradgradcheck(bent, (x,))


CONVOLUTIONS = [
    {"stride": 1, "padding": 1},
    {"stride": 2, "padding": 0},
    {"stride": 1, "padding": 1, "transposed": True},
    {"stride": 2, "padding": 0, "transposed": True},
]


@pytest.mark.parametrize("how", CONVOLUTIONS, ids=str)
def test_convolutions_can_be_differentiated_any_number_of_times(how: dict[str, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)

    def bent(x: Tensor, weight: Tensor) -> Tensor:
        return convolved(x, weight, **how).sin()

    assert gradcheck(bent, (x, weight))
    assert gradgradcheck(bent, (x, weight))

    def slope(x: Tensor, weight: Tensor) -> Tensor:
        return torch.cat(
            [g.flatten() for g in torch.autograd.grad(bent(x, weight).sum(), (x, weight), create_graph=True)]
        )

    assert gradgradcheck(slope, (x, weight), fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "how"),
    [
        (4, 6, 3, {"stride": 1, "padding": 1}),
        (4, 6, 3, {"stride": 2}),
        (4, 6, 3, {"stride": 2, "transposed": True}),
        (1, 6, 1, {}),
        (6, 1, 1, {}),
        (3, 6, 1, {}),
    ],
)
def test_convolutions_are_torchs_in_any_precision_and_keep_the_layout(
    inputs: int, outputs: int, kernel: int, how: dict[str, int], dtype: torch.dtype
) -> None:
    """Some are computed in other ways where that is faster."""
    torch.manual_seed(0)
    shape = (inputs, outputs) if how.get("transposed") else (outputs, inputs)
    x = torch.randn(3, inputs, 7, 7).to(dtype, memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(*shape, kernel, kernel).to(dtype).requires_grad_()
    found = convolved(x, weight, **how)
    assert found.is_contiguous(memory_format=torch.channels_last)

    plain = {name: value for name, value in how.items() if name != "transposed"}
    operator = torch.nn.functional.conv_transpose2d if how.get("transposed") else torch.nn.functional.conv2d
    expected = operator(x.double(), weight.double(), **plain)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.1}
    torch.testing.assert_close(found.double(), expected, **tolerance)
    upstream = torch.randn_like(found)
    ours = torch.autograd.grad(found, (x, weight), upstream)
    theirs = torch.autograd.grad(expected, (x, weight), upstream.double())
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.double(), reference.double(), **tolerance)


def test_a_weights_gradient_does_not_depend_on_how_many_patches_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(5, 4, 9, 9).bfloat16(), torch.randn(6, 4, 3, 3).bfloat16().requires_grad_()

    def gradient() -> Tensor:
        return torch.autograd.grad(convolved(x, weight, stride=2).sum(), weight)[0].float()

    whole = gradient()
    monkeypatch.setattr(convolutions, "AT_ONCE", 2 * 4 * 4 * 9 * 4 * 2)  # of two images
    torch.testing.assert_close(gradient(), whole, rtol=0.02, atol=0.1)


def test_a_pass_for_images_only_leaves_weights_out_and_second_derivatives_in() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(convolved(x, weight, padding=1).sin().sum(), x, create_graph=True)
        return slope.square().sum()

    (expected,) = torch.autograd.grad(penalty(), weight)
    with gradients_of_images_only():
        loss = penalty()
    (found,) = torch.autograd.grad(loss, weight)
    torch.testing.assert_close(found, expected)
    with gradients_of_images_only():
        output = convolved(x, weight)
        assert torch.autograd.grad(output.sum(), weight, allow_unused=True) == (None,)
