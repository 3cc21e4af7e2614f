"""Losses against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from engine.gans.dcgan.losses import (
    adversarial_loss,
    clean_targets,
    generator_loss,
    gradient_penalty,
    noisy_targets,
    probability_real,
)

MANY = torch.zeros(20_000)


def test_adversarial_loss_is_binary_cross_entropy_in_fp32() -> None:
    logits = torch.tensor([0.0, 2.0], dtype=torch.bfloat16)
    by_hand = (math.log(2) + 0.9 * math.log(1 + math.exp(-2)) + 0.1 * math.log(1 + math.exp(2))) / 2
    loss = adversarial_loss(logits, torch.tensor([1.0, 0.9]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(("inverted", "loss"), [(False, math.log(1 + math.exp(3))), (True, math.log(1 + math.exp(-3)))])
def test_generator_loss_is_non_saturating(inverted: bool, loss: float) -> None:
    assert generator_loss(torch.tensor([-3.0]), inverted).item() == pytest.approx(loss, rel=1e-6)


def test_probability_real_follows_the_inversion() -> None:
    logits = torch.full((4,), math.log(3))
    assert probability_real(logits, inverted=False).item() == pytest.approx(0.75)
    assert probability_real(logits, inverted=True).item() == pytest.approx(0.25)


@pytest.mark.parametrize(("real", "inverted", "target"), [(True, False, 1), (False, False, 0), (True, True, 0)])
def test_soft_targets_stay_on_their_side(real: bool, inverted: bool, target: int) -> None:
    assert clean_targets(MANY, real, inverted).unique().tolist() == [target]
    torch.manual_seed(0)
    off = (noisy_targets(MANY, real, inverted, soft=0.1, flip=0) - target).abs()
    assert off.max().item() <= 0.1
    assert off.mean().item() == pytest.approx(0.05, abs=0.001)  # U(0, 0.1)


def test_flips_are_bernoulli_draws() -> None:
    torch.manual_seed(0)
    flipped = noisy_targets(MANY, real=True, inverted=False, soft=0, flip=0.05)
    assert set(flipped.unique().tolist()) == {0, 1}
    assert (1 - flipped).mean().item() == pytest.approx(0.05, abs=0.005)


def test_gradient_penalty_of_a_linear_discriminator() -> None:
    """D(x) = w.x has the gradient w everywhere: penalty (|w| - 1)^2, derivative 2 (|w| - 1) w / |w|."""
    torch.manual_seed(0)
    weight = torch.randn(3, 8, 8, requires_grad=True)
    reals, fakes = torch.randn(5, 3, 8, 8), torch.randn(5, 3, 8, 8)
    penalty = gradient_penalty(lambda images: (images * weight).sum(dim=(1, 2, 3)), reals, fakes)
    norm = weight.detach().norm()
    assert penalty.item() == pytest.approx((norm - 1).square().item(), rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(weight.grad, 2 * (norm - 1) * weight.detach() / norm, rtol=1e-4, atol=1e-5)


def test_gradient_penalty_is_taken_between_real_and_fake() -> None:
    """D(x) = |x|^2 / 2 has the gradient x: at x = t real + (1 - t) fake, t ~ U(0, 1), the norm is |x|."""
    torch.manual_seed(0)
    reals, fakes = torch.full((4000, 1, 2, 2), 3.0), torch.full((4000, 1, 2, 2), 1.0)
    penalty = gradient_penalty(lambda images: images.square().sum(dim=(1, 2, 3)) / 2, reals, fakes)
    expected = sum((2 * (1 + 2 * t) - 1) ** 2 for t in torch.linspace(0, 1, 1001).tolist()) / 1001
    assert penalty.item() == pytest.approx(expected, rel=0.03)
