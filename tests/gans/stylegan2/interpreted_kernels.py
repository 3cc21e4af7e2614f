"""What the Triton kernels compute, run by Triton's interpreter on the CPU.

That replaces the whole of Triton in its process, so `test_kernels.py` runs this file in one of its own, with
TRITON_INTERPRET=1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt

import pytest
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from engine.gans.stylegan2.operations import filters, kernels

USES = [("blur", 1), ("blur", 2), ("down", 1), ("up", 1)]
MANY = kernels.PROGRAMS  # against 1: few programs of many turns, as large images have them
ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float16: 2**-10}
"""What results may differ by: the digits of the dtype, with a bit to spare."""


@triton.jit
def _count(out, n):
    for i in range(n):
        tl.store(out, i)


@pytest.fixture(scope="session", autouse=True)
def counting() -> None:
    try:
        _count[(1,)](torch.zeros(1), 2)
    except Exception as error:
        pytest.skip(f"this Triton's interpreter does not get on with this NumPy: {error}")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def close(found: Tensor | None, expected: Tensor, dtype: torch.dtype = torch.float32) -> None:
    assert found is not None
    scale = expected.abs().max().item()
    torch.testing.assert_close(found.double(), expected.double(), rtol=ROUNDING[dtype], atol=ROUNDING[dtype] * scale)


# The filter


@pytest.mark.parametrize(("use", "padding"), USES)
@pytest.mark.parametrize(
    ("shape", "dtype", "programs"),
    [
        ((2, 3, 6, 8), torch.float32, MANY),
        ((1, 1, 5, 7), torch.float32, 1),
        ((2, 33, 7, 5), torch.bfloat16, 1),
        ((1, 40, 4, 18), torch.float16, MANY),
        ((1, 130, 2, 2), torch.float32, MANY),
    ],
    ids=str,
)
def test_filters_are_the_references(
    use: filters.Use,
    padding: int,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    programs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "PROGRAMS", programs)
    x = torch.randn(shape).to(dtype, memory_format=torch.channels_last)
    found = kernels.resampled(x, use, padding, 3.0)
    assert found.dtype == dtype
    assert found.is_contiguous(memory_format=torch.channels_last)
    close(found, filters._apply(x.double(), use, padding, 3.0), dtype)


@pytest.mark.parametrize(("use", "padding"), USES)
def test_filters_take_planes_one_after_the_other_and_keep_them_so(use: filters.Use, padding: int) -> None:
    x = torch.randn(2, 3, 6, 8)
    found = kernels.resampled(x, use, padding, 1.0)
    assert found.is_contiguous()
    close(found, filters._apply(x.double(), use, padding, 1.0))


def test_filters_take_images_that_lie_in_no_order() -> None:
    x = torch.randn(1, 4, 6, 1).expand(2, 4, 6, 8)
    close(kernels.resampled(x, "blur", 2, 1.0), filters._apply(x.double(), "blur", 2, 1.0))


@pytest.mark.parametrize(
    "filtering", [filters.upsampled, filters.downsampled, lambda x: filters.blurred(x, 1)], ids=["up", "down", "blur"]
)
def test_filters_have_the_references_first_and_second_derivatives(
    filtering: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def derivatives(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.clone(memory_format=torch.channels_last).requires_grad_()
        (first,) = torch.autograd.grad(filtering(x).sin().sum(), x, create_graph=True)
        return first, torch.autograd.grad(first.square().sum(), x)[0]

    x = torch.randn(2, 5, 6, 4)
    expected = derivatives(x.double())
    monkeypatch.setattr(filters, "_apply", kernels.resampled)
    for found, reference in zip(derivatives(x), expected, strict=True):
        close(found, reference)


# The epilogue

CASES = {
    "everything": {},
    "everything in turns": {"programs": 1, "shape": (2, 33, 5, 4)},
    "one plane of noise": {"planes": 1},
    "no noise": {"noise": False},
    "no scale": {"scale": False},
    "bias alone": {"scale": False, "noise": False},
    "scale alone": {"bias": False, "noise": False},
    "nothing": {"scale": False, "bias": False, "noise": False},
    "linear": {"scale": False, "noise": False, "slope": 1.0},
    "no clamp": {"clamp": None},
    "grey": {"shape": (3, 1, 5, 3)},
    "rgb": {"shape": (1, 3, 13, 11)},
    "many channels": {"shape": (2, 130, 3, 2)},
    "bf16": {"dtype": torch.bfloat16, "shape": (2, 40, 7, 5), "programs": 1},
    "fp16": {"dtype": torch.float16, "shape": (2, 64, 4, 5)},
}


class Case:
    """One epilogue with its inputs, and the same in torch's operators in fp64."""

    def __init__(
        self,
        shape: tuple[int, ...] = (2, 33, 3, 4),
        dtype: torch.dtype = torch.float32,
        scale: bool = True,
        bias: bool = True,
        noise: bool = True,
        planes: int | None = None,
        slope: float = 0.2,
        clamp: float | None = 0.75,
        programs: int = MANY,
    ):
        torch.manual_seed(0)
        n, channels, h, w = shape
        self.dtype, self.slope, self.clamp = dtype, slope, clamp
        self.x = torch.randn(shape).to(dtype, memory_format=torch.channels_last)
        self.scale = torch.rand(n, channels) + 0.5 if scale else None
        self.bias = torch.randn(channels) if bias else None
        self.noise = torch.randn(planes or n, 1, h, w) if noise else None
        self.strength = torch.tensor(0.7) if noise else None
        if not (bias or noise):
            self.x[:, :, 0, :2] = torch.tensor([0.0, -0.0])  # neither side of the bend
            if not scale:
                self.x[:, :, 0, 2] = 0.75  # just at the clamp
        self.programs = programs
        self.y = kernels.epilogue(self.x, self.scale, self.bias, self.noise, self.strength, slope, clamp)
        self.grad = self.image()

    def image(self) -> Tensor:
        return torch.randn(self.x.shape).to(self.dtype, memory_format=torch.channels_last)

    def inputs(self) -> dict[str, Tensor]:
        """What has a derivative, in fp64."""
        tensors = {"x": self.x, "scale": self.scale, "bias": self.bias, "strength": self.strength}
        return {name: t.double().requires_grad_() for name, t in tensors.items() if t is not None}

    def before(self, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None, strength=None) -> Tensor:
        if scale is not None:
            x = x * scale[:, :, None, None]
        if bias is not None:
            x = x + bias[:, None, None]
        return x if self.noise is None else x + self.noise.double() * strength

    def expected(self, inputs: dict[str, Tensor]) -> Tensor:
        value = F.leaky_relu(self.before(**inputs), self.slope)
        return value if self.clamp is None else F.hardtanh(value, -self.clamp, self.clamp)

    def straight(self, inputs: dict[str, Tensor]) -> Tensor:
        """The same near the point, on the pieces that y is on: rounding may have put a value at the clamp."""
        if self.dtype == torch.float32:
            return self.expected(inputs)
        y = self.y.double()
        slopes = torch.where(y > 0, 1.0, self.slope) * (y.abs() < self.clamp)
        return slopes * self.before(**inputs)

    def first(self, **wanted: bool) -> dict[str, Tensor | None]:
        names = ("scale", "bias", "strength")
        want = [wanted.get(name, getattr(self, name) is not None) for name in names]
        results = kernels.epilogue_backward(
            self.grad, self.y, self.x, self.scale, self.noise, self.slope, self.clamp, *want
        )
        return dict(zip(("x", *names), results, strict=True))

    def second(self, along: dict[str, Tensor], *want: bool) -> dict[str, Tensor | None]:
        results = kernels.epilogue_double_backward(
            *(along.get(name) for name in ("x", "scale", "bias", "strength")),
            *(self.grad, self.y, self.x, self.scale, self.noise, self.slope, self.clamp),
            *(want or (True, True, True)),
        )
        return dict(zip(("grad", "x", "scale"), results, strict=True))

    def along(self) -> dict[str, Tensor]:
        """A direction for each gradient that there is."""
        vectors = {name: torch.randn(t.shape) for name, t in self.inputs().items() if name != "x"}
        return {"x": self.image(), **vectors}

    def expected_second(self, along: dict[str, Tensor]) -> dict[str, Tensor | None]:
        inputs, grad = self.inputs(), self.grad.double().requires_grad_()
        first = torch.autograd.grad(self.straight(inputs), list(inputs.values()), grad, create_graph=True)
        product = sum((g * along[name].double()).sum() for name, g in zip(inputs, first, strict=True) if name in along)
        of = {"grad": grad, "x": inputs["x"], "scale": inputs.get("scale")}
        there = {name: t for name, t in of.items() if t is not None}
        found = torch.autograd.grad(product, list(there.values()), allow_unused=True)
        return {"scale": None, **dict(zip(there, found, strict=True))}


