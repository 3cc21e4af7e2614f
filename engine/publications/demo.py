"""The phantom's preset: the whole journey on any laptop; nothing was published on it."""

from __future__ import annotations

from engine.publications.publication import Preset

PRESET = Preset(
    title="Demo: head-CT phantom",
    story=(
        "A procedural phantom of a head CT with and without a bleed, made by the program itself. "
        "It shows the whole journey on any laptop; its verdict says nothing about real patients."
    ),
    importing={"name": "phantom", "layout": "phantom", "size": 64, "mode": "L", "positive": "bleed"},
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
)
