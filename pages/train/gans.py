"""How the form of each GAN is laid out: the few settings that decide first, the rest in groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.configs import GANS
from pages.components.forms import MORE

NAMES = {"dcgan": "DCGAN", "stylegan2-ada": "StyleGAN2-ADA"}
CHOSEN_ABOVE = {
    "kind",
    "gan",
    "dataset",
    "dataset_fingerprint",
    "class_name",
    "conditional",
    "cfg",
    "start_from",
    "start_sha256",
}
"""Fields that the page asks for outside of the form, or that the start of a run fills in."""


@dataclass(frozen=True)
class Layout:
    """A form: the first fields, those of each group, and better words than their names."""

    main: Sequence[str]
    groups: dict[str, Sequence[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def rest(self, gan: str, main: Sequence[str]) -> dict[str, Sequence[str]]:
        """The groups without the fields in `main`, and one more with every field of the GAN that none of them names."""
        named = CHOSEN_ABOVE | {*main} | {name for names in self.groups.values() for name in names}
        groups = {title: [name for name in names if name not in main] for title, names in self.groups.items()}
        return {**groups, MORE: [name for name in GANS[gan].model_fields if name not in named]}


FOR_TRANSFER = ("freeze_d", "ada_kimg")
"""Fields that come first too when a training starts from other networks."""

LAYOUTS = {
    "dcgan": Layout(
        main=("kimg", "architecture", "batch"),
        labels={"kimg": "Budget, kimg (thousand images)", "batch": "Batch (images a step)"},
    ),
    "stylegan2-ada": Layout(
        main=("kimg", "batch", "gamma", "aug", "augpipe", "mirror"),
        groups={
            "More on augmentation": ("ada_target", "ada_kimg", "aug_p", "aug_margins", "mirror_vertical"),
            "Snapshots and scores": (
                "tick_kimg",
                "snapshot_ticks",
                "grid",
                "metrics",
                "metric_extractor",
                "metric_images",
                "metric_weights",
                "on_explosion",
            ),
            "Networks": (
                "channel_base",
                "channel_max",
                "mapping_layers",
                "z_dim",
                "w_dim",
                "d_architecture",
                "mbstd_group",
                "freeze_d",
            ),
            "Optimiser and penalties": (
                "g_lr",
                "d_lr",
                "batch_gpu",
                "ema_kimg",
                "ema_ramp",
                "style_mixing",
                "pl_weight",
                "g_reg_interval",
                "d_reg_interval",
            ),
        },
        labels={
            "kimg": "Budget, kimg (thousand images)",
            "batch": "Batch (images a step)",
            "gamma": "Gamma (R1)",
            "aug": "Augmentation",
            "augpipe": "Augmentation pipe",
            "ada_target": "Target r_t (ada)",
            "ada_kimg": "Speed, kimg (ada)",
            "aug_p": "p (fixed)",
            "aug_margins": "Margins",
            "tick_kimg": "Tick, kimg",
            "grid": "Images in the grid",
            "metrics": "Scores",
            "metric_extractor": "Scores by",
            "metric_images": "Images for a score",
            "metric_weights": "Weights for scores",
            "z_dim": "Length of z",
            "w_dim": "Length of w",
            "d_architecture": "Form of D",
            "mbstd_group": "Minibatch-std group",
            "freeze_d": "Frozen layers of D",
            "g_lr": "Learning rate of G",
            "d_lr": "Learning rate of D",
            "batch_gpu": "Images at once",
            "ema_kimg": "EMA half-life, kimg",
            "ema_ramp": "EMA ramp",
            "pl_weight": "Path length weight",
            "g_reg_interval": "Path length every",
            "d_reg_interval": "R1 every",
            "num_fp16_res": "Resolutions in low precision",
            "conv_clamp": "Clamp",
            "gpus": "GPUs",
        },
    ),
}
