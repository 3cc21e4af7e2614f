"""Pools that are not sampled here: imported, mixed and controls; what they hold, say and refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.configs import Config, SweepConfig
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig
from engine.datasets.dataset import Dataset
from engine.datasets.holding_back import held_back_of
from engine.jobs.prepare import prepare
from engine.sampling.mixed_pools import alternating
from engine.sampling.pool_making import make
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import State, create_run
from engine.sweep.arms import Trial, training_set
from engine.sweep.leaks import refuse_unsound
from engine.sweep.splits import Split, drawing_of
from tests.sweep.conftest import CLASSES, SIZE, make_dataset, make_pool, picture

Make = Callable[..., Pool]


@pytest.fixture
def spots(home: Home) -> Dataset:
    return make_dataset(home, {"train": 24, "valid": 10, "test": 16})


@pytest.fixture
def made(home: Home) -> Callable[[Config], Pool]:
    """Prepare and make a pool as a worker does, without the processes around it."""

    def run(config: Config) -> Pool:
        complete = prepare(home, config)
        found = create_run(home, complete.plain(), "pool")
        assert make(found, complete) == "finished"
        found.update(state=State.FINISHED)
        return Pool.open(found)

    return run


def finished(pool: Pool) -> Pool:
    pool.run.update(state=State.FINISHED)
    return pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of 32 px in folders that are called otherwise than the classes."""
    for label, class_name in (("Bleed", "bleed"), ("ok", "normal")):
        (tmp_path / "elsewhere" / label).mkdir(parents=True)
        for number in range(30):
            pixels = np.kron(picture(70_000 + number + 100 * len(label), class_name), np.ones((2, 2), np.uint8))
            Image.fromarray(pixels).save(tmp_path / "elsewhere" / label / f"{number}.png")
    return tmp_path / "elsewhere"


def imported(folder: Path, **changes: Any) -> ImportedPoolConfig:
    values = {"name": "diffusion", "dataset": "spots", "source": str(folder), "classes": {"ok": "normal"}}
    return ImportedPoolConfig.build({**values, **changes})


def test_images_from_elsewhere_have_the_form_of_the_real_ones(spots: Dataset, folder: Path, made: Make) -> None:
    pool = made(imported(folder, made_by="a diffusion model, v2"))
    assert pool.rows()["class"].value_counts().to_dict() == {"bleed": 30, "normal": 30}
    assert pool.pixels(pool.rows()).shape == (60, SIZE, SIZE, 1)
    assert pool.info.unknown_training
    assert pool.info.origin is not None
    assert pool.info.origin.made_by == "a diffusion model, v2"
    assert set(pool.manifest["source"]) >= {"Bleed/0.png", "ok/29.png"}
    pool.require_made_for(spots)


def test_an_unclear_class_is_refused_with_the_choices_and_leaves_nothing(
    home: Home, spots: Dataset, folder: Path, made: Make
) -> None:
    with pytest.raises(ErsatzError, match=r"label 'ok'.*\(bleed, normal\).*--classes ok=bleed"):
        made(imported(folder, classes={}))
    with pytest.raises(ErsatzError, match="'oak', which is no class of spots"):
        made(imported(folder, classes={"ok": "oak"}))
    assert not list(home.runs.glob("*"))
    assert set(made(imported(folder, classes={"ok": "-"})).rows()["class"]) == {"bleed"}
    assert set(made(imported(folder / "ok", classes={}, class_name="bleed")).rows()["class"]) == {"bleed"}