@pytest.fixture(params=CASES, ids=str, scope="module")
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    case = Case(**CASES[request.param])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "PROGRAMS", case.programs)
        yield case


def test_an_epilogue_is_the_references(case: Case) -> None:
    assert case.y.dtype == case.dtype
    assert case.y.is_contiguous(memory_format=torch.channels_last)
    close(case.y, case.expected(case.inputs()).detach(), case.dtype)


def test_an_epilogue_has_the_references_derivatives(case: Case) -> None:
    found, inputs = case.first(), case.inputs()
    expected = torch.autograd.grad(case.straight(inputs), list(inputs.values()), case.grad.double())
    assert {name for name, tensor in found.items() if tensor is not None} == set(inputs)
    for name, reference in zip(inputs, expected, strict=True):
        assert found[name].dtype == (case.dtype if name == "x" else torch.float32)
        assert found[name].shape == reference.shape
        close(found[name], reference, case.dtype if name == "x" else torch.float32)


def test_an_epilogue_has_the_references_second_derivatives(case: Case) -> None:
    along = case.along()
    found, expected = case.second(along), case.expected_second(along)
    for name, reference in expected.items():
        if reference is None or not reference.any():  # autograd gives zeros where nothing depends on it, or nothing
            assert found[name] is None
        else:
            close(found[name], reference, torch.float32 if name == "scale" else case.dtype)


