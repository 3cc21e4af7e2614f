"""The partitions of a cluster and what their nodes have, as sinfo tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.cluster.settings import Request
from engine.cluster.tools import Refused, call

FIELDS = "%P|%a|%l|%c|%m|%D|%T|%G"
"""What sinfo prints of nodes that are alike; their generic resources are last."""
AWAY = ("down", "drain", "fail", "maint", "inval", "unk", "perfctrs", "power_down", "powering_down")
"""Beginnings of states of nodes that take no jobs; a node that is powered down to save energy does."""


@dataclass(frozen=True)
class Nodes:
    """Nodes of a partition that are alike."""

    count: int
    cpus: int
    memory_mib: int
    state: str
    gpus: dict[str, int] = field(default_factory=dict)
    """GPUs of a node by model; the model is empty where the cluster names none."""

    @property
    def cards(self) -> int:
        """GPUs of a node."""
        return sum(self.gpus.values())

    @property
    def take_jobs(self) -> bool:
        return not self.state.startswith(AWAY) and not self.state.endswith("*")


@dataclass(frozen=True)
class Partition:
    name: str
    is_default: bool
    is_open: bool
    minutes: int | None
    """The longest a job may take; None: as long as it wants."""
    nodes: tuple[Nodes, ...]

    @property
    def cards(self) -> int:
        """GPUs in all."""
        return sum(each.count * each.cards for each in self.nodes)

    @property
    def takes_jobs(self) -> bool:
        return self.is_open and any(each.take_jobs for each in self.nodes)

    @property
    def sentence(self) -> str:
        """What it has, for a person."""
        count = sum(each.count for each in self.nodes)
        busy = "" if self.takes_jobs else "; takes no jobs now"
        longest = "for any time" if self.minutes is None else f"for at most {in_words(self.minutes)}"
        cores = _range([each.cpus for each in self.nodes])
        memory = _range([each.memory_mib // 1024 for each in self.nodes])
        models = sorted({model for each in self.nodes for model in each.gpus if model})
        named = f" ({', '.join(models)})" if models else ""
        cards = f"{self.cards} GPU{'s' if self.cards > 1 else ''}{named}" if self.cards else "no GPU"
        nodes = "1 node" if count == 1 else f"{count} nodes"
        return f"{nodes} of {cores} cores and {memory} GiB, {cards}; {longest}{busy}"


def partitions() -> list[Partition]:
    """All partitions that this user sees. Raises `NoAnswer` and `ErsatzError` as `tools.call` does."""
    return read_partitions(call("sinfo", "--noheader", f"--format={FIELDS}"))


def read_partitions(printed: str) -> list[Partition]:
    """The partitions in what sinfo prints as `FIELDS`, in its order; lines that are none are passed over."""
    found: dict[str, Partition] = {}
    for line in printed.splitlines():
        parts = [part.strip() for part in line.split("|", 7)]
        if len(parts) != 8:
            continue
        name, opened, limit, cpus, memory, count, state, resources = parts
        nodes = Nodes(_number(count), _number(cpus), _number(memory), state.lower(), gpus_in(resources))
        plain = name.removesuffix("*")
        before = found[plain].nodes if plain in found else ()
        found[plain] = Partition(plain, name.endswith("*"), opened == "up", minutes_in(limit), (*before, nodes))
    return list(found.values())


def fitting(request: Request, there: Sequence[Partition]) -> Partition:
    """The partition that such jobs go to.

    Raises `Refused` where there is none, or where they could never start: most clusters accept a job that asks for more
    time or cores than its partition has, and let it wait for ever.
    """
    names = [name for name in request.partition.split(",") if name]
    known = {partition.name: partition for partition in there}
    if unknown := [name for name in names if name not in known]:
        raise Refused(
            f"There is no partition {unknown[0]!r} on this cluster, which has {', '.join(known) or 'none'}; name one "
            "of these as partition in cluster.toml."
        )
    chosen = [known[name] for name in names] or [partition for partition in there if partition.is_default]
    if not chosen:
        raise Refused(
            f"This cluster has no partition by default but {', '.join(known) or 'none'}; name one of these as "
            "partition in cluster.toml."
        )
    reasons = []
    for partition in chosen:
        most = max((each.cpus for each in partition.nodes), default=0)
        if partition.minutes is not None and request.minutes > partition.minutes:
            reasons.append(
                f"Partition {partition.name} lets jobs take {in_words(partition.minutes)}, and hours is "
                f"{request.hours:g}; at most {partition.minutes / 60:g} is expected in cluster.toml. A run that needs "
                "longer goes on in a new job."
            )
        elif request.cpus > most:
            reasons.append(
                f"No node of partition {partition.name} has more than {most} cores, and cpus is {request.cpus}; at "
                f"most {most} is expected in cluster.toml."
            )
        else:
            return partition
    raise Refused(reasons[0])


def gpus_in(resources: str) -> dict[str, int]:
    """GPUs by model in generic resources such as `gpu:a100:4(S:0-1),shard:8`."""
    found: dict[str, int] = {}
    for part in re.sub(r"\([^)]*\)", "", resources).split(","):
        name, *rest = part.strip().split(":")
        if name == "gpu":
            model = rest[0] if rest and not rest[0].isdecimal() else ""
            count = int(rest[-1]) if rest and rest[-1].isdecimal() else 1
            found[model] = found.get(model, 0) + count
    return found


def minutes_in(limit: str) -> int | None:
    """Minutes of a time limit as SLURM writes it, days-hours:minutes:seconds; None of one without an end."""
    written = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if written is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in written.groups())
    return days * 1440 + hours * 60 + minutes + (seconds > 0)


def in_words(minutes: int) -> str:
    """A time limit for a person."""
    return f"{minutes} min" if minutes < 120 and minutes != 60 else f"{minutes / 60:.3g} h"


def _number(written: str) -> int:
    """The least that is meant by `4` or `4+`."""
    found = re.match(r"\d+", written)
    return int(found[0]) if found else 0


def _range(values: list[int]) -> str:
    least, most = min(values, default=0), max(values, default=0)
    return str(least) if least == most else f"{least} to {most}"
