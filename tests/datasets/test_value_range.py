"""One range for all deep images: what sets it, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.datasets.preprocess import black_and_white
from engine.datasets.reading.items import Decoded
from engine.datasets.value_range import ValueRange, levels_of, measure, sample_size, value_range


def texture(low: float, high: float, seed: int = 0, size: int = 40) -> np.ndarray:
    """Random values from `low` to `high`, both of them in it twice side by side."""
    values = np.random.default_rng(seed).uniform(low, high, (size, size))
    values[-5, 5:7], values[-3, 8:10] = low, high
    return values


def ranged(images: Sequence[np.ndarray]) -> ValueRange:
    found = value_range([(f"{number}.png", measure(image)) for number, image in enumerate(images)])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 255, (0, 255)),
        (0, 300, (0, 511)),
        (3, 4095, (0, 4095)),
        (0, 65535, (0, 65535)),
        (0.1, 0.9, (0, 1)),
        (0.0, 30.5, (0, 30.5)),
        (0.0, 0.09, (0, 0.09)),
        (-1000, 3000, (-1000, 3000)),
        (30000, 34000, (30000, 34000)),
        (2**31, 2**31 + 1000, (2**31, 2**31 + 1000)),
    ],
)
def test_range_of_sound_images(low: float, high: float, expected: tuple[float, float]) -> None:
    assert ranged([texture(low, high, seed) for seed in range(3)]).levels == expected
    assert ranged([texture(low, high)]).outside == ()


def test_one_hot_pixel_does_not_matter_and_its_file_is_named() -> None:
    images = [texture(0, 1000, seed) for seed in range(20)]
    images[7][20, 20] = 65535
    found = ranged(images)
    assert found.levels == (0, 1023)
    (note,) = found.notes(20, 20)[1:]
    assert "65535 in 7.png" in note


def test_hot_and_dead_pixels_in_every_file_do_not_matter() -> None:
    images = [texture(1000, 2000, seed) for seed in range(30)]
    for seed, image in enumerate(images):
        rng = np.random.default_rng(seed)
        where = rng.permutation(400)[:9] * 4  # never side by side
        image.flat[where] = rng.choice([0, *range(5000, 65535, 977)], 9)
    assert ranged(images).levels == (1000, 2000)


@pytest.mark.parametrize("padding", [[-2000.0], [-3024.0], [-32768.0], [-3024.0, -2000.0], [65535.0]])
@pytest.mark.parametrize("padded", [1, 12])
def test_padding_does_not_set_the_range(padding: list[float], padded: int) -> None:
    images = [texture(-150, 250, seed) for seed in range(12)]
    for image in images[:padded]:
        for number, value in enumerate(padding):
            image[: 4 + 4 * number] = np.where(image[: 4 + 4 * number] < -1500, image[: 4 + 4 * number], value)
    found = ranged(images)
    low, high = found.levels
    assert low == pytest.approx(-150, abs=1)
    assert high == 250
    notes = " ".join(found.notes(12, 12))
    assert "taken for padding" in notes
    assert f"{padding[0]:.0f}" in notes
    assert "0.png" in notes


def test_padding_of_a_whole_body_ct() -> None:
    """-2000 lies only 976 below air, where the values span 2500."""
    images = []
    for seed in range(4):
        image = texture(-1024, 1500, seed)
        image[:8] = -2000
        images.append(image)
    assert ranged(images).levels[0] == pytest.approx(-1024, abs=2)


def test_true_bright_details_and_long_tails_count() -> None:
    """A few small bright spots on a dark background, and an exponential tail, are no outliers."""
    sparse = np.zeros((200, 200))
    sparse[50:52, 50:53] = 900
    assert ranged([sparse]).levels == (0, 1023)
    tail = np.random.default_rng(0).exponential(100, (200, 200))
    assert ranged([tail]).levels[1] > np.quantile(tail, 0.9995)


def test_label_maps_keep_all_their_values() -> None:
    labels = np.zeros((40, 40))
    labels[:10, :10], labels[20, 20:22] = 1000, 3000
    assert ranged([labels]).levels == (0, 4095)


def test_background_of_zero_is_no_loss() -> None:
    """Skull-stripped: 60 % are 0, the rest lies far above."""
    image = texture(300, 1000)
    image[:24] = 0
    assert ranged([image]).levels == (0, 1023)


def test_constant_empty_and_tiny_images() -> None:
    assert ranged([np.full((8, 8), 700.0)]).levels == (0, 1023)
    low, high = ranged([np.full((8, 8), -3.0)]).levels
    assert low == -3 < high
    assert ranged([np.array([[5.0]]), np.array([[200.0]])]).levels == (0, 255)
    assert value_range([("a", measure(np.full((4, 4), np.nan)))]) is None
    assert ranged([np.full((4, 4), np.nan), texture(-5, 5)]).levels == (-5, 5)


def test_images_have_equal_weight_and_padding_as_nan_none() -> None:
    large, small = texture(-10, 10, size=200), texture(-500, 500, 1, size=20)
    large[:100] = np.nan
    assert ranged([large, small]).levels == (-500, 500)


def test_memory_is_bounded() -> None:
    assert sample_size(2) == 4096
    assert 100_000 * sample_size(100_000) < 2**23
    assert measure(texture(0, 1, size=300)).sample.size <= 4096


@pytest.mark.parametrize(
    ("window", "exact", "expected"),
    [
        ((40, 80), True, (0, 80)),
        ((40, 80), False, (0, 79)),
        ((0.05, 0.1), True, (0, 0.1)),
        ((0.05, 0.1), False, (0, 0.1)),
        ((1, 1), False, (0.5, 1.5)),
    ],
)
def test_window(window: tuple[float, float], exact: bool, expected: tuple[float, float]) -> None:
    assert black_and_white(window, exact) == pytest.approx(expected)


def test_which_levels_an_image_takes() -> None:
    grey, colour = np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.float32)
    assert levels_of(Decoded(grey, window=(1, 2)), (40, 80), (0, 9)) == (1, 2)
    assert levels_of(Decoded(grey), (40, 80), (0, 9)) == (0, 80)
    assert levels_of(Decoded(colour), (40, 80), (0, 9)) == (0, 9)
    assert levels_of(Decoded(grey), None, (0, 9)) == (0, 9)


def test_images_that_fill_little_of_the_range_are_told() -> None:
    images = [*(texture(0, 400, seed) for seed in range(3)), texture(0, 65000), np.full((40, 40), 7.0)]
    found = ranged(images)
    assert found.faint == ("0.png", "1.png", "2.png")
    told = found.notes(5, 5)[-1]
    assert "The values of 3 images (such as 0.png)" in told
    assert "3.png fills most of it" in told
    lesions = [np.zeros((40, 40)) for _ in range(3)]
    for number, image in enumerate(lesions):
        image[9:14, 9:14] = texture(0, 4000 - 500 * number, size=40)[9:14, 9:14]
    assert ranged(lesions).faint == ()
