"""Splits: exact counts, strata, patients in one split, and sentences where no sound split exists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.configs.importing import ImportConfig
from engine.datasets.phantom import PhantomImage
from engine.datasets.splitting import assign, cut_training
from engine.store.errors import ErsatzError


def manifest(classes: list[str], groups: list[str] | None = None, splits: list[str] | None = None) -> pd.DataFrame:
    names = [f"{number}.png" for number in range(len(classes))]
    return pd.DataFrame(
        {
            "path": names,
            "class": classes,
            "split": splits or [""] * len(names),
            "group": groups or [""] * len(names),
            "sha256": names,
            "near": "",
            "excluded": "",
        }
    )


def config(**settings: object) -> ImportConfig:
    return ImportConfig.build({"name": "set", "layout": "phantom", **settings})


def counts(split: pd.DataFrame) -> dict[str, list[int]]:
    """Images of train, valid and test by class."""
    table = pd.crosstab(split["class"], split["split"]).reindex(columns=["train", "valid", "test"], fill_value=0)
    return {str(name): row.tolist() for name, row in table.iterrows()}


def several_patients(seed: int, images: int = 600) -> pd.DataFrame:
    """Patients with 1 to 20 images of one or both of two unequal classes."""
    rng = np.random.default_rng(seed)
    patient = np.minimum(rng.geometric(0.02, images), 120)
    classes = np.where(rng.random(images) < 0.1 + 0.8 * (patient % 3 == 0), "ill", "well")
    return manifest(list(classes), [f"P{number}" for number in patient])


def test_exact_counts_are_exact_and_stratified() -> None:
    split = assign(manifest(["0"] * 100 + ["1"] * 100), config(split_counts=(144, 34, 22)))
    assert counts(split) == {"0": [72, 17, 11], "1": [72, 17, 11]}


def test_exact_counts_hold_for_unequal_classes_and_copies() -> None:
    table = manifest(["a"] * 31 + ["b"] * 50 + ["c"] * 119)
    table.loc[[0, 31, 32], "near"] = ["", "near-001", "near-001"]
    table.loc[[90, 150], "sha256"] = "same"
    split = assign(table, config(split_counts=(144, 34, 22)))
    assert np.sum(list(counts(split).values()), axis=0).tolist() == [144, 34, 22]
    assert counts(split)["a"] in ([22, 5, 4], [23, 5, 3], [22, 6, 3])
    assert split["split"][31] == split["split"][32]
    assert split["split"][90] == split["split"][150]


@pytest.mark.parametrize("seed", range(5))
def test_patients_never_cross_splits_and_strata_are_kept(seed: int) -> None:
    split = assign(several_patients(seed), config(seed=seed))
    assert split.groupby("group")["split"].nunique().max() == 1
    for ours in counts(split).values():
        assert np.abs(np.array(ours) / sum(ours) - (0.7, 0.15, 0.15)).max() < 0.02


def test_the_demo_set_splits_by_patient(heads: list[PhantomImage]) -> None:
    table = manifest([image.class_name for image in heads], [image.group for image in heads])
    split = assign(table, config())
    assert split.groupby("group")["split"].nunique().max() == 1
    assert split["split"].value_counts().to_dict() == {"train": 224, "valid": 48, "test": 48}


def test_the_seed_decides_and_nothing_else() -> None:
    table = several_patients(0)
    first = assign(table, config(seed=3))["split"].tolist()
    assert assign(table, config(seed=3))["split"].tolist() == first
    assert assign(table, config(seed=4))["split"].tolist() != first


def test_large_patients_are_not_all_put_into_training() -> None:
    table = several_patients(1)
    sizes = table["group"].map(table["group"].value_counts())
    means = np.array(
        [
            [sizes[(split["split"] == name).to_numpy()].mean() for name in ("train", "test")]
            for split in (assign(table, config(seed=seed)) for seed in range(20))
        ]
    ).mean(axis=0)
    assert 0.7 < means[1] / means[0] < 1.4


def test_given_splits_are_kept() -> None:
    table = manifest(["a", "b"] * 5, splits=["train"] * 6 + ["valid"] * 2 + ["test"] * 2)
    split = assign(table, config(split="auto", split_counts=(4, 3, 3)))
    assert split["split"].tolist() == table["split"].tolist()
    assert assign(table, config(split="random"))["split"].tolist() != table["split"].tolist()


def test_a_missing_validation_set_is_drawn_from_training_by_patient_and_recorded() -> None:
    table = several_patients(2)
    table["split"] = np.where(table["group"].str[-1].isin(["1", "2"]), "test", "train")
    split = assign(table, config())
    assert (split["split"] == "test").equals(table["split"] == "test")
    assert split.groupby("group")["split"].nunique().max() == 1
    assert split["given"].tolist() == table["split"].tolist()
    train = split[split["given"] == "train"]
    for _, ours in train.groupby("class"):
        assert (ours["split"] == "valid").mean() == pytest.approx(0.15 / 0.85, abs=0.02)


def test_excluded_rows_are_left_out() -> None:
    table = manifest(["a", "b"] * 20)
    table.loc[:9, "excluded"] = "drop-copies"
    split = assign(table, config(split_counts=(20, 5, 5)))
    assert (split["split"][:10] == "").all()
    assert split["split"][10:].value_counts().to_dict() == {"train": 20, "valid": 5, "test": 5}


def test_a_small_class_is_in_every_split() -> None:
    split = assign(manifest(["common"] * 300 + ["rare"] * 4), config())
    assert counts(split)["rare"] == [2, 1, 1]


@pytest.mark.parametrize(
    ("table", "settings", "sentence"),
    [
        (manifest(["a"] * 30), {}, r"1 class \(a\).*at least two"),
        (manifest(["a"] * 30 + ["b"]), {}, r"Class b has 1 image; at least 4"),
        (manifest(["a"] * 30 + ["b"] * 3), {}, r"Class b has 3 images; at least 4"),
        (manifest(["a"] * 9 + ["b"] * 9, ["P1"] * 9 + [""] * 9), {}, r"class a come from 1 group .*at least 3"),
        (manifest(["a"] * 20 + ["b"] * 20), {"split_counts": (20, 10, 5)}, r"20 \+ 10 \+ 5 make 35, but .* 40 images"),
        (manifest(["a"] * 20 + ["b"] * 20), {"split_counts": (30, 10, 0)}, r"above 0"),
        (
            manifest(["a", "b"] * 20, [f"P{number // 8}" for number in range(40)]),
            {"split_counts": (26, 7, 7)},
            r"exactly 26/7/7 images; the nearest found is 24/8/8",
        ),
        (manifest(["a"] * 20 + ["b"] * 20), {"split": "given"}, r"no splits of its own"),
        (manifest(["a", "b"] * 4, splits=["train"] * 6 + ["", "test"]), {}, r"1 of 8 images have no split"),
        (manifest(["a", "b"] * 4, splits=["train"] * 6 + ["valid"] * 2), {}, r"no test images \(found: train, valid\)"),
        (manifest(["a", "b"] * 4, splits=["train"] * 5 + ["valid"] * 2 + ["test"]), {}, r"Class a has 0 images in the"),
    ],
)
def test_where_no_sound_split_exists_a_sentence_says_why(
    table: pd.DataFrame, settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ErsatzError, match=sentence):
        assign(table, config(**settings))


def test_training_cut_down_is_nested_and_leaves_validation_and_test_alone():
    manifest = pd.DataFrame(
        {"class": ["a", "b"] * 20, "split": ["train"] * 30 + ["valid"] * 4 + ["test"] * 6, "excluded": ""}
    )
    manifest.loc[0, "excluded"] = "drop-copies"
    kept = {
        n: set(cut.index[(cut["excluded"] == "") & (cut["split"] == "train")])
        for n in (3, 8, 100)
        for cut in [cut_training(manifest, n, seed=4)]
    }
    assert kept[3] < kept[8] < kept[100] == set(range(1, 30))
    assert [sum(row % 2 for row in kept[n]) for n in (3, 8)] == [3, 8]
    cut = cut_training(manifest, 3, seed=4)
    assert (cut["excluded"] == "train-per-class").sum() == 29 - 6
    assert (cut.loc[30:, "excluded"] == "").all()


def heavy_tailed(seed: int) -> pd.DataFrame:
    """Patients with very unequal numbers of images, each of one class, at least four in each class."""
    rng = np.random.default_rng(seed)
    patients = int(rng.integers(12, 40))
    sizes = np.maximum(1, rng.pareto(rng.choice([0.5, 0.8, 1.5]), patients) * 3).astype(int).clip(max=300)
    of_class = np.resize(["a", "b", "c"][: int(rng.integers(2, 4))], patients)
    return manifest(
        [str(name) for name, size in zip(of_class, sizes, strict=True) for _ in range(size)],
        [f"P{patient}" for patient, size in enumerate(sizes) for _ in range(size)],
    )


@pytest.mark.parametrize("seed", range(40))
def test_training_is_the_largest_part_however_unequal_the_patients(seed: int) -> None:
    table = heavy_tailed(seed)
    split = assign(table, config(seed=seed))
    sizes = split["split"].value_counts()
    assert split.groupby("group")["split"].nunique().max() == 1
    assert sizes["train"] >= max(sizes["valid"], sizes["test"])
    assert sizes["train"] >= min(table["group"].value_counts().iloc[0], round(0.7 * len(table)))
    assert all(ours[0] >= 2 and min(ours) >= 1 for ours in counts(split).values())


@pytest.mark.parametrize("images", [75, 90])
def test_a_patient_with_most_images_goes_to_training_whatever_the_seed(images: int) -> None:
    groups = ["P0"] * images + [f"P{number}" for number in range(1, 101 - images)]
    table = manifest(["a", "b"] * 50, groups)
    for seed in range(10):
        split = assign(table, config(seed=seed))
        assert (split.loc[split["group"] == "P0", "split"] == "train").all()


def test_a_rare_class_keeps_training_images_whatever_the_shares() -> None:
    split = assign(manifest(["a"] * 30 + ["b"] * 25 + ["c"] * 5), config())
    assert counts(split)["c"] == [3, 1, 1]
    few = assign(manifest(["a"] * 100 + ["b"] * 4), config(train_share=0.2, valid_share=0.4))
    assert counts(few)["b"] == [2, 1, 1]


def test_a_class_of_one_picture_and_one_of_one_patient_are_told_apart() -> None:
    table = manifest(["a"] * 9 + ["b"] * 9)
    table.loc[:8, "sha256"] = "black"
    table["spread"] = [0.0] * 9 + [90.0] * 9
    with pytest.raises(ErsatzError, match=r"9 images of class a are 1 picture \(blank\), copied again and again"):
        assign(table, config())
    with pytest.raises(ErsatzError, match=r"all 18 images of the set say patient ANONYMOUS.*--ignore-ids"):
        assign(manifest(["a"] * 9 + ["b"] * 9, ["ANONYMOUS"] * 18), config())