def test_copies_of_held_out_images_leave_and_copies_of_training_images_are_named(
    spots: Dataset, folder: Path, made: Make
) -> None:
    for part, name in (("test", "t.png"), ("valid", "v.png"), ("train", "r.png")):
        Image.fromarray(spots.pixels(spots.rows(part, "bleed").head(1))[0, :, :, 0]).save(folder / "Bleed" / name)
    Image.open(folder / "ok" / "3.png").save(folder / "ok" / "again.png")
    pool = made(imported(folder))
    assert dict(zip(pool.left_out["source"], pool.left_out["excluded"], strict=True)) == {
        "Bleed/t.png": "equal to a test image",
        "Bleed/v.png": "equal to a validation image",
    }
    assert pool.info.origin is not None
    told = " ".join(pool.info.origin.found)
    assert "1 image is equal to a test image, pixel for pixel, and left out (Bleed/t.png)." in told
    assert "1 image is equal to a training image, pixel for pixel (Bleed/r.png)." in told
    assert "1 of 64 images repeat another one of the pool" in told
    only_test = folder.parent / "leak"
    (only_test / "bleed").mkdir(parents=True)
    for number, pixels in enumerate(spots.pixels(spots.rows("test", "bleed"))):
        Image.fromarray(pixels[:, :, 0]).save(only_test / "bleed" / f"{number}.png")
    with pytest.raises(ErsatzError, match="All 16 images of the class bleed are copies"):
        made(imported(only_test, classes={}, class_name="bleed"))


def test_what_the_generator_saw_is_taken_from_hashes_or_a_declaration(
    spots: Dataset, folder: Path, made: Make, tmp_path: Path
) -> None:
    declared = made(imported(folder, trained_on="training"))
    assert declared.training_hashes == set(spots.rows("train")["sha256"])
    assert declared.info.declared_training
    hashes = tmp_path / "hashes.txt"
    hashes.write_text("\n".join(spots.rows("train")["sha256"].head(20)))
    assert made(imported(folder, trained_on=str(hashes))).info.declared_training
    hashes.write_text("a" * 64)  # of something else: nothing is known of the test images
    assert made(imported(folder, trained_on=str(hashes))).info.unknown_training
    hashes.write_text(spots.rows("test")["sha256"].iloc[0])
    with pytest.raises(ErsatzError, match=r"Leak: .* names 1 of the 32 different test images"):
        made(imported(folder, trained_on=str(hashes)))
    hashes.write_text("no hash")
    with pytest.raises(ErsatzError, match="'no', which is no SHA-256"):
        made(imported(folder, trained_on=str(hashes)))
    with pytest.raises(ErsatzError, match="there is no such file"):
        made(imported(folder, trained_on="nowhere.txt"))


def test_a_stopped_import_leaves_no_image_and_begins_again(home: Home, spots: Dataset, folder: Path) -> None:
    config = prepare(home, imported(folder))
    run = create_run(home, config.plain(), "pool")
    assert make(run, config, should_stop=lambda: True) == "stopped"
    assert not (run.path / "images").exists()
    assert make(run, config) == "finished"
    assert len(Pool.open(run).rows()) == 60


def control(kind: str, **changes: Any) -> ControlPoolConfig:
    return ControlPoolConfig.build({"name": kind, "dataset": "spots", "control": kind, **changes})


def test_held_back_images_are_no_longer_in_the_training_part(home: Home, spots: Dataset, made: Make) -> None:
    pool = made(control("held-back"))
    without = Dataset.open(home, "spots-held-back")
    assert held_back_of(without)["parent"] == "spots"
    held, kept = set(pool.rows()["sha256"]), without.rows("train")
    assert held | set(kept["sha256"]) == set(spots.rows("train")["sha256"])
    assert not held & set(kept["sha256"])
    groups = spots.rows("train").set_index("sha256")["group"]
    assert not {groups[each] for each in held} & set(kept["group"])  # whole patients
    assert (without.rows("test")["sha256"] == spots.rows("test")["sha256"]).all()
    assert pool.info.control == "held-back real images"
    with pytest.raises(ErsatzError, match="made for the split"):
        pool.require_made_for(spots)
    assert made(control("held-back")).info.dataset == without.name  # the same data set again
    with pytest.raises(ErsatzError, match="has 24 training images"):
        made(control("held-back", images_per_class=23))


