"""Geometric augmentation: against the slow form of the specification, exact against static, and what is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from engine.gans.augment.draws import Draws
from engine.gans.augment.geometry import draw_transform, warp_exact, warp_static
from engine.gans.augment.presets import Strengths
from tests.gans.augment import naive

MANY = 4000
Warp = Callable[[Tensor, Tensor], Tensor]


def transforms(*matrices: np.ndarray) -> Tensor:
    return torch.tensor(np.stack(matrices)[:, :2])


def picture(count: int, channels: int, height: int, width: int) -> Tensor:
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def draw(operation: str, p: float, height: int = 64, width: int = 64) -> Tensor:
    """Transforms [MANY, 2, 3] of one operation alone."""
    torch.manual_seed(3)
    draws = Draws(MANY, torch.tensor(p), torch.zeros(1, dtype=torch.float64))
    return draw_transform(draws, frozenset({operation}), Strengths(), height, width)


def assert_share(flags: Tensor, expected: float) -> None:
    """As many as a Bernoulli draw would give, to five standard deviations."""
    found, slack = flags.double().mean().item(), 5 * math.sqrt(expected * (1 - expected) / len(flags))
    assert abs(found - expected) <= slack, (found, expected)


MIXED = [
    naive.scaling(-1, 1) @ naive.rotation(0.3) @ naive.translation(1.3, -2.1),
    naive.rotation(math.pi / 2) @ naive.scaling(1.2, 0.8),
]


@pytest.mark.parametrize(
    "matrices",
    [
        MIXED,
        [naive.translation(0.5, 0.25), np.diag([0.5, 0.6, 1])],
        [naive.scaling(4, 3), naive.translation(40, 0)],  # margins at their limit, black beyond
    ],
    ids=["mixed", "gentle", "far out"],
)
def test_the_exact_form_is_the_slow_one(matrices: list[np.ndarray]) -> None:
    images = picture(2, 2, 16, 20)
    assert (
        np.abs(warp_exact(images, transforms(*matrices)).numpy() - naive.warp(images.numpy(), np.stack(matrices))).max()
        < 1e-9
    )


@pytest.mark.parametrize("warp", [warp_exact, warp_static])
def test_whole_pixel_moves_are_exact(warp: Warp) -> None:
    """The filters give back what they took apart, mirrored at the border pixel."""
    image = picture(1, 1, 16, 16)
    assert torch.allclose(warp(image, transforms(np.eye(3))), image, atol=1e-9)
    moved = warp(image, transforms(naive.translation(-3, 2)))
    assert torch.allclose(moved[..., :-2, 3:], image[..., 2:, :-3], atol=1e-9)
    assert torch.allclose(moved[..., :3], moved[..., 4:7].flip(3), atol=1e-9)


@pytest.mark.parametrize("warp", [warp_exact, warp_static])
def test_mirroring_and_turning_keep_what_is_smooth(warp: Warp) -> None:
    """The filter is not symmetric, so pixel noise is not kept."""
    image = torch.nn.functional.interpolate(picture(1, 1, 4, 4), size=32, mode="bicubic", align_corners=True)
    for matrix, expected in (
        (naive.scaling(-1, 1), image.flip(3)),
        (naive.rotation(math.pi / 2), image.rot90(1, (2, 3))),
        (naive.rotation(-math.pi / 2), image.rot90(-1, (2, 3))),
    ):
        assert (warp(image, transforms(matrix)) - expected).abs().mean() < 0.02 * image.std()


def test_static_equals_exact_with_any_margin_that_is_enough() -> None:
    """The last sample makes the exact margins so wide that the others' borders lie within them."""
    images = picture(4, 2, 24, 24)
    shrunk = naive.scaling(2.2, 2.2)
    matrices = transforms(*MIXED, naive.translation(5, -3) @ naive.rotation(0.8), shrunk)
    found, expected = warp_static(images, matrices), warp_exact(images, matrices)
    assert torch.allclose(found[:3], expected[:3], atol=1e-9)
    assert torch.allclose(found[3, :, 2:-2, 2:-2], expected[3, :, 2:-2, 2:-2], atol=1e-9)
    assert (found[3] - expected[3]).abs().max() < 0.5  # its border pixels see the end of the margins


@pytest.mark.parametrize("size", [16, 32, 128])
def test_static_is_exact_for_almost_all_draws(size: int) -> None:
    """All operations at p 1, batches of 8: only reductions to about a third reach beyond the exact form's margins."""
    images = torch.rand(8, 1, size, size, generator=torch.Generator().manual_seed(1))
    operations = frozenset({"xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac"})
    differences = []
    for seed in range(4 if size == 128 else 40):
        torch.manual_seed(seed)
        drawn = draw_transform(Draws(8, torch.tensor(1.0), images), operations, Strengths(), size, size)
        differences.append((warp_static(images, drawn) - warp_exact(images, drawn)).abs())
    assert (torch.cat(differences) > 1e-3).double().mean() < 2e-3
    assert torch.cat(differences).median() < 1e-5


