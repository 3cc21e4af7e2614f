"""The tools in the latent space, each by the law that says what it shows."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sampling.exploring import (
    SamplingOptions,
    morph,
    neighbours,
    parse_layers,
    seed_grid,
    sheet,
    style_mixing,
    truncation_sweep,
)
from engine.sampling.export import export_generator
from engine.sampling.latents import latents
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError

LOOKS = [SamplingOptions(), SamplingOptions(psi=0.6, cutoff=3, noise="none")]


@pytest.mark.parametrize("space", ["w", "z"])
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_morph_ends_at_its_seeds(stylegan, space, look):
    images = morph(stylegan, 3, 8, np.linspace(0, 1, 5), space, look)
    ends = stylegan.sample([3, 8], None, look.psi, look.cutoff, look.noise)
    assert np.abs(images[[0, -1]].astype(int) - ends).max() <= 1
    assert len({image.tobytes() for image in images}) == 5


def test_half_a_morph_is_the_middle_of_both(stylegan):
    ends = stylegan.map([3, 8])
    middle = stylegan.synthesize(ends.mean(0, keepdims=True))
    np.testing.assert_array_equal(morph(stylegan, 3, 8, np.array([0.5]), "w", SamplingOptions()), middle)
    z = latents([3, 8], 20).sum(0, keepdims=True)  # the middle of the arc but for its length, which mapping norms away
    found = morph(stylegan, 3, 8, np.array([0.5]), "z", SamplingOptions())
    assert np.abs(found.astype(int) - stylegan.draw(z)).max() <= 1
    assert np.abs(found.astype(int) - middle).max() > 1


def test_a_morph_with_random_noise_keeps_the_first_seeds(stylegan):
    look = SamplingOptions(noise="random")
    images = morph(stylegan, 3, 8, np.array([0.0, 1.0]), "w", look)
    np.testing.assert_array_equal(images[0], stylegan.sample([3], noise="random")[0])
    np.testing.assert_array_equal(images[1], stylegan.synthesize(stylegan.map([8]), "random", [3])[0])


@pytest.mark.parametrize("space", ["w", "z"])
def test_neighbours_begin_at_the_seed_and_reach_the_following_ones(stylegan, space):
    own = stylegan.sample([7])
    at_home = neighbours(stylegan, 7, 3, 0.0, space, SamplingOptions())
    assert np.abs(at_home.astype(int) - own).max() <= 1
    far = neighbours(stylegan, 7, 3, 1.0, space, SamplingOptions())
    assert np.abs(far.astype(int) - stylegan.sample([7, 8, 9, 10])).max() <= 1
    near = neighbours(stylegan, 7, 3, 0.1, space, SamplingOptions())
    away = [np.abs(images[1:].astype(int) - own).mean() for images in (near, far)]
    assert 0 < away[0] < away[1] / 2
    assert neighbours(stylegan, 2**32 - 1, 1, 0.5, space, SamplingOptions()).shape == (2, 16, 16, 1)  # seeds go round


def test_the_truncation_sweep_runs_from_the_mean_to_the_seed(stylegan):
    grid = truncation_sweep(stylegan, [4, 5], [0, 0.5, 1], SamplingOptions())
    assert grid.shape == (2, 3, 16, 16, 1)
    np.testing.assert_array_equal(grid[0, 0], grid[1, 0])
    np.testing.assert_array_equal(grid[:, 1], stylegan.sample([4, 5], psi=0.5))
    np.testing.assert_array_equal(grid[:, 2], stylegan.sample([4, 5]))
    random = truncation_sweep(stylegan, [4, 5], [0.5, 1], SamplingOptions(noise="random"))
    np.testing.assert_array_equal(random[1, 0], stylegan.sample([5], psi=0.5, noise="random")[0])


def test_mixing_goes_from_the_row_to_the_column(stylegan):
    rows, columns = [1, 2, 3], [10, 11]
    of_rows, of_columns = stylegan.sample(rows), stylegan.sample(columns)
    every = style_mixing(stylegan, rows, columns, range(6), SamplingOptions())
    none = style_mixing(stylegan, rows, columns, [], SamplingOptions())
    for grid in (every, none):
        assert grid.shape == (4, 3, 16, 16, 1)
        np.testing.assert_array_equal(grid[0, 1:], of_columns)
        np.testing.assert_array_equal(grid[1:, 0], of_rows)
        assert not grid[0, 0].any()
    for row in range(3):
        np.testing.assert_array_equal(every[1 + row, 1:], of_columns)
        np.testing.assert_array_equal(none[1 + row, 1:], [of_rows[row]] * 2)

    coarse = style_mixing(stylegan, rows, columns, [0, 1, 2], SamplingOptions(psi=0.7))
    w = stylegan.map([2, 11], psi=0.7)
    w[0, :3] = w[1, :3]
    np.testing.assert_array_equal(coarse[2, 2], stylegan.synthesize(w[:1])[0])
    noisy = style_mixing(stylegan, rows, columns, [5], SamplingOptions(noise="random"))
    np.testing.assert_array_equal(noisy[0, 1:], stylegan.sample(columns, noise="random"))
    np.testing.assert_array_equal(noisy[1:, 0], stylegan.sample(rows, noise="random"))


def test_layers_are_those_that_the_generator_has():
    assert parse_layers("0-2,5", 6) == [0, 1, 2, 5]
    with pytest.raises(ErsatzError, match="generator has the layers 0-5"):
        parse_layers("0-6", 6)


def test_a_grid_is_laid_out_row_by_row(stylegan):
    grid = seed_grid(stylegan, range(5), 3, SamplingOptions())
    images = stylegan.sample(range(5))
    np.testing.assert_array_equal(grid.reshape(6, 16, 16, 1)[:5], images)
    assert not grid[1, 2].any()
    picture = sheet(grid)
    assert picture.shape == (32, 48, 1)
    np.testing.assert_array_equal(picture[16:, 16:32], images[4])


def test_a_dcgan_has_the_tools_of_z(make_generator):
    sampler = Sampler.open(make_generator("bleed").path)
    ends = sampler.sample([3, 8])
    images = morph(sampler, 3, 8, np.linspace(0, 1, 3), "z", SamplingOptions())
    assert np.abs(images[[0, 2]].astype(int) - ends).max() <= 1
    assert neighbours(sampler, 3, 2, 0.5, "z", SamplingOptions()).shape == (3, 16, 16, 1)
    assert seed_grid(sampler, [1, 2], 2, SamplingOptions()).shape == (1, 2, 16, 16, 1)
    for refused in (
        lambda: morph(sampler, 3, 8, np.linspace(0, 1, 3), "w", SamplingOptions()),
        lambda: style_mixing(sampler, [1], [2], [], SamplingOptions()),
        lambda: truncation_sweep(sampler, [1], [0, 1], SamplingOptions()),
    ):
        with pytest.raises(ErsatzError, match="is a DCGAN"):
            refused()


def test_each_class_can_be_explored(imported):
    run, _ = imported(classes=2)
    export_generator(run)
    sampler = Sampler.open(run.path)
    first, second = (seed_grid(sampler, [1, 2], 2, SamplingOptions(name)) for name in ("bleed", "normal"))
    assert np.abs(first.astype(int) - second).max() > 5
    with pytest.raises(ErsatzError, match="asked for class None"):
        seed_grid(sampler, [1], 1, SamplingOptions())
