"""ADA: the probability of augmentation follows the overfitting of the discriminator (arXiv 2006.06676, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.configs import StyleganConfig
from engine.gans.augment.pipe import AugmentPipe

OFF_BELOW, OFF_KIMG = 0.01, 50.0
"""p that stays below this for so many kimg augments nothing."""
SATURATED_FROM = 0.8
"""p from which augmentations are known to leak into the samples (figure 4 of the paper)."""


class AdaController:
    """Moves the pipe's p so that r_t, the mean sign of D's logits on augmented reals, meets its target.

    r_t near 0: D cannot separate training images from fakes; near 1: it has memorised them. All of it
    stays on the device. With `aug` fixed or noaug only r_t is measured, and p stays as it was set.
    """

    def __init__(self, pipe: AugmentPipe, config: StyleganConfig):
        self.pipe, self.adapts = pipe, config.aug == "ada"
        self.target, self.images_to_one = config.ada_target, config.ada_kimg * 1000
        self.observed = torch.zeros(2, device=pipe.p.device)
        """Sum of the signs and number of the logits since the last update [2]; ranks sum or average it before that."""
        self.r_t = torch.zeros([], device=pipe.p.device)
        """r_t of the last update."""

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        """Count the logits [any shape] of augmented real images, those of the R1 phase too."""
        self.observed[0] += real_logits.sign().sum()
        self.observed[1] += real_logits.numel()

    @torch.no_grad()
    def update(self, images: int) -> None:
        """Take r_t, move p towards its target, and begin to count anew; `images` were seen since the last update.

        Called every 4 iterations. p has no upper limit; above 1 it takes as long to come back.
        """
        signs, count = self.observed
        self.r_t.copy_(torch.where(count > 0, signs / count.clamp(min=1e-3), self.r_t))
        if self.adapts:
            step = torch.sign(self.r_t - self.target) * (images / self.images_to_one)
            self.pipe.p.copy_((self.pipe.p + torch.where(count > 0, step, 0.0)).clamp(min=0))
        self.observed.zero_()

    def state(self) -> dict[str, Tensor]:
        """The tensors themselves that the following updates depend on, beside the pipe's p."""
        return {"observed": self.observed, "r_t": self.r_t}


def ada_sentence(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The problem of ADA in a run of `aug` ada, if any, by its metrics rows (kimg, augment_p, r_t), oldest first.

    ("ada-off", sentence) if p stayed near 0 for the last 50 kimg, ("ada-saturated", sentence) if the newest p is 0.8
    or more, each with the remedy; else None. Rows without numbers are skipped.
    """
    known = [row for row in rows if _is_number(row.get("augment_p")) and _is_number(row.get("kimg"))]
    if not known:
        return None
    last = known[-1]
    p, r_t = last["augment_p"], last.get("r_t")
    told = f" (r_t is {r_t:.2f})" if _is_number(r_t) else ""
    if p >= SATURATED_FROM:
        return "ada-saturated", (
            f"ADA has raised p to {p:.2f}{told}: augmentation alone no longer keeps the discriminator from "
            f"overfitting, and from about {SATURATED_FROM} on augmentations begin to leak into the samples. Add images "
            "(or mirror them, where anatomy allows it), start from a trained network with some of its discriminator "
            "frozen, double gamma, or take an earlier snapshot, by its KID."
        )
    since = last["kimg"] - OFF_KIMG
    recent = [row for row in known if row["kimg"] >= since]
    if known[0]["kimg"] > since or max(row["augment_p"] for row in recent) >= OFF_BELOW:
        return None
    return "ada-off", (
        f"ADA is in effect off: p has stayed below {OFF_BELOW} for {OFF_KIMG:.0f} kimg{told}. The discriminator does "
        "not overfit: if the samples get better, nothing is wrong, and aug noaug would be faster. If they do not, it "
        "is too weak: lower gamma or raise channel_base. If held-out logits or KID say that it does overfit, lower "
        "ada_target (to 0.4, say), or lower ada_kimg so that p moves faster."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
