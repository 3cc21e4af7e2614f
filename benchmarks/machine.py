"""What a figure was measured on: the processor's name, the instructions that decide its speed, and what torch uses."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import torch

DECISIVE = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def describe_cpu() -> str:
    """Such as "AMD EPYC (avx2 avx512f avx512_bf16; torch uses AVX512)"; ATEN_CPU_CAPABILITY changes the latter."""
    name, flags = platform.processor() or platform.machine(), ""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        text = listing.read_text()
        if found := re.search(r"^model name\s*: (.+)$", text, re.MULTILINE):
            name = found[1]
        if found := re.search(r"^flags\s*: (.+)$", text, re.MULTILINE):
            flags = " ".join(flag for flag in DECISIVE if flag in found[1].split())
    return f"{name} ({flags or 'flags unknown'}; torch uses {torch.backends.cpu.get_cpu_capability()})"
