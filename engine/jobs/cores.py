"""How many threads a run computes with, and how they wait for each other, so that other programs keep their pace.

A training's threads meet after every operator. Where another program holds a core, all wait for the thread that it
displaced; and where they wait spinning, as is OpenMP's habit, they displace each other too. Asleep they give way.

Measured on 2 cores (`benchmarks/threads.py`), both cores against one, spinning | asleep:

    alone                  DCGAN fp32 1.44 | 1.41    DCGAN bf16 1.63 | 1.21    StyleGAN2-ADA fp32 1.83 | 1.79
    beside a busy process             0.07 | 0.90               0.03 | 0.06                       0.27 | 0.96
    beside a busy browser             0.94 | 0.92               0.94 | 0.68

So trainings sleep and take every core, but for a DCGAN in bf16, whose operators are too short: it leaves one free. And
since no two threads meet where each process has but one, the DCGANs of several classes are trained side by side on a
processor: two on a core each showed 1.1 to 1.3 (fp32, AVX2) and 1.4 to 1.5 times (bf16) the images of one on both
(`benchmarks/dcgan.py`, 64 and 32 wide).

Nothing here imports torch.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from engine.configs.gans import gan_named
from engine.jobs.kinds import kind_named
from engine.jobs.slots import cuda_slots, usable_cores

BF16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


def threads_environment(config: dict[str, Any], beside: int = 1, cores: int | None = None) -> dict[str, str]:
    """What the worker of a run of this config is told, one of `beside` that share the processor.

    `cores` are those that it has for itself, on a machine that is not this one. What the user's environment says goes
    before it.
    """
    threads = max(1, usable_cores() // max(1, len(cuda_slots()), beside)) if cores is None else cores
    if leaves_a_core(config):
        threads = max(1, threads - 1)
    waiting = {"OMP_WAIT_POLICY": "passive"} if kind_named(config["kind"]).training(config) else {}
    return {"OMP_NUM_THREADS": str(threads), **waiting}


def leaves_a_core(config: dict[str, Any]) -> bool:
    """Whether the threads of a run of this config meet so often that they would not bear any neighbour."""
    kind = kind_named(config["kind"])
    training = kind.training(config)
    if training is None or not gan_named(training.get("gan", "dcgan")).capabilities.side_by_side:
        return kind.small_steps
    precision = training.get("precision", "auto")
    return precision == "bf16" or (precision == "auto" and multiplies_bf16())


def multiplies_bf16(listing: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bf16, as far as Linux tells; elsewhere no."""
    flags = re.search(r"^flags\s*:(.*)$", listing.read_text(), re.MULTILINE) if listing.is_file() else None
    return flags is not None and not BF16_INSTRUCTIONS.isdisjoint(flags[1].split())
