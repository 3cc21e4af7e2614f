"""Trials: the same arithmetic whoever trains beside them, and paired as promised."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.configs import SweepConfig
from engine.sweep.arms import Stream, Trial, batches, plan, torch_seed, training_set
from engine.sweep.classifiers import SmallCnn, to_network_size
from engine.sweep.heads import train_heads
from engine.sweep.training import train_network
from engine.sweep.trial_data import Inputs

CONFIG = SweepConfig(
    name="s", dataset="d", pool="p", seeds=2, ratios=(0.5, 1.0), steps=30, batch=8, validations=5
).completed()
HEADS = CONFIG.model_copy(update={"classifier": "resnet50", "schedule": "constant"})


def feature_inputs(dim: int = 24, views: int = 3) -> Inputs:
    g = torch.Generator().manual_seed(0)
    labels = {name: np.arange(n) % 2 for name, n in (("real", 20), ("pool", 40), ("valid", 12))}

    def features(labels: np.ndarray) -> torch.Tensor:
        return torch.randn(len(labels), dim, generator=g) + 0.5 * torch.from_numpy(labels)[:, None]

    train = features(np.concatenate((labels["real"], labels["pool"])))
    return Inputs(
        train, features(labels["valid"]), features(np.arange(16) % 2), labels["real"], labels["pool"], labels["valid"],
        2, train[:20, None] + 0.1 * torch.randn(20, views, dim, generator=g),
    )  # fmt: skip


def image_inputs(size: int = 16) -> Inputs:
    g = torch.Generator().manual_seed(0)

    def images(n: int) -> torch.Tensor:
        found = torch.randint(0, 120, (n, 1, size, size), generator=g, dtype=torch.uint8)
        found[1::2, :, 3:7, 3:7] += 90
        return found

    return Inputs(images(60), images(12), images(16), np.arange(20) % 2, np.arange(40) % 2, np.arange(12) % 2, 2)


def test_a_head_does_not_depend_on_its_neighbours() -> None:
    inputs = feature_inputs()
    trials = [trial for trial in plan(HEADS) if trial.seed == 1]
    together = train_heads(trials, inputs, HEADS)
    for trial, expected in zip(trials, together, strict=True):
        (alone,) = train_heads([trial], inputs, HEADS)
        assert alone.trial == trial
        assert alone.best_step == expected.best_step
        np.testing.assert_allclose(alone.scores, expected.scores, rtol=1e-5, atol=1e-6)


def test_a_head_is_the_plain_model_that_it_says_it_is() -> None:
    """Against a separately written loop: nn.Linear, dropout off, cross entropy, AdamW."""

    config = HEADS.model_copy(update={"dropout": 0.0, "validations": 1})
    inputs, trial = feature_inputs(), Trial("real+synthetic", 0.5, 1)
    (found,) = train_heads([trial], inputs, config)
    chosen = training_set(trial, inputs.real_labels, inputs.pool_labels, HEADS).rows
    limit = (6 / (24 + 2)) ** 0.5
    uniform = torch.rand(24, 2, generator=torch.Generator().manual_seed(torch_seed(1, Stream.WEIGHTS)))
    linear = torch.nn.Linear(24, 2)
    with torch.no_grad():
        linear.weight.copy_(((uniform * 2 - 1) * limit).T)
        linear.bias.zero_()
    optimiser = torch.optim.AdamW(linear.parameters(), config.lr, weight_decay=config.weight_decay)
    for places in batches(len(chosen), config.batch, config.steps, 1):
        rows = chosen[places]
        loss = torch.nn.functional.cross_entropy(
            linear(inputs.train[rows]), torch.from_numpy(inputs.train_labels[rows])
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    expected = linear(inputs.test).softmax(1).detach().numpy()
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4, atol=1e-5)


def test_small_cnn_trials_are_the_same_again_and_learn() -> None:
    inputs, trial = image_inputs(), Trial("real+classical", 0.0, 4)
    config = CONFIG.model_copy(update={"steps": 60})
    first, again = (train_network(trial, inputs, config) for _ in range(2))
    assert np.array_equal(first.scores, again.scores)
    assert (first.scores.argmax(1) == np.arange(16) % 2).mean() >= 0.8
    assert first.scores.sum(1) == pytest.approx(1)
    other = train_network(Trial("real+classical", 0.0, 5), inputs, config)
    assert not np.array_equal(first.scores, other.scores)


def test_synthetic_images_equal_to_the_duplicates_give_equal_trials() -> None:
    """Pairing, to the bit: when the pool holds the duplicated reals themselves, the two arms are one."""
    inputs = feature_inputs()
    duplicates = train_heads([Trial("real+duplicates", 1.0, 3)], inputs, HEADS)[0]

    reals = training_set(Trial("real+duplicates", 1.0, 3), inputs.real_labels, inputs.pool_labels, HEADS).rows
    chosen = training_set(Trial("real+synthetic", 1.0, 3), inputs.real_labels, inputs.pool_labels, HEADS).rows
    inputs.train[chosen] = inputs.train[reals].clone()
    synthetic = train_heads([Trial("real+synthetic", 1.0, 3)], inputs, HEADS)[0]
    assert np.array_equal(duplicates.scores, synthetic.scores)
    assert (duplicates.n_real, duplicates.n_synthetic) == (40, 0)
    assert (synthetic.n_real, synthetic.n_synthetic) == (20, 20)


def test_classical_heads_see_the_views_and_the_others_do_not() -> None:
    inputs = feature_inputs()
    trials = [Trial("real", 0.0, 0), Trial("real+classical", 0.0, 0)]
    before = train_heads(trials, inputs, HEADS)
    assert inputs.views is not None
    inputs.views.mul_(-1)
    after = train_heads(trials, inputs, HEADS)
    assert np.array_equal(before[0].scores, after[0].scores)
    assert not np.array_equal(before[1].scores, after[1].scores)


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (1, 64), (3, 28), (3, 128)])
def test_small_cnn_takes_all_sizes(channels: int, size: int) -> None:
    images = to_network_size(torch.randint(0, 255, (2, channels, size, size), dtype=torch.uint8))
    assert images.shape[-1] == min(size, 64)
    net = SmallCnn(channels, 3, 0.0)
    assert 60_000 <= sum(p.numel() for p in net.parameters()) <= 100_000
    assert net(images.float()).shape == (2, 3)
