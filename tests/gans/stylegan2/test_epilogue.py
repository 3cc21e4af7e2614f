"""The epilogue of a convolution and its two derivatives are what its formula says, in parts of any size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from engine.gans.stylegan2.operations import epilogue as epilogues
from engine.gans.stylegan2.operations.convolutions import gradients_of_images_only
from engine.gans.stylegan2.operations.epilogue import epilogue

N, C, H, W = 3, 4, 3, 5
FORMS: list[dict[str, Any]] = [
    {"scale": True},
    {"bias": True},
    {"bias": True, "slope": 0.2},
    {"bias": True, "slope": 0.2, "clamp": 1.0},
    {"bias": True, "clamp": 1.0},
    {"scale": True, "bias": True, "noise": 1, "slope": 0.2},
    {"scale": True, "bias": True, "noise": N, "slope": 0.2, "clamp": 1.5},
    {"noise": N, "clamp": 1.0},
    {"slope": 0.2},
]


def inputs(form: dict[str, Any], dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """x and what the form asks for, with gradients but for the noise."""
    torch.manual_seed(0)
    found: dict[str, Any] = {"x": torch.randn(N, C, H, W, dtype=dtype).to(memory_format=torch.channels_last)}
    if form.get("scale"):
        found["scale"] = torch.randn(N, C, dtype=dtype)
    if form.get("bias"):
        found["bias"] = torch.randn(C, dtype=dtype)
    if form.get("noise"):
        found |= {"noise": torch.randn(form["noise"], 1, H, W, dtype=dtype), "strength": torch.tensor(0.7, dtype=dtype)}
    for name, tensor in found.items():
        tensor.requires_grad_(name != "noise")
    return found | {name: form[name] for name in ("slope", "clamp") if name in form}


def by_formula(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    noise: Tensor | None = None,
    strength: Tensor | None = None,
    slope: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    y = x if scale is None else x * scale[:, :, None, None]
    y = y if bias is None else y + bias[:, None, None]
    y = y if noise is None or strength is None else y + noise * strength
    y = torch.where(y > 0, y, slope * y)
    return y if clamp is None else y.clamp(-clamp, clamp)


@pytest.fixture(params=[2**22, 2 * C * H * W * 8, 1], ids=["all at once", "two images", "one image"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epilogues, "AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_value_and_both_derivatives_are_those_of_the_formula(form: dict[str, Any]) -> None:
    given = inputs(form)
    leaves = [value for value in given.values() if isinstance(value, Tensor) and value.requires_grad]
    upstream = torch.randn(N, C, H, W, dtype=torch.float64, requires_grad=True)
    results = []
    for function in (epilogue, by_formula):
        y = function(**(given | {"x": given["x"].clone()}))  # it may be overwritten, which a leaf must not
        first = torch.autograd.grad(y, leaves, upstream, create_graph=True)
        loss = torch.stack([gradient.sin().sum() for gradient in first]).sum()
        second = torch.autograd.grad(loss, [*leaves, upstream], allow_unused=True)
        results.append([y, *first, *(torch.zeros(()) if grad is None else grad for grad in second)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found.expand_as(expected).double(), expected.double())


@pytest.mark.parametrize("form", [FORMS[3], FORMS[6]], ids=str)
def test_derivatives_are_the_numerical_ones(form: dict[str, Any]) -> None:
    given = inputs(form)
    names = [name for name, value in given.items() if isinstance(value, Tensor) and value.requires_grad]

    def bent(*tensors: Tensor) -> Tensor:
        values = given | dict(zip(names, tensors, strict=True))
        return epilogue(**(values | {"x": values["x"] * 1})).sin()

    leaves = tuple(given[name] for name in names)
    assert gradcheck(bent, leaves)
    assert gradgradcheck(bent, leaves)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_without_gradients_it_is_the_same_and_keeps_the_layout(form: dict[str, Any]) -> None:
    given = inputs(form, torch.float32)
    expected = by_formula(**given)
    with torch.no_grad():
        found = epilogue(**(given | {"x": given["x"].clone(memory_format=torch.preserve_format)}))
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_an_input_with_a_scale_is_not_overwritten() -> None:
    """A block's x goes into its next block and into ToRGB."""
    x = torch.randn(2, 3, 4, 4)
    before = x.clone()
    with torch.no_grad():
        epilogue(x, torch.randn(2, 3), torch.randn(3), slope=0.2)
    assert torch.equal(x, before)


def test_low_precision_sums_in_fp32() -> None:
    """The bias of 4096 pixels: a sum in bf16 would stop growing at 256."""
    x, bias = torch.zeros(1, 1, 64, 64, dtype=torch.bfloat16), torch.zeros(1, requires_grad=True)
    epilogue(x, bias=bias).backward(torch.ones_like(x))
    assert bias.grad is not None and bias.grad.item() == 64 * 64


def test_a_pass_for_images_only_leaves_bias_and_strength_out() -> None:
    given = inputs(FORMS[6])
    leaves = [given[name] for name in ("x", "scale", "bias", "strength")]
    y = epilogue(**(given | {"x": given["x"] * 1}))
    with gradients_of_images_only():
        found = torch.autograd.grad(y.sum(), leaves, allow_unused=True)
    assert [gradient is None for gradient in found] == [False, False, True, True]
