"""The published heads have the published numbers of weights, and Keras' penalties and conventions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.configs import SweepConfig
from engine.publications.table import HEADS
from engine.sweep.dense_head import DenseHead, glorot, make_head


def head(name: str, dim: int, classes: int) -> torch.nn.Module:
    values = {"name": "s", "dataset": "d", "pool": "p", "classifier": "resnet50", "head": name, "dropout": 0.1}
    return make_head(SweepConfig.build(values), dim, classes)


@pytest.mark.parametrize(
    ("name", "dim", "classes", "parameters"),
    [
        ("chest-ct", 2048, 2, 4_096 + 102_810_624 + 25_088_500 + 100_200 + 10_050 + 51),
        ("chest-ct", 2048, 3, 128_013_470 + 153),
        ("head-ct", 2048, 2, 4_098),
        ("skin-lesions", 1408, 2, 704_500 + 501),
        ("skin-lesions", 1408, 4, 704_500 + 2_004),
        ("linear", 384, 5, 1_925),
    ],
)
def test_numbers_of_weights(name: str, dim: int, classes: int, parameters: int) -> None:
    with torch.device("meta"):
        found = head(name, dim, classes)
    assert sum(p.numel() for p in found.parameters()) == parameters


def test_dropout_is_the_published_one_where_one_was_published() -> None:
    def rate(name: str) -> float:
        return next(part.p for part in head(name, 8, 2).modules() if isinstance(part, torch.nn.Dropout))

    assert rate("head-ct") == 0.4
    assert rate("linear") == 0.1


def test_dense_layers_begin_as_in_keras() -> None:
    torch.manual_seed(0)
    layer = glorot(300, 100)
    limit = (6 / 400) ** 0.5
    assert layer.weight.abs().max() <= limit
    assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert not layer.bias.any()


def test_the_chest_ct_head_against_numpy() -> None:
    torch.manual_seed(0)
    net = DenseHead(replace(HEADS["chest-ct"], widths=(12, 7, 5, 3)), 6, 1)
    torch.nn.init.normal_(net.dense[0].bias)
    x = np.random.default_rng(0).normal(2, 3, (20, 6))
    found = net(torch.from_numpy(x).float())

    y = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    for i, layer in enumerate([*net.dense, net.last]):
        weight, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
        y = y @ weight.T + bias
        if i < 4:
            y = np.where(y > 0, y, 0.2 * y)
        if i == 0:
            activity = np.abs(y).sum() / 20  # Keras divides the activity's penalty by the batch
            penalty = 0.016 * (weight**2).sum() + 0.006 * np.abs(bias).sum() + 0.006 * activity
    np.testing.assert_allclose(found.detach().numpy(), y, rtol=1e-4, atol=1e-4)
    assert net.penalty().item() == pytest.approx(penalty, rel=1e-5)
    np.testing.assert_allclose(net.norm.running_mean, 0.01 * x.mean(0), rtol=1e-5)  # 0.99 of the old, 0.01 of the new
