"""What a job of `doctor`'s check calls on a node in tests, instead of what imports torch."""

from __future__ import annotations

from engine.cluster.checking import Finding


def on_cpu() -> list[Finding]:
    return [Finding("Training", "note", "on the CPU; no CUDA GPU was found, so training takes longer")]
