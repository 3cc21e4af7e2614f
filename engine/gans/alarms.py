"""Trouble named while it happens: what a training's metrics say is wrong, and what to do about it.

Pure functions of the rows of `metrics.jsonl`. Each alarm needs evidence over several rows and none looks at the warm-up
of a training, when both networks are far from any balance and every number is large, small or jumping.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from engine.configs import TrainConfig
from engine.gans.augment.controller import SATURATED_FROM, ada_sentence

Rows = Sequence[Mapping[str, Any]]

WARM_UP_KIMG, WARM_UP_SHARE = 20.0, 0.2
"""The first 20 kimg, or a fifth of a shorter training: what happens there is forgotten."""

CERTAIN = 0.9
"""r_t from which the discriminator is sure of almost every training image (0.6 is what ADA aims at, 1 the most)."""
LONG_KIMG, LONG_SHARE = 50.0, 0.25
"""It must stay so for 50 kimg, or a quarter of a shorter training: r_t of single ticks is noise."""

HALF_WAY = 0.5
"""r_v from which held-out images look more like generated than like training images to the discriminator. The paper's
equation 1 (arXiv 2006.06676) has 0 for no overfitting and 1 for images of which none but the trained are real."""
HELD_OUT_LOOKS = 3

COLLAPSED = 0.5
"""Mean distance of generated images from each other as a share of that of the real ones. Equally likely images of k
kinds that hardly vary keep 1 - 1/k of it, so this is one or two kinds of images, or very dull ones."""
COLLAPSE_LOOKS = 3
STILL_RISING = 1.2
"""A generator whose images grow more diverse by a fifth over these looks is on its way, not collapsed."""

GROWTH, LARGE = 30.0, 100.0
"""An explosion: numbers that stay 30 times their usual size, and are large in themselves. Gradient norms and logits of
healthy trainings are below some tens, and a logit of 100 is a probability that float32 rounds to 0 or 1."""
EXPLOSION_ROWS, USUAL_ROWS = 3, 5
MEASURED = {
    "g_grad_norm": "the generator's gradient",
    "d_grad_norm": "the discriminator's gradient",
    "real_logits": "the discriminator's outputs on real images",
    "fake_logits": "the discriminator's outputs on generated images",
    "g_loss": "the generator's loss",
    "d_loss": "the discriminator's loss",
}

LEAK_LOOKS = 2
"""Snapshots in a row at which augmentations must show: one alone may be chance."""


@dataclass(frozen=True)
class Alarm:
    """A problem of a training: since when, in one sentence or two with what to do."""

    name: str
    sentence: str
    kimg: float


def look(rows: Rows, config: TrainConfig, total_kimg: float, leak: str = "") -> list[Alarm]:
    """The alarms that a training's metrics rows, oldest first, call for now.

    Names: overfitting, collapse, explosion, leaking, ada-off, ada-saturated. Only some rows hold the numbers of
    snapshots: valid_logits and train_logits, `diversity` (of the grid, 1 being that of the real images), `leaking`
    (groups of augmentations that show), kid. `leak` is the sentence of the newest evidence of leaking.
    """
    if not rows:
        return []
    settled = [row for row in rows if row["kimg"] > min(WARM_UP_KIMG, WARM_UP_SHARE * total_kimg)]
    found = {
        "overfitting": overfitting(settled, config, total_kimg),
        "collapse": collapse(settled),
        "explosion": explosion(settled),
        "leaking": leak if _keeps_leaking(settled) else "",
    }
    if config.augmentation == "ada" and (of_ada := ada_sentence(rows)):
        found |= dict([of_ada])
    return [Alarm(name, sentence, rows[-1]["kimg"]) for name, sentence in found.items() if sentence]


def overfitting(rows: Rows, config: TrainConfig, total_kimg: float) -> str:
    """The discriminator knows the training images by heart, by r_t or by held-out images; '' if not."""
    evidence = _by_held_out(rows) or _by_r_t(rows, config, total_kimg)
    if not evidence or not config.augmentation:
        return ""
    remedy = {
        "noaug": "Train with aug ada",
        "fixed": "Train with a larger aug_p or aug ada",
        "ada": "Add images (or mirror them, where anatomy allows it), start from a trained network, or double gamma",
    }[config.augmentation]
    scored = [row for row in rows if _is_number(row.get("kid"))]
    best = min(scored, key=lambda row: row["kid"]) if scored else None
    if best and best is not scored[-1]:
        advice = f"KID was best at {best['kimg']:g} kimg: take that snapshot."
    else:
        advice = "Choose the snapshot by its KID, not the last one."
    return f"The discriminator overfits: {evidence}. {remedy}. {advice}"


def _by_held_out(rows: Rows) -> str:
    values = [value for row in rows if (value := held_out_gap(row)) is not None]
    if len(values) < HELD_OUT_LOOKS:
        return ""
    newest, earlier = values[-HELD_OUT_LOOKS:], values[:-HELD_OUT_LOOKS]
    if min(newest) < HALF_WAY or (earlier and fmean(newest) <= fmean(earlier)):
        return ""
    return (
        f"images that it never saw are {newest[-1]:.0%} of the way from training to generated ones in its eyes, and "
        "0 % is expected"
    )


def held_out_gap(row: Mapping[str, Any]) -> float | None:
    """r_v = (E D(train) - E D(valid)) / (E D(train) - E D(fake)) of a row, from mean logits (arXiv 2006.06676, eq. 1).

    None without these numbers, and where D does not prefer training to generated images, so that there is no scale.
    """
    numbers = [row.get(name) for name in ("train_logits", "valid_logits", "fake_logits")]
    if not all(_is_number(number) for number in numbers):
        return None
    train, valid, fake = (float(number) for number in numbers if number is not None)
    return (train - valid) / (train - fake) if train > fake else None


def _by_r_t(rows: Rows, config: TrainConfig, total_kimg: float) -> str:
    """r_t near 1 for long, and no ADA that could still raise p."""
    known = [row for row in rows if _is_number(row.get("r_t"))]
    window = min(LONG_KIMG, LONG_SHARE * total_kimg)
    if not known or known[-1]["kimg"] - known[0]["kimg"] < window:
        return ""
    if config.augmentation == "ada" and known[-1].get("augment_p", 0) < SATURATED_FROM:
        return ""
    typical = median(row["r_t"] for row in known if row["kimg"] >= known[-1]["kimg"] - window)
    if typical < CERTAIN:
        return ""
    return f"r_t has been about {typical:.2f} for {window:g} kimg, where 1 is certainty about every training image"


def collapse(rows: Rows) -> str:
    """The generator makes ever the same images; '' if not."""
    known = [row["diversity"] for row in rows if _is_number(row.get("diversity"))][-COLLAPSE_LOOKS:]
    if len(known) < COLLAPSE_LOOKS or max(known) >= COLLAPSED or known[-1] > STILL_RISING * known[0]:
        return ""
    return (
        f"The generator has collapsed to few kinds of images: those of the sample grid differ from each other only "
        f"{known[-1]:.0%} as much as real ones do. Take an earlier snapshot with a varied grid, or train again with "
        "other learning rates (lower, unless the grid was never varied), a larger batch or a larger gamma."
    )


def explosion(rows: Rows) -> str:
    """Gradients, outputs or losses grew by orders of magnitude and stay there; '' if not."""
    for name, words in MEASURED.items():
        sizes = [abs(row[name]) for row in rows if _is_number(row.get(name))]
        usual, newest = sizes[:-EXPLOSION_ROWS], sizes[-EXPLOSION_ROWS:]
        if len(usual) < USUAL_ROWS or min(newest) < max(LARGE, GROWTH * median(usual)):
            continue
        return (
            f"Training is about to explode: {words} ({name}) has grown to {newest[-1]:.3g}, from {median(usual):.3g} "
            "usually. Stop, and train again with lower g_lr and d_lr, a larger batch or a larger gamma; on_explosion "
            "return goes back to a good snapshot by itself."
        )
    return ""


def _keeps_leaking(rows: Rows) -> bool:
    known = [row["leaking"] for row in rows if _is_number(row.get("leaking"))][-LEAK_LOOKS:]
    return len(known) == LEAK_LOOKS and min(known) > 0


def diversity(images: np.ndarray) -> float:
    """Mean distance of images uint8 [N, H, W, C] from each other: Euclidean, per pixel, in grey levels.

    They are shrunk to 16 px first, so that noise and small details, which any generator varies, do not count.
    """
    small = F.adaptive_avg_pool2d(torch.from_numpy(images).permute(0, 3, 1, 2).float(), (16, 16)).flatten(1)
    if len(small) < 2:
        return 0.0
    return float(F.pdist(small.double()).mean() / math.sqrt(small.shape[1]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
