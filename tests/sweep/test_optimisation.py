"""Optimisers with their published constants, learning rates over time, and losses of one unit against two."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.configs import SweepConfig
from engine.sweep.optimisation import Schedule, classification_loss, make_optimiser, probabilities


def config(**changes: object) -> SweepConfig:
    values = {"name": "s", "dataset": "d", "pool": "p", "classifier": "resnet50", "lr": 0.01, **changes}
    return SweepConfig.build(values).completed()


GRADIENTS = (0.3, -0.2, 0.05, 1.0)


def optimised(settings: SweepConfig) -> float:
    """Where a weight that began at 1 is after the gradients."""
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimiser = make_optimiser([weight], settings)
    for gradient in GRADIENTS:
        weight.grad = torch.full_like(weight, gradient)
        optimiser.step()
    return weight.item()


def test_rmsprop_is_that_of_keras() -> None:
    weight, mean = 1.0, 0.0
    for gradient in GRADIENTS:
        mean = 0.9 * mean + 0.1 * gradient**2
        weight -= 0.01 * gradient / (np.sqrt(mean) + 1e-7)
    assert optimised(config(optimizer="rmsprop")) == pytest.approx(weight, abs=1e-12)


@pytest.mark.parametrize(("optimizer", "decay"), [("adam", 0.0), ("adamw", 0.1)])
def test_adam_decays_weights_only_as_adamw(optimizer: str, decay: float) -> None:
    weight, mean, square = 1.0, 0.0, 0.0
    for t, gradient in enumerate(GRADIENTS, 1):
        weight -= 0.01 * decay * weight
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        weight -= 0.01 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    found = optimised(config(optimizer=optimizer, weight_decay=0.1))
    assert found == pytest.approx(weight, abs=1e-9)


def rates(settings: SweepConfig, losses: list[float]) -> list[float]:
    """The learning rate after each evaluation, with one step before each."""
    optimiser = make_optimiser([torch.nn.Parameter(torch.ones(1))], settings)
    schedule = Schedule(optimiser, settings, len(losses))
    found = []
    for loss in losses:
        optimiser.step()
        schedule.after_step()
        schedule.after_evaluation(loss)
        found.append(optimiser.param_groups[0]["lr"])
    return found


def test_learning_rates_over_time() -> None:
    losses = [0.9, 0.8, 0.8, 0.81, 0.79, 0.8, 0.8, 0.8]
    assert rates(config(schedule="constant"), losses) == [0.01] * 8
    plateau = [0.01, 0.01, 0.01, 0.002, 0.002, 0.002, 0.0004, 0.0004]
    assert rates(config(schedule="plateau"), losses) == pytest.approx(plateau)
    cosine = rates(config(schedule="cosine"), losses)
    assert cosine[3] == pytest.approx(0.005)
    assert cosine[-1] == pytest.approx(0, abs=1e-12)


def test_one_unit_says_what_two_say() -> None:
    """The sigmoid of a logit is the softmax of the pair (0, logit)."""
    logits, labels = torch.randn(9, 1, dtype=torch.float64), torch.arange(9) % 2
    pair = torch.cat((torch.zeros_like(logits), logits), 1)
    torch.testing.assert_close(probabilities(logits), probabilities(pair))
    torch.testing.assert_close(classification_loss(logits, labels), classification_loss(pair, labels))
    expected = -probabilities(pair)[torch.arange(9), labels].log().mean()
    torch.testing.assert_close(classification_loss(logits, labels), expected)
