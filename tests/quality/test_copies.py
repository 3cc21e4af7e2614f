"""The search for copies in a pool as a whole: clean pools are let through, planted copies are found and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate, zoom
from scipy.stats import binom

from engine.configs import QualityConfig
from engine.features.cache import Interrupted
from engine.quality.copies import TABLE_COLUMNS, Copies, Features, find_copies
from engine.quality.flags import Limits, Nearness, flag_copies, repeats, surely_copies
from engine.quality.quality_scores import MemorisationMeasure
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_pixels
from engine.store.progress import Progress

CONFIG = QualityConfig(name="check", dataset="set", pool="pool", pixel_shift=2)


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
    z = measure(copies, "c_t")
    assert z.low < z.expected < z.high
    authentic = measure(copies, "authpct")
    assert abs(authentic.value - authentic.expected) < 0.2
    assert measure(copies, "copy_ratio").value == pytest.approx(measure(copies, "copy_ratio").expected, abs=0.05)
    assert not any("carries a trace" in sentence or "An attack tells" in sentence for sentence in copies.sentences)


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
    assert measure(copies, "c_t").high < measure(copies, "c_t").expected
    assert measure(copies, "authpct").high < measure(copies, "authpct").expected
    assert measure(copies, "copy_ratio").high < measure(copies, "copy_ratio").expected
    said = " ".join(copies.sentences)
    assert "carries a trace of what its generator was trained on" in said
    assert said.count("not known as such would make this too sure") == 2  # of the trace and of the attack
    assert "An attack tells from the pool alone which images were trained on" in said
    assert measure(copies, "attack_auc").low > 0.8


def test_smooth_pools_and_collapsed_ones_are_not_accused() -> None:
    """They lie nearer to any real image than real ones do, seen or not; distances alone accused them."""
    smooth = gaussian_filter(pictures(150, 3).astype(float), (0, 1.5, 1.5, 0)).round().astype(np.uint8)
    collapsed = np.repeat(smooth[:5], 20, axis=0)
    for images in (smooth, collapsed):
        found = found_in(images)
        said = " ".join(found.sentences)
        assert "look like copies" not in said
        assert "carries a trace" not in said and "An attack tells" not in said
        assert found.flags["copy"] <= 3
    assert measure(found_in(smooth), "c_t").value < -3  # which was called copying


def test_copies_turned_and_resized_are_found_in_a_smooth_pool() -> None:
    base = TRAIN.pixels[40:60].astype(float)
    turned = rotate(base, 5, (1, 2), reshape=False, order=1, mode="nearest")
    resized = zoom(base, (1, 26 / 24, 26 / 24, 1), order=1)[:, 1:25, 1:25]
    smooth = gaussian_filter(pictures(60, 3).astype(float), (0, 1.5, 1.5, 0))
    for changed in (turned, resized):
        found = found_in(np.concatenate((changed, smooth)).round().clip(0, 255).astype(np.uint8))
        assert (found.table["flag"][:20] == "copy").sum() >= 18
        assert "look like copies" in found.sentences[0]


def test_without_held_out_patients_nothing_is_said_of_the_split() -> None:
    few = HOLDOUT.some(np.arange(120) < 40)
    few.rows["group"] = np.repeat(list("abcd"), 10)
    found = found_in(pictures(40, 3), holdout=few)
    said = " ".join(found.sentences)
    assert "cannot be told" in said and "4 held-out patients are too few" not in said  # not all patients are known
    assert np.isnan(measure(found, "dcr_share").expected)
    assert not any(row.measure == "attack_auc" for row in found.measures)


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
    assert [row.class_name for row in copies.measures] == [""] * 6 + ["a"] * 6 + ["b"] * 6 + [""] * 2
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


def test_limits_are_the_lower_order_statistics_of_both_swaps() -> None:
    random = np.random.default_rng(0)

    def near(low: float, high: float, distance: float) -> Nearness:
        ratios = (random.permutation(np.linspace(low, high, 201)) for _ in range(2))
        return Nearness(np.array(["a"] * 201, object), np.full(201, distance), *ratios)

    held_out, unseen = near(0.6, 1.0, 0.8), near(0.7, 1.1, 0.4)
    limits = Limits.of(held_out, unseen, 0.05)
    assert limits.typical == {"": 0.4, "a": 0.4}  # the pool is the smoother of the two
    assert (held_out.ratio <= limits.ratio).sum() == (held_out.pixel_ratio <= limits.pixel_ratio).sum() == 11
    assert Limits.of(unseen, held_out, 0.05).ratio == limits.ratio
    made = Nearness(np.array(["a"] * 5, object), np.array([0.3, 0.3, 0.3, 0.15, 0.9]),
                    np.array([0.9, 0.5, 0.5, 0.9, 0.9]), np.array([0.4, 0.9, 0.55, 0.9, 0.1]))  # fmt: skip
    assert flag_copies(made, limits).tolist() == ["copy", "near-copy", "copy", "copy", ""]
    assert surely_copies(made, limits).tolist() == [True, False, False, True, False]


def test_chains_of_repeats() -> None:
    near = Nearness(np.array(["a"] * 9, object), np.ones(9), np.ones(9), np.ones(9))
    limits = Limits.of(near, None, 0.01)
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
    assert len(set(stages)) == 16  # four times features, thumbnails, pixels; own neighbours, three for the split
    for at in range(0, len(stages), 5):
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
