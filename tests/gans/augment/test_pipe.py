"""The whole pipe: presets, probabilities, gradients, shapes, and agreement with the reference's arrays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from engine.configs.stylegan2 import AugmentPreset
from engine.gans.augment.pipe import AugmentPipe
from engine.gans.augment.presets import GENTLE, OPERATIONS, PRESETS, Strengths, require_augmentable
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY

ARRAYS = REPOSITORY.parent / "shared" / "fixtures" / "stylegan2-ada" / "augment.npz"
MODES = ("exact", "static")


def pipe_at(
    p: float, preset: str | frozenset[str] = "bgcfnc", channels: int = 3, margins: str = "exact"
) -> AugmentPipe:
    pipe = AugmentPipe(preset, channels, margins)  # type: ignore[arg-type]
    pipe.p.fill_(p)
    return pipe


def picture(count: int = 4, channels: int = 3, size: int = 32, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def seeded(pipe: AugmentPipe, images: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return pipe(images)


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    if not ARRAYS.is_file():
        pytest.skip(f"the reference's arrays are not at {ARRAYS}")
    with np.load(ARRAYS) as file:
        return dict(file)


@pytest.mark.parametrize("margins", MODES)
def test_agrees_with_the_reference(arrays: dict[str, np.ndarray], margins: str) -> None:
    compared = [name for name in arrays if name.startswith("out_")]
    assert compared
    for name in compared:
        picture_name, preset, percentile = name.removeprefix("out_").split("|")
        images, field = (torch.from_numpy(arrays[f"{kind}_{picture_name}"]) for kind in ("in", "noise"))
        operations = frozenset({preset.removeprefix("op_")}) if preset.startswith("op_") else preset
        found = pipe_at(1, operations, images.shape[1], margins)(images, float(percentile), field)
        assert np.abs(found.numpy() - arrays[name]).max() < 2e-5, name


def test_state_is_the_published_one(arrays: dict[str, np.ndarray]) -> None:
    state = pipe_at(0.25, "blit").state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "p": (),
        "Hz_geom": (12,),
        "Hz_fbank": (4, 43),
    }
    for name in ("Hz_geom", "Hz_fbank"):
        assert np.abs(state[name].numpy() - arrays[name]).max() < 1e-6


def test_presets_are_unions() -> None:
    assert set(PRESETS) == set(AugmentPreset.__args__)  # type: ignore[attr-defined]
    for name, parts in {
        "bg": ("blit", "geom"),
        "bgc": ("bg", "color"),
        "bgcf": ("bgc", "filter"),
        "bgcfn": ("bgcf", "noise"),
        "bgcfnc": ("bgcfn", "cutout"),
    }.items():
        assert PRESETS[name] == PRESETS[parts[0]] | PRESETS[parts[1]]
        assert not PRESETS[parts[0]] & PRESETS[parts[1]]
    assert PRESETS["bgcfnc"] == OPERATIONS and len(OPERATIONS) == 15


def test_medical_never_mirrors_turns_or_inverts() -> None:
    """A marker on the left stays on the left, upright, and brighter than its surroundings, at p 1."""
    images = torch.full((64, 1, 32, 32), -0.5)
    images[:, :, 12:20, 4:8] = 0.5
    pipe = pipe_at(1, "medical", 1)
    assert pipe.strengths == GENTLE != Strengths()
    found = torch.cat([seeded(pipe, images, seed) for seed in range(8)])
    relative = found - found.flatten(1).median(1).values[:, None, None, None]
    weight = relative.clamp(min=0)
    assert (relative.flatten(1).max(1).values > 0.2).all()
    x = torch.arange(32.0)
    centre_x = (weight * x).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    centre_y = (weight * x[:, None]).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    assert (centre_x < 12).all() and ((centre_y - 15.5).abs() < 6).all()
    assert centre_x.std() > 0.5  # it does move


@pytest.mark.parametrize("margins", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_happens_at_p_0(channels: int, margins: str) -> None:
    images = picture(channels=channels)
    assert torch.allclose(pipe_at(0, channels=channels, margins=margins)(images), images, atol=1e-5)


def test_no_operations_leave_images_and_random_numbers_alone() -> None:
    images = picture()
    torch.manual_seed(1)
    assert pipe_at(1, frozenset())(images) is images
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize("margins", MODES)
def test_p_above_1_is_like_1(margins: str) -> None:
    images = picture()
    once, more = (seeded(pipe_at(p, margins=margins), images) for p in (1.0, 1.7))
    assert torch.equal(once, more) and once.isfinite().all()


def test_half_as_many_samples_change_at_half_p() -> None:
    images = picture(512, 1, 16)
    changed = [(seeded(pipe_at(p, "blit", 1), images) != images).flatten(1).any(1) for p in (0.2, 0.4)]
    # Unchanged: not mirrored (p/2), not turned (3p/4), not shifted (p but for 1 in 16).
    for p, found in zip((0.2, 0.4), changed, strict=True):
        unchanged = (1 - p / 2) * (1 - 3 * p / 4) * (1 - p * 15 / 16)
        assert (~found).double().mean() == pytest.approx(unchanged, abs=0.07)
    assert (changed[0] <= changed[1]).all()  # the same draws with a lower bar


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_static_gives_the_exact_images_for_the_same_draws(p: float) -> None:
    differences = []
    for seed in range(6):
        images = picture(8)
        exact, static = (seeded(pipe_at(p, margins=margins), images, seed) for margins in MODES)
        differences.append((exact - static).abs())
    assert (torch.cat(differences) > 1e-3).double().mean() < 1e-3


class Watched(TorchDispatchMode):
    """Collects the names of the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


