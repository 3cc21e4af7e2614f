"""The search for copies in a pool as a whole: clean pools are let through, planted copies are found and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from engine.configs import QualityConfig
from engine.features.cache import Interrupted
from engine.quality.copies import TABLE_COLUMNS, Copies, Features, find_copies
from engine.quality.flags import Limits, Nearness, flag_copies, repeats
from engine.quality.memorisation_rows import in_words
from engine.quality.quality_scores import MemorisationMeasure
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_pixels
from engine.store.progress import Progress

CONFIG = QualityConfig(name="check", dataset="set", pool="pool")


def pictures(n: int, seed: int, kind: float = 16.0) -> np.ndarray:
    """Smooth random pictures with a common bright middle, uint8 [n, 24, 24, 1]."""
    detail = gaussian_filter(np.random.default_rng(seed).standard_normal((n, 24, 24, 1)), (0, 24 / kind, 24 / kind, 0))
    place = np.linspace(-1, 1, 24)
    middle = np.exp(-2 * (place[:, None] ** 2 + place**2))[:, :, None]
    return (middle * 120 + 50 * detail / detail.std() * middle + 30).clip(0, 255).astype(np.uint8)


def part(images: np.ndarray, name: str, classes: list[str] | str = "a") -> Features:
    """Images with features that shrink them to 12 x 12, which shows a shift or a mirroring."""
    n, size = images.shape[:2]
    features = images.reshape(n, 12, size // 12, 12, size // 12, -1).mean((2, 4)).reshape(n, -1).astype(np.float32)
    hashes = [sha256_pixels(image) for image in images]
    paths = [f"{name}/{row}.png" for row in range(n)]
    return Features(features, images, pd.DataFrame({"path": paths, "class": classes, "sha256": hashes}))


TRAIN, HOLDOUT = part(pictures(200, 1), "train"), part(pictures(120, 2), "valid")


def found_in(images: np.ndarray, train: Features = TRAIN, holdout: Features = HOLDOUT, **changes: object) -> Copies:
    return find_copies(train, part(images, "pool"), holdout, QualityConfig.build({**CONFIG.plain(), **changes}))


def planted(images: np.ndarray) -> dict[str, np.ndarray]:
    values = images.astype(float)
    noise = np.random.default_rng(5).normal(0, 6, images.shape)
    changed = {
        "exact": values,
        "mirrored": values[:, :, ::-1],
        "shifted": np.roll(values, (2, -1), (1, 2)),
        "noisy": values + noise,
        "brighter": values * 1.1 + 12,
        "softened": gaussian_filter(values, (0, 0.6, 0.6, 0)),
        "all at once": np.roll(values[:, :, ::-1], (1, 1), (1, 2)) * 0.9 + 5 + noise / 2,
    }
    return {name: change.round().clip(0, 255).astype(np.uint8) for name, change in changed.items()}


def measure(copies: Copies, name: str, of_class: str = "") -> MemorisationMeasure:
    (row,) = (row for row in copies.measures if (row.measure, row.class_name) == (name, of_class))
    return row


def test_clean_images_are_seldom_flagged_and_every_measure_says_clean() -> None:
    """Other images of the same source, as a perfect generator's would be."""
    n = 300
    copies = found_in(pictures(n, 3))
    assert copies.flags["copy"] <= binom.ppf(0.999, n, CONFIG.flag_quantile)
    assert copies.flags["near-copy"] <= binom.ppf(0.999, n, 2 * CONFIG.flag_quantile)
    assert copies.flags["repeat"] == 0
    share = measure(copies, "dcr_share")
    assert share.low < 0.5 < share.high
    assert abs(measure(copies, "c_t").value) < 3
    authentic = measure(copies, "authpct")
    assert abs(authentic.value - authentic.expected) < 0.2
    assert measure(copies, "copy_ratio").value == pytest.approx(measure(copies, "copy_ratio").expected, abs=0.05)
    assert not any("remembers" in sentence or "nearer to training images than held-out" in sentence
                   for sentence in copies.sentences)  # fmt: skip


@pytest.mark.parametrize("how", planted(pictures(1, 0)))
def test_planted_copies_are_found_with_their_originals(how: str) -> None:
    copies = found_in(np.concatenate((planted(TRAIN.pixels[40:60])[how], pictures(60, 3))))
    assert (copies.table["flag"][:20] == "copy").sum() >= 19
    assert (copies.table["flag"][20:] == "copy").sum() <= 3
    right = [f"train/{row}.png" for row in range(40, 60)]
    assert (copies.table["pixel_neighbour"][:20] == right).sum() >= 19
    if how == "mirrored":
        assert copies.table["mirrored"][:20].all()
    if how == "shifted":
        assert set(zip(copies.table["shift_x"][:20], copies.table["shift_y"][:20], strict=True)) == {(-1, 2)}
    assert copies.flags["copy"] == (copies.table["flag"] == "copy").sum()
    assert f"{copies.flags['copy']} of 80 synthetic images look like copies" in copies.sentences[0]


