"""How pools came about that were not sampled here, in sentences for methods, pages and the report."""

from __future__ import annotations

from engine.sampling.pool_info import PoolInfo, PoolOrigin

HELD_BACK = (
    "{images} real training images were held back from the data set, whole patients and sets of copies together, and "
    "stood in place of synthetic images: a positive control."
)
NOISE = (
    "{images} images of noise stood in place of synthetic images, each pixel drawn from all pixels of the class's "
    "training images (seed {seed}): a negative control."
)
SHUFFLED = (
    "{images} images of the pool {parents}, their labels shuffled among them (seed {seed}), stood in place of "
    "synthetic images: a negative control."
)
IMPORTED = "{images} images that were made elsewhere were brought to the form of the real ones{declared}."
MIXED = "{images} images of the pools {parents} were mixed in these shares, in every subset of the sweep too."
TEXTS = {"held-back": HELD_BACK, "noise": NOISE, "shuffled": SHUFFLED, "imported": IMPORTED, "mixed": MIXED}
SAW = {
    "unknown": "Whether their generator saw test images is not known.",
    "training": "Their makers declare that the generator saw the training part of this data set alone.",
    "hashes": "Their makers declare by hashes which real images the generator saw; no test or validation image is "
    "among them.",
    "recorded": "",
}


def origin_in_words(info: PoolInfo, images: int) -> list[str]:
    """Where so many images come from and what is known of their generator; empty for pools that are sampled here."""
    origin = info.origin
    if origin is None:
        return []
    declared = f" (as declared: {origin.made_by.strip().rstrip('.')})" if origin.made_by.strip() else ""
    told = TEXTS[origin.kind].format(images=images, seed=origin.seed, parents=_parents(origin), declared=declared)
    return [told, *filter(None, [SAW[origin.trained_on]])]


def _parents(origin: PoolOrigin) -> str:
    if origin.kind != "mixed":
        return ", ".join(parent.name for parent in origin.parents)
    return ", ".join(f"{parent.name} ({100 * parent.share:.3g} %)" for parent in origin.parents)
