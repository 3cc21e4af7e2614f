"""ONE table of presets, read by the pages, the command line and the tests alike.

A preset names the settings in which a journey differs from the defaults of the configs, step by step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.configs import (
    GeneratorReference,
    ImportConfig,
    PipelineConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
    parse_training,
)
from engine.store.errors import ErsatzError

STEPS = ("import", "train", "pool", "quality", "published", "sweep")
"""The steps of a journey whose settings a preset has and a user may change, in the order in which they are taken."""

SIZES = ("full", "large", "medium", "small", "smallest")
"""How long a journey's trainings and trials are, where a preset has lengths of other sizes than the full ones."""

SHARED = ("weights", "device")
"""Settings of the sweep that hold for the published one too: they name this machine's files, not a protocol."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The settings of one journey from files to verdict."""

    title: str
    """One line for menus."""
    story: str
    """What it repeats and where it came from."""
    importing: dict[str, Any] = field(default_factory=dict)
    train: dict[str, dict[str, Any]]
    """By GAN; the first is the one that was published."""
    pool: dict[str, Any] = field(default_factory=dict)
    """Without a number of images, a journey samples what its sweeps need and a quarter more."""
    quality: dict[str, Any] = field(default_factory=lambda: {"exclude": "copies"})
    published: dict[str, Any] = field(default_factory=dict)
    """The sweep as it was published, flaws and all; empty: no classifier was published."""
    sweep: dict[str, Any] = field(default_factory=dict)
    """The sound sweep: 8 paired seeds, equal steps, duplicated reals and classical augmentation as controls."""
    shorter: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """What is shorter in the sizes below the full one, by size and step; never the number of paired seeds."""

    def train_settings(self, gan: str = "") -> dict[str, Any]:
        """The settings for `gan`, by default the preset's own; a GAN that it does not know starts from the defaults."""
        gan = gan or next(iter(self.train))
        return {"gan": gan, **self.train.get(gan, {})}