WAITS = {"nonzero", "_local_scalar_dense", "item", "is_nonzero", "masked_select", "lift_fresh", "_to_copy"}
"""Operators that read from the device or copy to it."""


def once_with_gradients(pipe: AugmentPipe) -> None:
    """What R1 does."""
    images = torch.zeros(2, 3, 32, 32, requires_grad=True)
    field = torch.zeros(2, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad((pipe(images) * field).sum(), images, create_graph=True)
    torch.autograd.grad(gradient.square().sum(), field)


def test_static_never_waits_for_the_device() -> None:
    """Neither an operator that reads from it runs, nor does any shape or branch depend on numbers."""
    for margins in MODES:
        pipe = pipe_at(0.5, margins=margins)
        once_with_gradients(pipe)  # the constant matrices are made once
        with Watched() as watched:
            once_with_gradients(pipe)
        assert bool(watched.names & WAITS) == (margins == "exact")
    with FakeTensorMode(allow_non_fake_inputs=True):  # tensors without numbers
        once_with_gradients(pipe_at(0.5, margins="static"))
        with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
            once_with_gradients(pipe_at(0.5))


@pytest.mark.parametrize("margins", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_first_and_second_gradients(channels: int, margins: str) -> None:
    """Against finite differences, with everything on; the noise is the same in every call."""
    pipe = pipe_at(0.8, channels=channels, margins=margins)
    images = picture(2, channels, 24, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: seeded(pipe, x), images, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: seeded(pipe, x).square(), images, fast_mode=True)


@pytest.mark.parametrize("margins", MODES)
def test_half_precision_around_it_changes_nothing(margins: str) -> None:
    images, pipe = picture(), pipe_at(0.7, margins=margins)
    plain = seeded(pipe, images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(seeded(pipe, images), plain)
    assert seeded(pipe, images.bfloat16()).dtype == torch.float32


def test_constants_made_without_gradients_serve_with_them() -> None:
    pipe = pipe_at(0.7, margins="static")
    size = 26  # of no other test
    with torch.inference_mode():
        pipe(picture(size=size))
    images = picture(size=size).requires_grad_()
    pipe(images).sum().backward()
    assert images.grad is not None


@pytest.mark.slow
@pytest.mark.parametrize("size", [16, 64, 256, 1024])
def test_every_size(size: int) -> None:
    preset = "bgcfnc" if size > 21 else "bgc"
    images = picture(1, 1, size)
    for margins in MODES:
        pipe = pipe_at(1, preset, 1, margins)
        assert pipe(images, debug_percentile=0.6).shape == images.shape
    # Positions in fp32 are worth a few 1e-4 of a pixel at 1024 px, on images of pure noise.
    exact, static = (pipe_at(1, "geom", 1, margins)(images, debug_percentile=0.7) for margins in MODES)
    assert (exact - static).abs().max() < 2e-3
    assert (exact - static).abs().mean() < 1e-4


@pytest.mark.parametrize(
    ("operations", "size", "channels", "told"),
    [
        (PRESETS["bgcf"], 16, 1, "needs more than 21 px"),
        (PRESETS["bgc"], 64, 2, "expects 1 or 3"),
        (frozenset({"melt"}), 64, 1, "no augmentation melt"),
    ],
)
def test_what_cannot_be_augmented_is_told(operations: frozenset[str], size: int, channels: int, told: str) -> None:
    with pytest.raises(ErsatzError, match=told):
        require_augmentable(operations, size, channels)
    with pytest.raises(ErsatzError, match=told):
        AugmentPipe(operations, channels)(torch.zeros(1, channels, size, size))


def test_what_can_be_augmented_passes() -> None:
    for size, channels in itertools.product((16, 32, 1024), (1, 3)):
        for operations in (PRESETS["bgc"], PRESETS["medical"]):
            require_augmentable(operations, size, channels)
    require_augmentable(PRESETS["bg"], 16, 2)