def test_a_generator_that_only_remembers_is_told() -> None:
    copies = found_in(planted(TRAIN.pixels)["noisy"])
    assert copies.flags["copy"] > 190
    assert measure(copies, "dcr_share").low > 0.5
    assert measure(copies, "c_t").value < -8
    assert measure(copies, "authpct").high < measure(copies, "authpct").expected
    assert measure(copies, "copy_ratio").high < measure(copies, "copy_ratio").expected
    assert "remembers its training images" in " ".join(copies.sentences)


def test_images_unlike_any_real_one_are_not_said_to_be_remembered() -> None:
    """A collapsed pool far from all real images lies nearest to one of them: mostly a training image, by luck alone."""

    def overall(measure: str, value: float) -> MemorisationMeasure:
        return MemorisationMeasure(measure=measure, value=value, low=0.99, high=1.0, expected=0.0, n=300)

    rows = [overall("copy_share", 0.0), overall("dcr_share", 1.0)]
    flags, limits = {"copy": 0, "near-copy": 0, "repeat": 0}, Limits({}, 1.0, 1.0, 1.0, 0)
    for z, remembered in ((11.0, False), (0.0, True)):
        said = " ".join(in_words(flags, [*rows, overall("c_t", z)], limits, 40, 40))
        assert ("remembers its training images" in said) == remembered
        assert ("no sign of copying" in said) != remembered


def test_table_has_a_row_for_every_image_of_the_pool() -> None:
    images = np.concatenate((TRAIN.pixels[7:8], pictures(20, 3)))
    table = found_in(images).table
    assert list(table) == TABLE_COLUMNS
    assert list(table["path"]) == [f"pool/{row}.png" for row in range(21)]
    first = table.iloc[0]
    assert (first["neighbour"], first["neighbour_class"], first["distance"], first["ratio"]) == (
        "train/7.png",
        "a",
        0,
        0,
    )
    others = np.linalg.norm(np.delete(TRAIN.features, 7, 0) - TRAIN.features[7], axis=1)
    assert first["own_distance"] == pytest.approx(others.min(), rel=1e-5)
    assert first["flag"] == "copy"


def test_classes_have_their_own_idea_of_near() -> None:
    """Images of one class are much more alike than those of the other; clean ones are not flagged for that."""

    def mixed(n: int, seed: int, name: str) -> Features:
        alike = (pictures(n, seed) + 2.0 * pictures(1, 99)) / 3
        both = np.concatenate((alike.round().astype(np.uint8), pictures(n, seed + 50)))
        return part(both, name, ["a"] * n + ["b"] * n)

    copies = find_copies(mixed(150, 1, "train"), mixed(150, 3, "pool"), mixed(60, 2, "valid"), CONFIG)
    assert copies.flags["copy"] <= binom.ppf(0.999, 300, 0.01 + 1 / 60)
    distances = copies.table.groupby("class")["pixel_distance"].median()
    assert distances["a"] < 0.5 * distances["b"]  # else the test would say nothing
    assert [row.class_name for row in copies.measures] == [""] * 5 + ["a"] * 5 + ["b"] * 5
    assert measure(copies, "copy_ratio", "a").n == 150


def test_copies_among_the_reals_do_not_move_the_limits() -> None:
    """Leaks between training and validation, which the audit reports, would else hide the pool's copies."""
    leaking = part(np.concatenate((HOLDOUT.pixels, TRAIN.pixels[:6])), "valid")
    train = part(np.concatenate((TRAIN.pixels, TRAIN.pixels[:30])), "train")  # and copies within the training part
    images = np.concatenate((planted(TRAIN.pixels[40:60])["noisy"], pictures(60, 3)))
    copies, without = found_in(images, train, leaking), found_in(images)
    assert (copies.table["flag"] == without.table["flag"]).mean() > 0.97
    assert (copies.table["own_distance"] > 0).all()
    assert any(sentence.startswith("6 of 126 held-out real images are themselves") for sentence in copies.sentences)


def test_repeats_within_the_pool_but_the_first() -> None:
    clean = pictures(12, 3)
    twins = np.concatenate((clean, planted(clean[:3])["mirrored"], clean[5:6], planted(clean[:1])["noisy"]))
    copies = found_in(twins)
    assert list(np.flatnonzero(copies.table["flag"] == "repeat")) == [12, 13, 14, 15, 16]
    assert copies.table["twin"][13] == "pool/1.png"
    collapsed = found_in(np.repeat(clean[:1], 40, axis=0))
    assert collapsed.flags["repeat"] == 39


