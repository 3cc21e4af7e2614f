"""Colour, filter, noise and cutout: against the slow form of the specification, and what is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from engine.gans.augment.bands import FILTER_BANK, draw_gains, filtered
from engine.gans.augment.colour import recoloured
from engine.gans.augment.corruption import cut_out, draw_sigma
from engine.gans.augment.draws import Draws
from engine.gans.augment.presets import COLOUR, Strengths
from tests.gans.augment import naive

MANY = 4000
DOUBLE = torch.zeros(1, dtype=torch.float64)


def drawing(count: int = MANY, p: float = 1.0, percentile: float | None = None) -> Draws:
    torch.manual_seed(5)
    return Draws(count, torch.tensor(p), DOUBLE, percentile)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def quantile(q: float) -> float:
    """The Gaussian draw of the test mode."""
    return torch.erfinv(torch.tensor(2 * q - 1, dtype=torch.float64)).item()


@pytest.mark.parametrize("q", [0.1, 0.6, 0.95])
@pytest.mark.parametrize(
    "operations", [COLOUR, *({name} for name in sorted(COLOUR))], ids=lambda found: "+".join(sorted(found))
)
def test_colours_are_the_product_of_the_operations(operations: set[str], q: float) -> None:
    images, n = noise(2, 3, 4, 4), quantile(q)
    full = naive.colour_matrix(
        0.2 * n * ("brightness" in operations),
        2 ** (0.5 * n * ("contrast" in operations)),
        math.floor(2 * q) * ("lumaflip" in operations),
        (2 * q - 1) * math.pi * ("hue" in operations),
        2 ** (n * ("saturation" in operations)),
    )
    found = recoloured(images, drawing(2, percentile=q), frozenset(operations), Strengths())
    expected = np.einsum("ij,njhw->nihw", full[:3, :3], images.numpy()) + full[:3, 3][:, None, None]
    assert np.abs(found.numpy() - expected).max() < 1e-9


@pytest.mark.parametrize("q", [0.2, 0.8])
def test_grey_is_rgb_of_equal_channels(q: float) -> None:
    grey = noise(3, 1, 4, 4)
    as_rgb = recoloured(grey.expand(-1, 3, -1, -1), drawing(3, percentile=q), COLOUR, Strengths())
    as_grey = recoloured(grey, drawing(3, percentile=q), COLOUR, Strengths())
    assert torch.allclose(as_rgb, as_grey.expand(-1, 3, -1, -1), atol=1e-12)


def test_what_colours_are_drawn() -> None:
    black, white = torch.zeros(MANY, 1, 1, 1, dtype=torch.float64), torch.ones(MANY, 1, 1, 1, dtype=torch.float64)

    def values(images: Tensor, operation: str, p: float) -> Tensor:
        return recoloured(images, drawing(p=p), frozenset({operation}), Strengths()).flatten()

    brighter = values(black, "brightness", 1)
    assert stats.kstest((brighter / 0.2).numpy(), "norm").pvalue > 1e-3
    assert (values(black, "brightness", 0.3) != 0).double().mean() == pytest.approx(0.3, abs=0.04)
    assert stats.kstest((torch.log2(values(white, "contrast", 1)) / 0.5).numpy(), "norm").pvalue > 1e-3
    assert (values(white, "lumaflip", 0.6) == -1).double().mean() == pytest.approx(0.3, abs=0.04)
    assert torch.equal(values(white, "hue", 1), white.flatten())  # grey has no hue


def test_hue_keeps_grey_level_and_colourfulness_of_every_pixel() -> None:
    images = noise(64, 3, 4, 4)
    turned = recoloured(images, drawing(64), frozenset({"hue"}), Strengths())
    assert torch.allclose(turned.mean(1), images.mean(1))
    assert torch.allclose(turned.square().sum(1), images.square().sum(1))
    assert not torch.allclose(turned, images)


def test_filter_bank_is_the_specified_one() -> None:
    assert np.abs(FILTER_BANK - naive.band_filters()).max() < 1e-12
    delta = np.zeros(43)
    delta[21] = 1
    assert np.abs(FILTER_BANK.sum(0) - delta).max() < 1e-9


def test_filtering_is_a_correlation_along_both_axes() -> None:
    images, gains = noise(2, 2, 24, 32), torch.tensor([[1, 2, 0.5, 3], [0.2, 1, 1, 1]], dtype=torch.float64)
    found = filtered(images, gains)
    for sample in range(2):
        for channel in range(2):
            expected = naive.filtered(images[sample, channel].numpy(), gains[sample].numpy() @ naive.band_filters())
            assert np.abs(found[sample, channel].numpy() - expected).max() < 1e-9


def test_gains_keep_the_expected_power() -> None:
    """Of an image with a 1/f spectrum, whatever is drawn."""
    gains = draw_gains(drawing(), Strengths())
    only_one = draw_gains(drawing(percentile=0.5), Strengths())
    assert torch.allclose(only_one, torch.ones_like(only_one))  # the median draw changes nothing
    share = torch.tensor([10, 1, 1, 1], dtype=torch.float64) / 13
    # Four corrections, one after another: exact for one band, close for all.
    assert (gains.square() @ share).median() == pytest.approx(1, abs=0.1)
    rare = draw_gains(drawing(p=0.02), Strengths())
    changed = (rare != 1).any(1)
    assert changed.double().mean() == pytest.approx(1 - 0.98**4, abs=0.02)
    assert torch.allclose((rare.square() @ share)[changed].median(), torch.ones([], dtype=torch.float64))


def test_noise_level_is_half_normal() -> None:
    assert stats.kstest((draw_sigma(drawing(), Strengths()) / 0.1).numpy(), "halfnorm").pvalue > 1e-3
    assert (draw_sigma(drawing(p=0.3), Strengths()) > 0).double().mean() == pytest.approx(0.3, abs=0.04)


def test_cutout_removes_a_square_of_half_the_side() -> None:
    found = cut_out(torch.ones(MANY, 1, 16, 32, dtype=torch.float64), drawing(p=0.5), Strengths())
    holes = found.flatten(1).min(1).values == 0
    assert holes.double().mean() == pytest.approx(0.5, abs=0.04)
    rows, columns = (found == 0).any(3).sum((1, 2)), (found == 0).any(2).sum((1, 2))
    assert rows.max() == 8 and columns.max() == 16  # fewer where the square sticks out
    assert torch.equal((found == 0).sum((1, 2, 3)), rows * columns)  # a rectangle
    middle = (found[holes, 0, 8, 16] == 0).double().mean()
    assert middle == pytest.approx(0.25, abs=0.05)  # centres are uniform: in reach of the middle half the time, twice


def test_cutout_follows_the_specified_inequality() -> None:
    q, found = 0.3, cut_out(torch.ones(1, 1, 8, 8, dtype=torch.float64), drawing(1, percentile=0.3), Strengths())
    for y in range(8):
        for x in range(8):
            kept = abs((x + 0.5) / 8 - q) >= 0.25 or abs((y + 0.5) / 8 - q) >= 0.25
            assert found[0, 0, y, x] == float(kept)