PRESETS: dict[str, Preset] = {
    "demo": Preset(
        title="Demo: head-CT phantom",
        story=(
            "A procedural phantom of a head CT with and without a bleed, made by the program itself. "
            "It shows the whole journey on any laptop; its verdict says nothing about real patients."
        ),
        importing={"name": "phantom", "layout": "phantom", "size": 64, "mode": "L"},
        # Without the gradient penalty the discriminator wins within 1 kimg and every sample is the same head. Small
        # batches, a short average and a quick discriminator bring after 6 kimg what larger ones need 18 for.
        train={
            "dcgan": {
                "architecture": "recipe",
                "kimg": 16.0,
                "batch": 8,
                "g_channels": 32,
                "d_channels": 32,
                "gradient_penalty": 5.0,
                "g_lr": 1e-3,
                "d_lr": 8e-4,
                "beta2": 0.99,
                "ema_kimg": 0.1,
                "tick_kimg": 0.5,
                "snapshot_ticks": 4,
            },
            # Narrow networks: with the published width a laptop without a GPU would take a day. One generator for
            # both classes, because each class teaches it what heads look like.
            "stylegan2-ada": {
                "conditional": True,
                "kimg": 40.0,
                "batch": 16,
                "gamma": 0.1,
                "pl_weight": 0.0,
                "style_mixing": 0.0,
                "z_dim": 128,
                "w_dim": 128,
                "channel_base": 1024,
                "channel_max": 64,
                "ema_kimg": 1.0,
                "augpipe": "medical",
                "ada_kimg": 20.0,
                "tick_kimg": 0.5,
                "snapshot_ticks": 4,
            },
        },
        pool={"images_per_class": 200},
        # Pixels need no network and no weights, as befits pictures of 64 pixels on a laptop.
        quality={"exclude": "copies", "extractor": "pixels"},
        sweep={"classifier": "small-cnn", "steps": 200, "seeds": 8},
        # The real images alone give the same accuracy after 40 steps as after 200, with fewer its seeds scatter more;
        # with less than 6 kimg the pictures of a generator are too much alike.
        shorter={
            "large": {"train": {"kimg": 12.0}, "sweep": {"steps": 120}},
            "medium": {"train": {"kimg": 9.0}, "sweep": {"steps": 80}},
            "small": {"train": {"kimg": 7.0}, "sweep": {"steps": 50}},
            "smallest": {"train": {"kimg": 6.0}, "sweep": {"steps": 40}},
        },
    ),
    "head-ct": Preset(
        title="Head CT hemorrhage (DCGAN 32x32)",
        story=(
            "The published da-dcgan system: one DCGAN a class at 32x32, trained on the 144 training images only, "
            "then a frozen ResNet-50 with and without synthetic images. The test set is real only, unlike theirs."
        ),
        importing={
            "name": "head-ct",
            "layout": "csv",
            "class_names": {"0": "normal", "1": "hemorrhage"},
            "size": 32,
            "mode": "L",
            "resize": "pad",
            "split": "random",
            "split_counts": (144, 34, 22),
        },
        train={
            "dcgan": {
                "architecture": "da-dcgan",
                "kimg": 180.0,
                "batch": 16,
                "gradient_penalty": 10.0,
                "inverted_labels": True,
                "soft_labels": 0.1,
                "flip_probability": 0.05,
                "dropout": 0.4,
                "tick_kimg": 0.25,
            },
            "stylegan2-ada": {"kimg": 1000.0, "augpipe": "medical"},
        },
        pool={"images_per_class": 200},
        # Their test set held synthetic images; the number of epochs is not given.
        published={
            "repeats": "head-ct",
            "classifier": "resnet50",
            "head": "head-ct",
            "arms": ("real", "real+classical", "real+synthetic+classical", "synthetic+classical"),
            "ratios": (1.0,),
            "seeds": 1,
            "epochs": 20,
            "batch": 32,
            "optimizer": "rmsprop",
            "lr": 1e-3,
            "schedule": "constant",
            "dropout": 0.4,
            "select": "last",
            "augmentation": "head-ct",
            "flaws": ("synthetic-in-test",),
        },
        sweep={"repeats": "head-ct", "classifier": "resnet50", "batch": 32, "lr": 1e-3, "dropout": 0.4},
    ),
    "brain-mri": Preset(
        title="Brain MRI (DCGAN 64x64)",
        story=(
            "PyTorch's DCGAN recipe at 64x64 RGB, one generator a class, published to balance a minority class. "
            "The published batch of 128 would give one step an epoch on classes this small, so the batch is 16."
        ),
        importing={"name": "brain-mri", "layout": "folder", "size": 64, "mode": "RGB", "resize": "crop"},
        train={
            "dcgan": {"architecture": "recipe", "kimg": 100.0, "batch": 16},
            "stylegan2-ada": {"kimg": 1000.0, "augpipe": "medical"},
        },
        # Whichever class has fewer images is topped up.
        sweep={
            "repeats": "brain-mri",
            "classifier": "resnet50",
            "lr": 1e-3,
            "ratio_of": "gap",
            "augmentation": "mild",
            "metric": "balanced_accuracy",
        },
    ),
    "chest-ct": Preset(
        title="Chest CT carcinoma (StyleGAN2-ADA 256x256)",
        story=(
            "The published chest-CT system: one unconditional StyleGAN2-ADA a class at 256x256, 80 kimg, then a frozen "
            "ResNet-50. Pictures that occur twice are dropped first: some stood in both the training and the test set."
        ),
        importing={
            "name": "chest-ct",
            "layout": "folder",
            # The published folders carry a staging suffix in train and valid, and none in test.
            "class_names": {
                "squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa": "squamous-cell-carcinoma",
                "squamous.cell.carcinoma": "squamous-cell-carcinoma",
            },
            "only_classes": ("normal", "squamous-cell-carcinoma"),
            "size": 256,
            "mode": "RGB",
            "resize": "stretch",
            "remedies": ("drop-copies",),
        },
        train={
            "stylegan2-ada": {
                "cfg": "stylegan2",
                "kimg": 80.0,
                "batch": 8,
                "batch_gpu": 8,
                "gamma": 50.0,
                # The authors' program (the second reference implementation) scales the average with the batch.
                "ema_kimg": 2.5,
                "ema_ramp": 0.05,
                "augpipe": "bgc",
                "tick_kimg": 4.0,
                "snapshot_ticks": 10,
            },
        },
        pool={"images_per_class": 501},
        published={
            "repeats": "chest-ct",
            "classifier": "resnet50",
            "head": "chest-ct",
            "arms": ("real", "real+synthetic"),
            "ratios": (0.25, 0.5, 0.75, 1.0),
            "seeds": 1,
            "epochs": 5,
            "batch": 20,
            "optimizer": "adam",
            "lr": 0.005,
            "schedule": "plateau",
            "patience": 3,
            "dropout": 0.0,
            "select": "best-loss",
            "flaws": ("dropped-runs",),
        },
        sweep={"repeats": "chest-ct", "classifier": "resnet50", "batch": 20, "augmentation": "mild"},
    ),
    "skin-lesions": Preset(
        title="Skin lesions (conditional StyleGAN2-ADA 256x256)",
        story=(
            "The published skin-lesion system: one class-conditional StyleGAN2-ADA at 256x256 with mirrored images and "
            "augmentations that leave the colour alone. Split by patient, unlike theirs. Their length is not given; "
            "5000 kimg is where results from scratch become reasonable."
        ),
        importing={
            "name": "skin-lesions",
            "layout": "csv",
            "image_column": "image_name",
            "label_column": "target",
            "group_column": "patient_id",
            "class_names": {"0": "other", "1": "melanoma"},
            "size": 256,
            "mode": "RGB",
            "resize": "crop",
        },
        train={
            "stylegan2-ada": {
                "cfg": "auto",
                "conditional": True,
                "kimg": 5000.0,
                "mirror": True,
                "mirror_vertical": True,
                "augpipe": "bg",
                "tick_kimg": 4.0,
                "snapshot_ticks": 10,
                "metrics": ("kid", "fid"),
                "metric_images": 5000,
            },
        },
        # They added 15 thousand melanomas, which is about half of what the class lacks in ISIC 2020.
        published={
            "repeats": "skin-lesions",
            "classifier": "efficientnet_b2",
            "training": "fine-tuned",
            "head": "skin-lesions",
            "arms": ("real", "real+classical", "real+synthetic+classical"),
            "ratios": (0.5,),
            "ratio_of": "gap",
            "extra_classes": ("melanoma",),
            "seeds": 1,
            "epochs": 30,
            "patience": 3,
            "batch": 32,
            "optimizer": "adam",
            "lr": 5e-4,
            "schedule": "plateau",
            "dropout": 0.0,
            "select": "best-loss",
            "augmentation": "skin-lesions",
            "flaws": ("test-is-validation", "augmented-test"),
        },
        sweep={
            "repeats": "skin-lesions",
            "classifier": "efficientnet_b2",
            "batch": 32,
            "ratio_of": "gap",
            "augmentation": "skin-lesions",
            "metric": "auroc",
        },
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name, or an `ErsatzError` that lists those there are."""
    if name not in PRESETS:
        raise ErsatzError(f"There is no preset {name!r}; expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def usual_size(name: str, gan: str = "") -> str:
    """The size of a preset's journey unless one is asked for: what fits into five minutes, where there are sizes."""
    chosen = preset(name)
    return "auto" if chosen.shorter and gan in ("", next(iter(chosen.train))) else ""


def step_settings(config: PipelineConfig, size: str = "") -> dict[str, dict[str, Any]]:
    """The preset's settings with the journey's changes, by step; those of a sweep that it does not take are empty.

    `size` takes the place of the config's where that one is still to be found. An `ErsatzError` names what no step
    would accept, before any of them has begun.
    """
    unknown = set(config.overrides) - set(STEPS)
    if unknown:
        raise ErsatzError(f"There is no step {', '.join(sorted(unknown))}; expected changes to {', '.join(STEPS)}.")
    chosen = preset(config.preset)
    if not chosen.published and (config.protocol == "published" or "published" in config.overrides):
        raise ErsatzError(
            f"Preset {config.preset} repeats no published classifier, so there is no published protocol to run; "
            f"expected one of {', '.join(name for name, other in PRESETS.items() if other.published)}. "
            "Choose the protocol sound."
        )
    gan = config.overrides.get("train", {}).get("gan", config.gan)
    shared = {name: value for name, value in config.overrides.get("sweep", {}).items() if name in SHARED}
    table = {
        "import": chosen.importing,
        "train": chosen.train_settings(gan),
        "pool": chosen.pool,
        "quality": chosen.quality,
        "published": {**chosen.published, **shared},
        "sweep": chosen.sweep,
    }
    shorter = _shorter(chosen, config, gan, size or config.size)
    settings = {step: {**table[step], **shorter.get(step, {}), **config.overrides.get(step, {})} for step in STEPS}
    if config.source:
        settings["import"]["source"] = config.source
    if not settings["import"].get("source") and settings["import"].get("layout") != "phantom":
        raise ErsatzError(
            f"Preset {config.preset} needs the files it was published with; a folder or file is expected. "
            "Name it with --source."
        )
    if config.protocol == "sound" or not chosen.published:
        settings["published"] = {}
    if config.protocol == "published":
        settings["sweep"] = {}
    _validate(settings)
    return settings


def _shorter(chosen: Preset, config: PipelineConfig, gan: str, size: str) -> dict[str, dict[str, Any]]:
    """What the size changes, by step; refused where the preset has but its own lengths."""
    if config.size and not usual_size(config.preset, gan):
        sized = ", ".join(f"{name} (with {next(iter(p.train))})" for name, p in PRESETS.items() if p.shorter)
        raise ErsatzError(
            f"The size {config.size} was asked for, but preset {config.preset}{f' with {gan}' if gan else ''} has one "
            f"length only; sizes are those of {sized}. Leave the size out, or set lengths as in --set train.kimg=5."
        )
    return chosen.shorter.get(size, {})


def _validate(settings: dict[str, dict[str, Any]]) -> None:
    """Build every config once, with stand-ins for the parents that do not exist yet."""
    parents = {"name": "a", "dataset": "a"}
    ImportConfig.build(settings["import"])
    parse_training({**settings["train"], "dataset": "a"})
    PoolConfig.build({**parents, **settings["pool"], "generators": (GeneratorReference(run="a"),)})
    QualityConfig.build({**parents, **settings["quality"], "pool": "a"})
    for sweep in filter(None, (settings["published"], settings["sweep"])):
        SweepConfig.build({**parents, **sweep, "pool": "a"})