@pytest.mark.parametrize("warp", [warp_exact, warp_static])
def test_a_sample_does_not_depend_on_its_batch(warp: Warp) -> None:
    images, matrices = picture(3, 1, 16, 16), transforms(*MIXED, naive.rotation(2))
    together = warp(images, matrices)
    for sample in range(3):
        alone = warp(images[sample : sample + 1], matrices[sample : sample + 1])
        assert torch.allclose(together[sample : sample + 1], alone, atol=1e-9)


def test_samples_that_stay_are_returned_untouched() -> None:
    images = picture(3, 1, 16, 16)
    moved = warp_exact(images, transforms(np.eye(3), MIXED[0], np.eye(3)))
    assert torch.equal(moved[0], images[0]) and torch.equal(moved[2], images[2])
    assert not torch.allclose(moved[1], images[1])


@pytest.mark.parametrize("warp", [warp_exact, warp_static])
def test_gradients_where_some_samples_stay(warp: Warp) -> None:
    matrices = transforms(np.eye(3), MIXED[0], np.eye(3))
    images = picture(3, 1, 16, 16).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: warp(x, matrices), images, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: warp(x, matrices).square(), images, fast_mode=True)


def test_mirroring_is_drawn_for_half_of_p() -> None:
    drawn = draw("xflip", 0.6)
    assert_share(drawn[:, 0, 0] == -1, 0.3)
    assert torch.equal(drawn[:, 0, 0].abs(), torch.ones(MANY, dtype=torch.float64))
    assert (drawn[:, 1] == torch.tensor([0, 1, 0])).all()


def test_quarter_turns_are_equally_likely() -> None:
    drawn = draw("rotate90", 0.8)
    angle = torch.atan2(drawn[:, 1, 0], drawn[:, 0, 0])
    quarters = torch.round(angle / (math.pi / 2)) % 4
    for turns, share in ((0, 0.2 + 0.2), (1, 0.2), (2, 0.2), (3, 0.2)):
        assert_share(quarters == turns, share)


def test_whole_shifts_are_uniform_up_to_an_eighth() -> None:
    shift = draw("xint", 0.5, height=128, width=64)[:, :, 2]
    assert torch.equal(shift, shift.round())
    assert shift[:, 0].abs().max() == 8 and shift[:, 1].abs().max() == 16
    assert_share((shift == 0).all(1), 0.5 + 0.5 / (16 * 32))
    moved = shift[(shift != 0).any(1)]
    assert moved.mean(0).abs().max() < 1
    assert moved[:, 0].std() == pytest.approx(16 / math.sqrt(12), rel=0.05)
    assert moved[:, 1].std() == pytest.approx(32 / math.sqrt(12), rel=0.05)


@pytest.mark.parametrize(("operation", "spread"), [("scale", 0.2), ("aniso", 0.2)])
def test_zooms_are_lognormal(operation: str, spread: float) -> None:
    drawn = draw(operation, 0.5)
    zoomed = drawn[drawn[:, 0, 0] != 1]
    assert_share(drawn[:, 0, 0] != 1, 0.5)
    across, down = torch.log2(zoomed[:, 0, 0]), torch.log2(zoomed[:, 1, 1])
    assert stats.kstest((across / spread).numpy(), "norm").pvalue > 1e-3
    assert torch.allclose(down, across if operation == "scale" else -across)


@pytest.mark.parametrize("p", [0.4, 1.0, 2.5])
def test_an_image_stays_upright_with_probability_1_minus_p(p: float) -> None:
    drawn = draw("rotate", p)
    angle = torch.atan2(drawn[:, 1, 0], drawn[:, 0, 0])
    assert_share(angle == 0, max(0.0, 1 - p))
    assert stats.kstest((angle[angle != 0] / (2 * math.pi) + 0.5).numpy(), "uniform").pvalue > 1e-3
    assert torch.allclose(torch.linalg.det(drawn[:, :, :2]), torch.ones(MANY, dtype=torch.float64))


def test_fractional_shifts_are_normal() -> None:
    shift = draw("xfrac", 0.5, height=32, width=64)[:, :, 2]
    assert_share((shift == 0).all(1), 0.5)
    moved = shift[(shift != 0).any(1)] / torch.tensor([64, 32])
    assert stats.kstest((moved.flatten() / 0.125).numpy(), "norm").pvalue > 1e-3


def test_operations_follow_the_specified_order() -> None:
    """Test mode, where every draw is known: the same product, written out."""
    q = 0.9
    normal = torch.erfinv(torch.tensor(2 * q - 1, dtype=torch.float64)).item()
    draws = Draws(1, torch.tensor(0.0), torch.zeros(1, dtype=torch.float64), q)
    operations = frozenset({"xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac"})
    found = draw_transform(draws, operations, Strengths(), 48, 32)[0]
    zoom = 2 ** (0.2 * normal)
    expected = (
        naive.scaling(-1, 1)
        @ naive.rotation(math.pi / 2 * 3)
        @ naive.translation(-round(0.1 * 32), -round(0.1 * 48))
        @ naive.scaling(1 / zoom, 1 / zoom)
        @ naive.rotation((2 * q - 1) * math.pi)
        @ naive.scaling(1 / zoom, zoom)
        @ naive.translation(-0.125 * normal * 32, -0.125 * normal * 48)
    )
    assert np.abs(found.numpy() - expected[:2]).max() < 1e-9
