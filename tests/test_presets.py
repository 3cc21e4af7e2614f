"""Every preset must be a journey that the configs accept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.configs import ImportConfig, PipelineConfig, StyleganConfig, SweepConfig
from engine.datasets.importing import import_dataset
from engine.publications.presets import PRESETS, STEPS, preset, step_settings
from engine.store.errors import ErsatzError
from engine.store.home import Home


@pytest.mark.parametrize("name", PRESETS)
def test_preset_builds_every_step(name: str) -> None:
    settings = step_settings(PipelineConfig(preset=name, source="" if name == "demo" else "/data"))
    assert set(settings) == set(STEPS)


def test_head_ct_is_the_published_system() -> None:
    published = preset("head-ct")
    assert published.importing["split_counts"] == (144, 34, 22)
    assert (published.importing["size"], published.importing["resize"]) == (32, "pad")
    train = published.train_settings()
    assert train["gan"] == "dcgan"
    assert (train["batch"], train["soft_labels"], train["flip_probability"]) == (16, 0.1, 0.05)


def test_overrides_win_and_unknown_steps_are_named() -> None:
    settings = step_settings(PipelineConfig(overrides={"train": {"kimg": 1.0}}))
    assert settings["train"]["kimg"] == 1.0
    with pytest.raises(ErsatzError, match="no step trian"):
        step_settings(PipelineConfig(overrides={"trian": {}}))
    with pytest.raises(ErsatzError, match="kimgs is 1"):
        step_settings(PipelineConfig(overrides={"train": {"kimgs": 1}}))


PARENTS = {"name": "x", "dataset": "x", "pool": "x"}


@pytest.mark.parametrize("name", PRESETS)
def test_sound_sweeps_can_claim_and_have_their_controls(name: str) -> None:
    sweep = SweepConfig.build({**PARENTS, **preset(name).sweep})
    assert sweep.claims
    assert sweep.seeds >= 8
    assert {"real", "real+classical", "real+duplicates", "real+synthetic", "real-subset"} <= set(sweep.arms)
    assert preset(name).quality["exclude"] == "copies"


@pytest.mark.parametrize("name", ["chest-ct", "head-ct", "skin-lesions"])
def test_published_sweeps_never_claim_and_use_the_same_network(name: str) -> None:
    published = SweepConfig.build({**PARENTS, **preset(name).published})
    assert not published.claims
    assert published.flaws
    assert "real-subset" not in published.arms  # as published
    assert published.head == name
    assert published.classifier == preset(name).sweep["classifier"]


def test_published_protocols_are_those_of_the_sources() -> None:
    chest, head, skin = (
        SweepConfig.build({**PARENTS, **preset(name).published}) for name in ("chest-ct", "head-ct", "skin-lesions")
    )
    assert (chest.optimizer, chest.lr, chest.epochs, chest.batch, chest.patience) == ("adam", 0.005, 5, 20, 3)
    assert (chest.schedule, chest.select, chest.ratios) == ("plateau", "best-loss", (0.25, 0.5, 0.75, 1.0))
    assert (chest.seeds, chest.arms, chest.flaws) == (1, ("real", "real+synthetic"), ("dropped-runs",))
    assert (head.optimizer, head.lr, head.batch, head.dropout, head.augmentation) == (
        "rmsprop",
        1e-3,
        32,
        0.4,
        "head-ct",
    )
    assert {"synthetic+classical", "real+synthetic+classical"} <= set(head.arms)
    assert (head.ratios, head.flaws) == ((1.0,), ("synthetic-in-test",))
    assert (skin.training, skin.optimizer, skin.lr, skin.epochs, skin.batch) == ("fine-tuned", "adam", 5e-4, 30, 32)
    assert (skin.patience, skin.schedule, skin.augmentation) == (3, "plateau", "skin-lesions")
    assert (skin.extra_classes, skin.flaws) == (("melanoma",), ("test-is-validation", "augmented-test"))


def test_a_protocol_chooses_the_sweeps() -> None:
    both, sound, published = (
        step_settings(PipelineConfig.build({"preset": "head-ct", "source": "/data", "protocol": protocol}))
        for protocol in ("both", "sound", "published")
    )
    assert both["published"]
    assert both["sweep"]
    assert sound == {**both, "published": {}}
    assert published == {**both, "sweep": {}}
    assert step_settings(PipelineConfig(preset="brain-mri", source="/data"))["published"] == {}


def test_a_preset_without_a_publication_has_no_published_protocol() -> None:
    for wrong in ({"protocol": "published"}, {"overrides": {"published": {"seeds": 2}}}):
        with pytest.raises(ErsatzError, match="brain-mri repeats no published classifier"):
            step_settings(PipelineConfig.build({"preset": "brain-mri", "source": "/data", **wrong}))


def test_weights_and_device_of_the_sweep_hold_for_the_published_one_too() -> None:
    changes = {"sweep": {"weights": "/w.pth", "device": "cpu", "seeds": 3}}
    settings = step_settings(PipelineConfig(preset="head-ct", source="/data", overrides=changes))
    assert (settings["published"]["weights"], settings["published"]["device"]) == ("/w.pth", "cpu")
    assert (settings["published"]["seeds"], settings["sweep"]["seeds"]) == (1, 3)
    changes["published"] = {"weights": "/other.pth"}
    settings = step_settings(PipelineConfig(preset="head-ct", source="/data", overrides=changes))
    assert settings["published"]["weights"] == "/other.pth"


def test_published_presets_ask_for_their_files() -> None:
    with pytest.raises(ErsatzError, match="--source"):
        step_settings(PipelineConfig(preset="head-ct"))
    with pytest.raises(ErsatzError, match="expected one of demo, head-ct"):
        step_settings(PipelineConfig(preset="chest-xray"))


def test_chest_ct_is_the_published_training() -> None:
    """One unconditional network a class: cfg stylegan2, batch 8, gamma 50, 80 kimg, snapshots every ten ticks."""
    settings = preset("chest-ct").train_settings()
    config = StyleganConfig.build({**settings, "dataset": "chest-ct"}).completed(256)
    assert (config.batch, config.gamma, config.kimg, config.g_lr, config.d_lr) == (8, 50, 80, 0.002, 0.002)
    assert (config.tick_kimg, config.snapshot_ticks, config.mirror, config.augpipe) == (4, 10, False, "bgc")
    assert (config.channel_base, config.mapping_layers, config.ada_target, config.conditional) == (32768, 8, 0.6, False)
    together = StyleganConfig.build({**settings, "dataset": "chest-ct", "conditional": True}).completed(256)
    assert together == config.model_copy(update={"conditional": True})


def test_skin_lesions_is_one_conditional_network_without_augmented_colour() -> None:
    config = StyleganConfig.build({**preset("skin-lesions").train_settings(), "dataset": "isic"}).completed(256)
    assert (config.conditional, config.mirror, config.mirror_vertical, config.augpipe) == (True, True, True, "bg")
    assert (config.cfg, config.batch, config.gamma) == ("auto", 16, pytest.approx(0.8192))
    assert set(config.metrics) == {"kid", "fid"}
    one_each = {**preset("skin-lesions").train_settings(), "conditional": False, "class_name": "melanoma"}
    assert StyleganConfig.build({**one_each, "dataset": "isic"}).class_name == "melanoma"


def test_chest_ct_joins_the_folder_names_of_the_published_set(home: Home, tmp_path: Path) -> None:
    """The cancer's folder has a staging suffix in train and valid and none in test; two more classes are left out."""
    staged = "squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa"
    folders = {"train": (staged, "normal", "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib"), "valid": (staged, "normal")}
    folders["test"] = ("squamous.cell.carcinoma", "normal", "adenocarcinoma")
    rng = np.random.default_rng(0)
    for split, names in folders.items():
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(3):
                pixels = rng.integers(0, 255, (4, 5)).repeat(12, 0).repeat(12, 1).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    settings = {**preset("chest-ct").importing, "source": str(tmp_path), "size": 32}
    dataset = import_dataset(home, ImportConfig.build(settings))
    assert dataset.classes == ["normal", "squamous-cell-carcinoma"]
    counts = dataset.rows().groupby(["split", "class"]).size()
    assert counts.to_dict() == {(split, name): 3 for split in folders for name in dataset.classes}


def test_skin_lesions_reads_the_published_table(home: Home, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        name = f"ISIC_{number:07d}"
        pixels = rng.integers(0, 255, (4, 4, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        rows.append({"image_name": name, "patient_id": f"IP_{number // 2:07d}", "target": number // 2 % 2})
    pd.DataFrame(rows).to_csv(tmp_path / "train.csv", index=False)
    settings = {**preset("skin-lesions").importing, "source": str(tmp_path), "size": 32}
    dataset = import_dataset(home, ImportConfig.build(settings))
    assert dataset.classes == ["melanoma", "other"]
    assert (dataset.rows().groupby("group")["split"].nunique() == 1).all(), "patients stay in one split"
