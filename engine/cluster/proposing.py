"""What `cluster init` proposes for a home, from what the scheduler tells of its partitions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from engine.cluster.nodes import Nodes, Partition
from engine.cluster.settings import ClusterSettings
from engine.gpus import installed
from engine.store.errors import ErsatzError

MOST_CPUS = 8
"""Cores proposed for a task: more of them hardly speed a training up that has a GPU."""
CPUS_ALONE = 4
"""The same on nodes without GPUs, where the tasks of a sweep run side by side."""
MOST_HOURS = 24.0
MOST_AT_ONCE = 16
TO_CLUSTER = ("train", "sweep")
"""Kinds that are proposed to go to the cluster: those that take hours."""


def propose(found: Sequence[Partition], partition: str = "", changes: dict[str, Any] | None = None) -> ClusterSettings:
    """Settings for a partition, by default one with GPUs; `changes` are what somebody has said of the fields.

    Raises `ErsatzError` when there is no such partition, or none that takes jobs.
    """
    chosen = _named(found, partition) if partition else _best(found)
    nodes = [each for each in chosen.nodes if each.take_jobs] or list(chosen.nodes)
    with_gpus = [each for each in nodes if each.cards]
    values = _share_of(with_gpus or nodes, bool(with_gpus))
    hours = MOST_HOURS if chosen.minutes is None else min(MOST_HOURS, chosen.minutes / 60)
    proposed = {
        "partition": chosen.name,
        "hours": hours,
        "grace_seconds": int(max(10, min(120, hours * 3600 / 4))),
        "places": {kind: "slurm" for kind in TO_CLUSTER},
    }
    return ClusterSettings.build(proposed | values | (changes or {}))


def propose_local(changes: dict[str, Any]) -> ClusterSettings:
    """Settings for submitit's local executor, which needs no scheduler: a job is a process of this machine."""
    cores = max(1, min(CPUS_ALONE, (os.cpu_count() or 1) // 2))
    proposed = {"gpus": "gpu" if installed() else "", "cpus": cores, "throttle": 2}
    return ClusterSettings.build(proposed | changes)


def _named(found: Sequence[Partition], name: str) -> Partition:
    for partition in found:
        if partition.name == name:
            return partition
    names = ", ".join(partition.name for partition in found) or "none"
    raise ErsatzError(f"There is no partition {name!r} on this cluster; it has {names}. Choose one of these.")


def _best(found: Sequence[Partition]) -> Partition:
    """The one with GPUs that takes jobs; of several the default one, then the one with the most GPUs."""
    open_ones = [partition for partition in found if partition.takes_jobs]
    if not open_ones:
        raise ErsatzError(
            f"None of the {len(found)} partitions that sinfo lists takes jobs now; at least one with nodes that are up "
            "is expected. Name one with --partition, or ask the administrators."
        )
    return max(open_ones, key=lambda each: (each.cards > 0, each.is_default, each.cards))


def _share_of(nodes: Sequence[Nodes], with_gpus: bool) -> dict[str, Any]:
    """The share of a node that belongs to one GPU, or to some cores; of unlike nodes the least."""
    cpus = min(each.cpus // each.cards if with_gpus else each.cpus for each in nodes)
    cpus = max(1, min(MOST_CPUS if with_gpus else CPUS_ALONE, cpus))
    # a tenth is left, for what the system needs there
    memory = min(each.memory_mib * 0.9 / (each.cards if with_gpus else max(1, each.cpus / cpus)) for each in nodes)
    rooms = sum(each.count * (each.cards if with_gpus else each.cpus // cpus) for each in nodes)
    return {
        "gpus": "gpu" if with_gpus else "",
        "cpus": cpus,
        "memory_gib": memory // 1024 if memory >= 1024 else 0.0,  # SLURM counts 1 MiB where nobody has told it
        "throttle": max(1, min(MOST_AT_ONCE, rooms)),
    }