@pytest.mark.parametrize("there", [["x"], ["scale"], ["bias"], ["strength"], ["x", "bias"], ["scale", "strength"]])
def test_second_derivatives_by_some_of_the_gradients_alone(there: list[str]) -> None:
    case = Case()
    along = {name: direction for name, direction in case.along().items() if name in there}
    found, expected = case.second(along), case.expected_second(along)
    for name, reference in expected.items():
        if reference is None or not reference.any():  # autograd gives zeros where nothing depends on it, or nothing
            assert found[name] is None
        else:
            close(found[name], reference)


def test_only_what_is_wanted_is_computed() -> None:
    case = Case()
    along, whole = case.along(), case.first()
    for wanted in ("scale", "bias", "strength", "nothing"):
        found = case.first(**{name: name == wanted for name in ("scale", "bias", "strength")})
        assert {name for name, tensor in found.items() if tensor is not None} == {"x", wanted} - {"nothing"}
        assert all(torch.equal(tensor, whole[name]) for name, tensor in found.items() if tensor is not None)
    both = case.second(along)
    for i, wanted in enumerate(("grad", "x", "scale")):
        found = case.second(along, *(j == i for j in range(3)))
        assert {name for name, tensor in found.items() if tensor is not None} == {wanted}
        assert torch.equal(found[wanted], both[wanted])
    assert set(case.second({}).values()) == {None}