def test_noise_has_the_grey_values_of_its_class_and_no_structure(spots: Dataset, made: Make) -> None:
    pool = made(control("noise", images_per_class=20))
    images = pool.pixels(pool.rows("bleed")).astype(float)
    real = spots.pixels(spots.rows("train", "bleed")).astype(float)
    assert abs(images.mean() - real.mean()) < 3
    assert abs(images.std() - real.std()) < 3
    assert set(np.unique(images)) <= set(np.unique(real))
    assert pool.info.control == "noise images"
    assert (made(control("noise", images_per_class=20)).rows()["sha256"] == pool.rows()["sha256"]).all()


def test_shuffled_labels_say_nothing_of_the_images(spots: Dataset, made: Make) -> None:
    of = finished(make_pool(spots))
    pool = made(control("shuffled", pool=of.run.id))
    assert pool.rows()["class"].value_counts().to_dict() == dict.fromkeys(CLASSES, 40)
    was = pool.rows()["source"].str.split("/").str[2]
    assert 15 <= int((was == pool.rows()["class"]).sum()) <= 65  # by chance alone about half of 80
    assert pool.training_hashes == of.training_hashes
    with pytest.raises(ErsatzError, match="name a pool for shuffled alone"):
        control("shuffled")
    with pytest.raises(ErsatzError, match="is a control of label-shuffled images"):
        made(control("shuffled", pool=pool.run.id))


def test_a_mixture_holds_its_shares_in_every_subset_of_every_seed(
    home: Home, spots: Dataset, folder: Path, made: Make
) -> None:
    one, other = finished(make_pool(spots)), made(imported(folder))
    parents = [{"run": one.run.id}, {"run": other.run.id}]
    values: dict[str, Any] = {"name": "both", "dataset": "spots", "pools": parents, "shares": [0.25, 0.75]}
    config = MixedPoolConfig.build(values)
    pool = made(config)
    assert pool.rows()["class"].value_counts().to_dict() == dict.fromkeys(CLASSES, 40)  # 10 and 30 of each
    assert pool.info.unknown_training
    assert pool.training_hashes == one.training_hashes
    split = Split(0, spots, pool)
    rows = pool.rows()
    drawing = drawing_of(split, rows)
    mixture = drawing.mixture
    assert mixture is not None
    assert pool.generators_a_class == 1  # no turns: the parts alternate
    reals, labels = np.asarray(spots.labels(spots.rows("train"))), np.asarray(spots.labels(rows))
    sweep = SweepConfig(name="s", dataset="spots", pool=pool.run.id, ratios=(0.5, 1.0))
    refuse_unsound(sweep, [split])
    for seed in range(4):
        before: set[int] = set()
        for ratio, count in ((0.5, 12), (1.0, 24)):
            chosen = training_set(Trial("real+synthetic", ratio, seed), reals, labels, sweep, drawing).rows
            drawn = chosen[chosen >= len(reals)] - len(reals)
            assert len(drawn) == 2 * count
            assert int((mixture.parts[drawn] == 0).sum()) == 2 * count // 4
            assert before <= set(drawn)
            before = set(drawn)
    with pytest.raises(ErsatzError, match="shares must add up to 1"):
        MixedPoolConfig.build({**values, "shares": [0.5, 0.6]})
    parents[1]["run"] = made(control("noise")).run.id
    with pytest.raises(ErsatzError, match="is a control"):
        made(MixedPoolConfig.build(values))


def test_alternation_is_never_off_by_more_than_an_image() -> None:
    parts = np.repeat([0, 1, 2], [50, 30, 20])
    order = alternating(parts, (0.5, 0.3, 0.2))
    for length in range(1, 101):
        counts = np.bincount(parts[order][:length], minlength=3)
        assert np.abs(counts - length * np.array([0.5, 0.3, 0.2])).max() <= 1
