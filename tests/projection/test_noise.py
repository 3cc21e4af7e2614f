"""Noise planes: white noise is free, structure is punished."""

from __future__ import annotations

import torch

from engine.projection.search import autocorrelation, renormalise


def test_structure_costs_more_than_white_noise() -> None:
    torch.manual_seed(0)
    white = torch.randn(64, 64)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(1, 1, 64, 64), 3, stride=1, padding=1)[0, 0]
    renormalise([white, smooth])
    assert float(autocorrelation([smooth])) > 100 * float(autocorrelation([white]))


def test_every_scale_counts_and_shifts_wrap_around() -> None:
    stripes = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4).expand(16, 16)
    # 16 px: no correlation along x at one pixel, full along y; 8 px: stripes of one pixel, -1 along x and 1 along y.
    assert float(autocorrelation([stripes])) == 0 + 1 + 1 + 1
    assert float(autocorrelation([stripes[:4, :4]])) == 1  # at most 8 px wide: this one scale only


def test_renormalised_planes_have_mean_0_and_variance_1() -> None:
    planes = [torch.rand(4, 4) * 3 + 1, torch.randn(8, 8)]
    renormalise(planes)
    for plane in planes:
        assert abs(float(plane.mean())) < 1e-6
        assert abs(float(plane.square().mean()) - 1) < 1e-6
