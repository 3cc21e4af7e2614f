"""Do the augmentations leak into the samples? Evidence from simple statistics, a linear classifier for each operation.

For each group of operations a classifier learns to separate augmented real images from unaugmented ones. Where it can,
it is shown the fakes: if far more of them look augmented than of the real images, that augmentation may have
leaked. Cross-validation keeps the classifier from knowing the images that set its false-positive rate.

What this cannot see: operations that do not change these images visibly (mirroring symmetric anatomy; such groups are
reported as not visible), leaks in a smaller share of the fakes than chance allows for the number of images, and the
reason of a difference. Samples that are a little too dark, or all alike, can look augmented too. So it is evidence, to
be looked at together with p (leaks are expected from about 0.8 on) and with the samples themselves.

Measured: with other real images in the place of the fakes, 0 alarms in 200 trials (chest X-rays of 32 px, 100 with 200
reals and bgc and 60 with 100 reals and bgcfnc; skin of 64 px, 40 with 300 reals and bgcfnc; 400 fakes each). With the
fakes of 6 small DCGANs that never saw an augmentation, 1 alarm, of brightness, for a generator with a wrong brightness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import beta
from torch import Tensor

from engine.gans.augment.pipe import AugmentPipe
from engine.gans.augment.presets import PRESETS


@dataclass(frozen=True)
class Group:
    """Operations that leave the same traces, and the kinds of statistics in which they do.

    A classifier sees no other kinds, so that a general difference (the blur of an early generator) is not taken for,
    say, a shift.
    """

    operations: frozenset[str]
    kinds: tuple[str, ...]


GROUPS: dict[str, Group] = {
    "mirrored": Group(frozenset({"xflip"}), ("layout",)),
    "turned by 90 degrees": Group(frozenset({"rotate90"}), ("layout",)),
    "shifted": Group(frozenset({"xint", "xfrac"}), ("layout",)),
    "zoomed, stretched or rotated": Group(frozenset({"scale", "rotate", "aniso"}), ("layout",)),
    "changed in brightness or contrast": Group(frozenset({"brightness", "contrast"}), ("tone",)),
    "inverted": Group(frozenset({"lumaflip"}), ("layout", "tone")),
    "changed in colour": Group(frozenset({"hue", "saturation"}), ("tone",)),
    "filtered": Group(frozenset({"imgfilter"}), ("texture",)),
    "noisy": Group(frozenset({"noise"}), ("texture",)),
    "cut out": Group(frozenset({"cutout"}), ("layout", "holes")),
}
"""The groups, by what an image with them looks like."""

COLOURFUL = frozenset({"hue", "saturation"})
"""Operations that grey images do not have."""

MOST_IMAGES, FEWEST_IMAGES = 400, 40
VIEW = 32
"""Pixels of the reduced image, and of the middle part in full resolution, that the statistics are taken from."""
FOLDS, COPIES = 5, 2
FALSE_POSITIVES = 0.05
"""Share of clean real images that a threshold lets pass for augmented."""
ERROR = 0.01
"""Probability, over all groups together, that a bound on the share of fakes is wrong."""
VISIBLE, NOTABLE = 0.2, 0.1
"""A group is visible if its classifier finds so much more of augmented than of clean images; a leak is reported if at
least so many of the fakes must have leaked."""
SHRINKAGE = 0.1
LEAST_DEVIATION = 0.05
"""What varies less among clean images is not magnified, or the faint traces of resampling would be seen."""


def leak_evidence(reals: np.ndarray, fakes: np.ndarray, preset: str, p: float, seed: int = 0) -> dict[str, Any]:
    """Which operations of the preset show in fakes uint8 [M, H, W, C] more than in training images uint8 [N, H, W, C].

    The reals are as the training shows them (mirrored ones included). Returns `leaking`, the names of the groups that
    show, clearest first, since one leak often looks like several; `sentence` for the alarm, empty without any; and for
    each group in `groups`: `power`, the share of fully augmented reals that is recognised, `false_positives` among
    clean reals, `fakes`, the share recognised among the fakes with its bounds `low` and `high`, `leaked`, the share of
    fakes that would explain it (about p if the leak is complete), `visible` and `leaks`. At most 400 of each are used;
    fewer than 40 of either, or p 0, give no groups.
    """
    random = np.random.default_rng(seed)
    some_reals, some_fakes = _drawn(reals, random), _drawn(fakes, random)
    groups = {}
    if p > 0 and min(len(some_reals), len(some_fakes)) >= FEWEST_IMAGES:
        folds = random.permutation(len(some_reals)) % FOLDS
        pipe = AugmentPipe(preset, some_reals.shape[1])
        pipe.p.fill_(1)
        operations = PRESETS[preset] - (COLOURFUL if some_reals.shape[1] == 1 else frozenset())
        wanted = {name: group for name, group in GROUPS.items() if group.operations & operations}
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            for name, group in wanted.items():
                pipe.operations = group.operations & operations
                view = _middle if "texture" in group.kinds else _reduced
                seen, suspects = view(some_reals), view(some_fakes)
                altered = [_statistics(_as_stored(pipe(seen)), group.kinds) for _ in range(COPIES)]
                clean, suspected = _statistics(seen, group.kinds), _statistics(suspects, group.kinds)
                groups[name] = _evidence(clean, np.stack(altered), suspected, folds, ERROR / len(wanted))
    leaking = sorted((name for name in groups if groups[name]["leaks"]), key=lambda name: -groups[name]["fakes"])
    return {"p": p, "groups": groups, "leaking": leaking, "sentence": _sentence(groups, leaking, p)}


def _drawn(images: np.ndarray, random: np.random.Generator) -> Tensor:
    """At most `MOST_IMAGES` of the images uint8 [N, H, W, C], as float [n, C, H, W] in [-1, 1]."""
    rows = random.permutation(len(images))[:MOST_IMAGES]
    return torch.from_numpy(images[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1


def _reduced(images: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(images, VIEW) if images.shape[2] > VIEW else images


def _middle(images: Tensor) -> Tensor:
    top, left = (max(0, (side - VIEW) // 2) for side in images.shape[2:])
    return images[:, :, top : top + VIEW, left : left + VIEW]


def _as_stored(images: Tensor) -> Tensor:
    """What is left of an augmented image when a generator that learned it writes a file."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def _statistics(images: Tensor, kinds: tuple[str, ...]) -> np.ndarray:
    """The statistics of these kinds of images [N, C, H, W] in [-1, 1]: [N, K]."""
    grey = images.mean(1, keepdim=True)
    columns = {"layout": _layout, "tone": _tone, "texture": _texture, "holes": _holes}
    return torch.cat([columns[kind](images, grey) for kind in kinds], 1).double().numpy()


