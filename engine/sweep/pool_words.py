"""What a verdict has to say of the pool itself: that it is a control, or that nobody knows what its generator saw."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from engine.sampling.pool_info import PoolInfo
from engine.sweep.verdict import ONE_GENERATOR, Verdict, prefixed

CONTROL = "Control: "
UNKNOWN_TRAINING = "Whether the generator of these images saw test images is not known."
DECLARED_TRAINING = (
    "That the generator saw no test image is what the makers of the pool declare; here their list and the images "
    "themselves were compared with the test images, and no more can be."
)
NEXT = "The verdict on a pool of synthetic images: a control shows what this sweep would notice, and is no result."


def control_of_pools(pools: Iterable[PoolInfo]) -> str:
    """What stands in place of synthetic images in a sweep on these pools; empty: nothing does."""
    return " and ".join(dict.fromkeys(info.control for info in pools if info.control))


def unknown_training(pools: Iterable[PoolInfo]) -> bool:
    """Whether of some pool nobody knows what its generator saw."""
    return any(info.unknown_training for info in pools)


def said_of_pools(verdict: Verdict, pools: Iterable[PoolInfo]) -> Verdict:
    """The verdict in the words that are true of these pools: a control is called one, and a limit is said."""
    pools = list(pools)
    if control := control_of_pools(pools):
        sentence = in_place(verdict.sentence.replace(f" {ONE_GENERATOR}", ""), control)
        verdict = prefixed(replace(verdict, sentence=sentence, needed=NEXT), CONTROL)
    if unknown_training(pools):
        verdict = replace(verdict, sentence=f"{verdict.sentence} {UNKNOWN_TRAINING}")
    return verdict


def in_place(sentence: str, control: str) -> str:
    """The sentence with what stood in place of the synthetic images."""
    told = sentence.replace("Synthetic images", control[0].upper() + control[1:]).replace("synthetic images", control)
    return re.sub(r"\bsynthetic ones\b", control, told)
