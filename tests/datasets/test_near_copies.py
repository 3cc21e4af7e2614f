"""Near copies are found through compression, framing, turning and mirroring; what only shares its frame is none."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter

from engine.datasets.near_copies import VARIANTS, connected, near_pairs, turned, way_turned
from engine.datasets.picture_content import Contents, content_of, stacked

SIDE = 128


def dermatoscope(seed: int) -> Image.Image:
    """A round field on black, whose light falls off towards the rim; in it a lesion of its own and some texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x)
    outline = (
        0.35 + 0.1 * rng.random() + sum(rng.normal(0, 0.05) * np.cos(k * angle + rng.random() * 6) for k in (2, 3))
    )
    lesion = 1 / (1 + np.exp((radius - outline) * 20))
    texture = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 2)
    skin = 190 - 50 * radius**2 + 12 * texture / texture.std() - 90 * lesion
    field = 1 / (1 + np.exp((radius - 0.9) * 60))
    return Image.fromarray(np.clip(skin * field + rng.normal(0, 1, skin.shape), 0, 255).astype(np.uint8))


def on_smooth_skin(seed: int) -> Image.Image:
    """A small lesion on skin that is nearly of one grey up to the border, as padding is, but not flat."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    y, x = y - rng.normal(0, 0.1), x - rng.normal(0, 0.1)
    angle = np.arctan2(y, x)
    outline = 0.3 + sum(rng.normal(0, 0.04) * np.cos(k * angle + rng.random() * 6) for k in range(1, 6))
    lesion = 1 / (1 + np.exp((np.hypot(x, y) - outline) * 40))
    shading = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 8)
    skin = 180 + 4 * shading / shading.std() - 80 * lesion
    return Image.fromarray((skin + rng.normal(0, 0.7, skin.shape)).astype(np.uint8))


def jpeg(picture: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("L")


def cropped(picture: Image.Image) -> Image.Image:
    left, top, right, bottom = 30, 30, SIDE - 32, SIDE - 31
    return picture.crop((left, top, right, bottom)).resize(picture.size, Image.Resampling.LANCZOS)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "compressed": jpeg,
    "brighter": lambda picture: picture.point(lambda value: min(255, round(value * 1.1 + 4))),
    "smaller": lambda picture: picture.resize((70, 70), Image.Resampling.BICUBIC).resize((SIDE, SIDE)),
    "padded": lambda picture: ImageOps.expand(picture, (0, 30)).resize((SIDE, SIDE), Image.Resampling.LANCZOS),
    "tilted": lambda picture: picture.rotate(1.5, Image.Resampling.BICUBIC),
    "framed anew": lambda picture: picture.resize((SIDE - 4, SIDE - 6)).crop((1, 2, SIDE - 5, SIDE - 7)),
    "rotated": lambda picture: jpeg(picture.transpose(Image.Transpose.ROTATE_90)),
    "upside down": lambda picture: jpeg(picture.transpose(Image.Transpose.ROTATE_180)),
    "mirrored": lambda picture: jpeg(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


@pytest.fixture(scope="module")
def round_pictures() -> list[Image.Image]:
    return [dermatoscope(seed) for seed in range(60)]


def contents(pictures: list[Image.Image]) -> Contents:
    return stacked([content_of(picture) for picture in pictures])


def test_different_lesions_in_one_round_field_are_no_near_copies(round_pictures: list[Image.Image]) -> None:
    assert near_pairs(contents(round_pictures)).pairs.tolist() == []


def test_changed_copies_are_found_among_others_of_the_same_frame(round_pictures: list[Image.Image]) -> None:
    copies = [change(round_pictures[number]) for number, change in enumerate(CHANGES.values())]
    found = near_pairs(contents([*round_pictures, *copies]))
    assert {tuple(pair) for pair in found.pairs.tolist()} == {(n, 60 + n) for n in range(len(CHANGES))}
    ways = {name: way_turned(found.variant[number]) for number, name in enumerate(CHANGES)}
    assert {name: way for name, way in ways.items() if way} == {
        "rotated": "rotated",
        "upside down": "rotated",
        "mirrored": "mirrored",
    }


def test_copies_of_what_is_smooth_up_to_its_border_are_found() -> None:
    """A smooth background is no padding: cut away, it would leave a few pixels, and others in each copy."""
    pictures = [on_smooth_skin(seed) for seed in range(20)]
    changes = [CHANGES["brighter"], lambda picture: picture, lambda picture: picture.rotate(90), ImageOps.mirror]
    copies = [jpeg(changes[n % 4](pictures[n]), quality=85) for n in range(8)]
    found = {tuple(pair) for pair in near_pairs(contents([*pictures, *copies])).pairs.tolist()}
    assert found <= {(n, 20 + n) for n in range(8)}
    assert len(found) >= 7


def test_only_the_same_picture_is_the_same_beyond_doubt(round_pictures: list[Image.Image]) -> None:
    """Recompressed lightly it is; cropped, tilted or with another lesion it is not."""
    buffer = io.BytesIO()
    round_pictures[0].save(buffer, "JPEG", quality=95)
    pictures = [round_pictures[0], Image.open(buffer).convert("L"), round_pictures[1], cropped(round_pictures[1])]
    found = near_pairs(contents([*pictures, round_pictures[2], CHANGES["tilted"](round_pictures[2])]))
    sure = {tuple(pair): bool(certain) for pair, certain in zip(found.pairs.tolist(), found.sure, strict=True)}
    assert sure.pop((0, 1))
    assert not any(sure.values())


@pytest.mark.parametrize("variant", range(8))
def test_each_way_to_turn_a_picture_is_recognised(variant: int, round_pictures: list[Image.Image]) -> None:
    copy = Image.fromarray(np.ascontiguousarray(turned(np.asarray(round_pictures[0]), variant)))
    found = near_pairs(contents([copy, *round_pictures[:4]]))
    assert found.pairs.tolist() == [[0, 1]]
    assert VARIANTS[found.variant[0]] == VARIANTS[variant], "the second is brought to lie as the first"


def test_blank_content_is_compared_with_nothing() -> None:
    dark = Image.new("L", (SIDE, SIDE))
    assert near_pairs(contents([dark, dark, Image.new("L", (SIDE, SIDE), 255)])).pairs.tolist() == []
    assert near_pairs(contents([])).pairs.tolist() == []


def test_padding_is_cut_and_the_rim_does_not_count(round_pictures: list[Image.Image]) -> None:
    wide = ImageOps.expand(round_pictures[0], (0, 40)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    plain, padded = contents([round_pictures[0]]), contents([wide])
    assert np.abs(plain.thumbnails.astype(int) - padded.thumbnails).mean() < 12
    assert 0.5 < plain.masks.mean() < 0.9
    assert not plain.masks[0, :8, :8].any()
    full = contents([Image.fromarray(np.random.default_rng(0).integers(60, 200, (64, 64), dtype=np.uint8))])
    assert full.masks.all()


def test_many_alike_pictures_are_one_set_in_a_time_that_grows_with_their_number() -> None:
    rng = np.random.default_rng(0)
    base = np.asarray(dermatoscope(0).resize((64, 64)), np.float32)
    thumbnails = np.clip(base + rng.normal(0, 0.5, (2000, 64, 64)), 0, 255).astype(np.uint8)
    mask = np.ones(thumbnails.shape, bool)
    began = time.process_time()
    found = near_pairs(Contents(thumbnails, mask, np.ones(2000, bool), np.full(2000, 99.0)))
    assert len(set(connected(2000, found.pairs))) == 1
    assert len(found.pairs) < 3 * 2000
    assert time.process_time() - began < 60