def test_blank_images_equal_to_a_training_image_are_copies_too() -> None:
    blank = np.full((2, 24, 24, 1), 7, np.uint8)
    train = part(np.concatenate((TRAIN.pixels, blank[:1])), "train")
    copies = found_in(np.concatenate((blank, pictures(10, 3))), train)
    assert list(copies.table["flag"][:2]) == ["copy", "copy"]
    assert set(copies.table["flag"][2:]) <= {"", "near-copy"}


def test_limits_are_order_statistics_of_the_held_out_images() -> None:
    random = np.random.default_rng(0)
    values = random.permutation(np.linspace(1, 3, 201))  # median 2
    near = Nearness(np.array(["a"] * 201, object), values, random.permutation(values), values / 4)
    limits = Limits.of(near, 0.05)
    flags = flag_copies(near, limits)
    assert limits.typical == {"": (2, 2), "a": (2, 2)}
    distinct = near.pixels / 2 > 0.5
    assert (near.features[distinct] / 2 <= limits.features).sum() == np.ceil(0.05 * distinct.sum())
    assert (flags[~distinct] == "copy").all()
    unseen = Nearness(np.array(["other"], object), np.array([1.9]), np.array([0.9]), np.array([0.5]))
    assert list(flag_copies(unseen, limits)) == ["copy"]  # a class without held-out images goes by all of them


def test_chains_of_repeats() -> None:
    near = Nearness(np.array(["a"] * 9, object), np.ones(9), np.ones(9), np.ones(9))
    limits = Limits.of(near, 0.01)
    distances = np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.2])
    twins = np.array([2, 2, 1, 0, 5, 4])
    hashes = np.array(list("abcxxe"))
    again = repeats(np.array(["a"] * 6, object), distances, twins, hashes, limits)
    assert again.tolist() == [False, True, True, False, True, True]


def test_the_same_again_and_the_quantile_counts() -> None:
    images = pictures(80, 3)
    once, again = found_in(images), found_in(images)
    pd.testing.assert_frame_equal(once.table, again.table)
    assert once.measures == again.measures
    assert sum(found_in(images, flag_quantile=0.2).flags.values()) > sum(once.flags.values())


def test_a_stop_is_heeded_at_every_stage() -> None:
    stages: list[str] = []

    def note(progress: Progress) -> None:
        stages.append(progress.stage)

    find_copies(TRAIN, part(pictures(20, 3), "pool"), HOLDOUT, CONFIG, note)
    assert len(set(stages)) == 20  # three times features, thumbnails, pixels; own neighbours, 10 draws
    for at in range(0, len(stages), 37):
        reached: list[str] = []
        with pytest.raises(Interrupted):
            find_copies(
                TRAIN, part(pictures(20, 3), "pool"), HOLDOUT, CONFIG,
                lambda progress, reached=reached: reached.append(progress.stage),
                lambda reached=reached, at=at: len(reached) > at,
            )  # fmt: skip
        assert reached[-1] == stages[at]


def test_too_few_images_are_a_sentence() -> None:
    with pytest.raises(ErsatzError, match="There are 2 different validation images; at least 4 are expected"):
        found_in(pictures(5, 3), holdout=part(pictures(2, 2), "valid"))
    with pytest.raises(ErsatzError, match="There are 1 different training images"):
        found_in(pictures(5, 3), train=part(np.repeat(pictures(1, 1), 9, 0), "train"))


def real_images(folder: Path, n: int) -> np.ndarray:
    with np.load(folder / "pneumonia-mnist" / "pneumoniamnist.npz") as file:
        return file["train_images"][:n, :24, :24, None]


@pytest.mark.slow
def test_on_chest_films_and_on_head_scans(real_data: Path) -> None:
    """Held-out patients as the pool: none is a copy; the same with planted copies: all are."""
    films = real_images(real_data, 800)
    paths = sorted((real_data / "head-ct" / "head_ct").glob("*.png"))
    scans = np.stack(
        [np.asarray(Image.open(path).convert("L").resize((60, 60), Image.Resampling.BOX)) for path in paths]
    )
    scans = np.random.default_rng(0).permutation(scans)[:, :, :, None]
    for images, allowed in ((films, 0), (scans, 3)):  # scans: neighbouring slices of one head
        n = len(images)
        train, holdout, pool = images[: n // 2], images[n // 2 : 3 * n // 4], images[3 * n // 4 :]
        parts = part(train, "train"), part(holdout, "valid")
        clean = find_copies(parts[0], part(pool, "pool"), parts[1], CONFIG)
        assert clean.flags["copy"] <= allowed
        assert measure(clean, "dcr_share").low < 0.5 < measure(clean, "dcr_share").high
        for how, copies in planted(train[:20]).items():
            found = find_copies(parts[0], part(copies, "pool"), parts[1], CONFIG)
            assert found.flags["copy"] >= 18, how