def _layout(images: Tensor, grey: Tensor) -> Tensor:
    """Which parts are lighter than others, whatever the contrast."""
    small = F.adaptive_avg_pool2d(grey, 8).flatten(1)
    return (small - small.mean(1, keepdim=True)) / (small.std(1, keepdim=True) + 1e-3)


def _tone(images: Tensor, grey: Tensor) -> Tensor:
    """How light, how contrasted and how coloured, wherever."""
    flat = grey.flatten(1)
    columns = [flat.mean(1, keepdim=True), (flat.std(1, keepdim=True) + 1e-3).log()]
    columns.append(torch.quantile(flat, flat.new_tensor([0.01, 0.1, 0.5, 0.9, 0.99]), dim=1).T)
    columns += [(flat < -0.99).float().mean(1, keepdim=True), (flat > 0.99).float().mean(1, keepdim=True)]
    if images.shape[1] == 3:
        tint = images - grey
        columns += [tint.mean((2, 3)), tint.std((2, 3)), tint.abs().mean((1, 2, 3))[:, None]]
    return torch.cat(columns, 1)


def _texture(images: Tensor, grey: Tensor) -> Tensor:
    """Energy of edges and of their edges at three scales."""
    columns = []
    for _ in range(3):
        across, down = grey.diff(dim=3), grey.diff(dim=2)
        edges = (across, down, across.diff(dim=3), down.diff(dim=2), across.diff(dim=2))
        columns += [(edge.square().mean((1, 2, 3)) + 1e-5).log() for edge in edges]
        grey = F.avg_pool2d(grey, 2)
    return torch.stack(columns, 1)