def test_sums_of_more_parts_than_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "PROGRAMS", 10**6)
    cut = kernels._Cut(torch.empty(3, 20, 160, 80), 16, sums=True)
    of_scale, of_bias, of_strength = sums = cut.sums(True, 3, 20), cut.sums(True, 20), cut.sums(True)
    for _, parts in sums:
        parts.normal_()
    cut.add_up(*sums)
    close(of_scale[0], of_scale[1].double().view(3, -1, 20).sum(1))
    close(of_bias[0], of_bias[1].double().view(-1, 20).sum(0))
    close(of_strength[0], of_strength[1].double().sum())
    assert of_strength[1].numel() > 2048


def test_images_in_any_layout_give_the_same() -> None:
    case = Case()
    expected = case.first()
    plain = [tensor.contiguous() for tensor in (case.grad, case.y, case.x)]
    y = kernels.epilogue(plain[2], case.scale, case.bias, case.noise, case.strength, case.slope, case.clamp)
    assert torch.equal(y, case.y)
    found = kernels.epilogue_backward(*plain, case.scale, case.noise, case.slope, case.clamp, True, True, True)
    assert all(torch.equal(*pair) for pair in zip(found, expected.values(), strict=True))


def test_what_is_no_number_stays_visible_and_nothing_comes_through_the_clamp() -> None:
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 1.0]).view(1, 1, 2, 2)
    y = kernels.epilogue(x, None, None, None, None, 0.2, 2.0)
    assert y.flatten().tolist()[1:] == [2.0, -2.0, 1.0]
    assert y[0, 0, 0, 0].isnan()
    grad = torch.full_like(x, float("inf"))
    of_x = kernels.epilogue_backward(grad, y, None, None, None, 0.2, 2.0, False, False, False)[0]
    assert of_x.flatten().tolist()[1:] == [0.0, 0.0, float("inf")]


def test_a_clamp_that_bf16_cannot_hold_clamps_gradients_too() -> None:
    """256 / sqrt(2) is 181.02, and 181 in bf16."""
    clamp = 256 / sqrt(2)
    x = torch.tensor([400.0, 180.0, -400.0, 3.0]).bfloat16().view(1, 1, 2, 2)
    y = kernels.epilogue(x, None, None, None, None, 1.0, clamp)
    assert y.flatten().tolist() == [181.0, 180.0, -181.0, 3.0]
    of_x = kernels.epilogue_backward(torch.ones_like(x), y, None, None, None, 1.0, clamp, False, False, False)[0]
    assert of_x.flatten().tolist() == [0.0, 1.0, 0.0, 1.0]


def test_noise_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"noise \[1, 1, 4, 3\].*images \[2, 3, 4, 4\]"):
        kernels.epilogue(torch.zeros(2, 3, 4, 4), None, None, torch.zeros(1, 1, 4, 3), torch.tensor(1.0), 0.2, None)


@triton.jit
def _places(x, out, image, pixels, channels):
    first, _, _, _ = kernels._values(image, 0, pixels, tl.zeros([1, 1], tl.int32), channels, 1)
    tl.store(out, first)
    tl.store(out + 1, (kernels._row(x, image, 0, pixels, 1, channels) - x.to(tl.int64)).to(tl.int64))


def test_a_batch_may_have_more_values_than_32_bits_count() -> None:
    places = torch.zeros(2, dtype=torch.int64)
    _places[(1,)](torch.zeros(1, dtype=torch.uint8), places, 40, 1024**2, 512)
    assert places.tolist() == [40 * 1024**2 * 512] * 2


def test_what_is_tried_on_a_device_agrees_with_the_cpu_and_anything_else_is_told() -> None:
    results = kernels._tried(torch.device("cpu"))
    assert kernels._differing(results) == []
    for name, (found, expected) in results.items():
        assert kernels._differing({name: (found * 1.1, expected)}) == [name]
        assert kernels._differing({name: (found * float("nan"), expected)}) == [name]