def _holes(images: Tensor, grey: Tensor) -> Tensor:
    """How much is exactly mid-grey, as a removed square is to the precision of a stored image."""
    farthest = F.max_pool2d(images.abs().amax(1, keepdim=True), 5, 1)
    return (farthest < 2 / 127.5).float().mean((2, 3))


def _evidence(clean: np.ndarray, altered: np.ndarray, suspects: np.ndarray, folds: np.ndarray, error: float) -> dict:
    """Shares recognised among clean [N, K], altered [copies, N, K] and suspect [M, K] images, and what they mean.

    Every image is judged by a classifier that has not seen it: the suspects, in turn, by that of each fold.
    """
    of_clean, of_altered = np.empty(len(clean)), np.empty(altered.shape[:2])
    of_suspects, turn = np.empty(len(suspects)), np.arange(len(suspects)) % FOLDS
    for fold in range(FOLDS):
        score = _classifier(clean[folds != fold], altered[:, folds != fold].reshape(-1, clean.shape[1]))
        of_clean[folds == fold] = score(clean[folds == fold])
        of_altered[:, folds == fold] = score(altered[:, folds == fold])
        of_suspects[turn == fold] = score(suspects[turn == fold])
    threshold = np.quantile(of_clean, 1 - FALSE_POSITIVES, method="higher")
    false_positives, power = float((of_clean > threshold).mean()), float((of_altered > threshold).mean())
    found = int((of_suspects > threshold).sum())
    low, high = _bounds(found, len(suspects), error)
    most_by_chance = _bounds(round(false_positives * len(clean)), len(clean), error)[1]
    most_by_leak = _bounds(round(power * len(clean)), len(clean), error)[1]
    room = max(power - false_positives, 1e-9)
    visible = room >= VISIBLE
    return {
        "power": power,
        "false_positives": false_positives,
        "fakes": found / len(suspects),
        "low": low,
        "high": high,
        "leaked": float(np.clip((found / len(suspects) - false_positives) / room, 0, 1)),
        "visible": visible,
        # More than even a complete leak would make is another difference.
        "leaks": visible and (low - most_by_chance) / room >= NOTABLE and low <= most_by_leak,
    }


def _classifier(clean: np.ndarray, altered: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fisher's linear discriminant with shrinkage, of the statistics and their squares; higher is more altered.

    The squares see what spreads both ways, such as brighter and darker.
    """
    mean, deviation = clean.mean(0), np.maximum(clean.std(0), LEAST_DEVIATION)

    def features(images: np.ndarray) -> np.ndarray:
        standard = np.clip((images - mean) / deviation, -5, 5)
        return np.concatenate([standard, standard**2 / 5], axis=-1)

    a, b = features(clean), features(altered)
    within = (np.cov(a.T) + np.cov(b.T)) / 2
    within += SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    direction = np.linalg.solve(within, b.mean(0) - a.mean(0))
    return lambda images: features(images) @ direction


def _bounds(found: int, of: int, error: float) -> tuple[float, float]:
    """Bounds of a binomial share, each wrong with at most that probability (Clopper and Pearson 1934)."""
    low = beta.ppf(error, found, of - found + 1) if found else 0.0
    high = beta.ppf(1 - error, found + 1, of - found) if found < of else 1.0
    return float(low), float(high)


def _sentence(groups: dict[str, dict[str, Any]], leaking: list[str], p: float) -> str:
    if not leaking:
        return ""
    shown = " and ".join(
        f"{groups[name]['fakes']:.0%} of the samples look {name}, against {groups[name]['false_positives']:.0%} "
        "of the real images"
        for name in leaking
    )
    return (
        f"Augmentations may leak into the samples (p is {p:.2f}): {shown}. Look at the samples: if they do, take an "
        "earlier snapshot, or train with aug fixed and a lower aug_p, or with an augpipe without these operations."
    )
