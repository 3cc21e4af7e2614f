"""What a cluster has, read from sinfo, and what is proposed for it."""

from __future__ import annotations

import pytest

from engine.cluster.nodes import minutes_in, read_partitions
from engine.cluster.proposing import propose
from engine.store.errors import ErsatzError
from tests.cluster.fake_slurm import SINFO

# Of larger clusters, in the form that sinfo documents
LARGE = """\
batch*|up|infinite|128+|515000+|20|mixed|(null)
a100|up|2-00:00:00|64|1031000|4|mixed|gpu:a100:8(S:0-1),shard:16(S:0-1)
a100|up|2-00:00:00|64|1031000|1|down*|gpu:a100:8(S:0-1)
old|up|1-00:00:00|16|64000|2|drained|gpu:4
closed|down|infinite|16|64000|30|idle|gpu:8
"""


def test_partitions_are_read() -> None:
    main, urgent, short = read_partitions(SINFO)
    assert (main.name, main.is_default, main.minutes, main.cards) == ("main", True, 1440, 4)
    assert (urgent.minutes, short.minutes, short.is_default) == (60, 1, False)
    assert main.sentence == "2 nodes of 4 cores and 7 GiB, 4 GPUs; for at most 24 h"
    batch, a100, old, closed = read_partitions("Welcome!\n" + LARGE)
    assert (batch.minutes, batch.cards, batch.nodes[0].cpus) == (None, 0, 128)
    assert (a100.cards, a100.nodes[0].gpus, a100.takes_jobs) == (40, {"a100": 8}, True)
    assert "40 GPUs (a100)" in a100.sentence
    assert not old.takes_jobs and not closed.takes_jobs
    assert old.sentence.endswith("takes no jobs now")


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("infinite", None), ("n/a", None), ("30:00", 30), ("1:30", 2), ("1:00:00", 60), ("2-01:00:00", 2940)],
)
def test_time_limits(written: str, minutes: int | None) -> None:
    assert minutes_in(written) == minutes


def test_the_share_of_a_gpu_is_proposed() -> None:
    proposed = propose(read_partitions(LARGE))
    assert (proposed.partition, proposed.gpus, proposed.cpus) == ("a100", "gpu", 8)
    assert proposed.memory_gib == 113  # nine tenths of an eighth of 1,007 GiB
    assert (proposed.hours, proposed.throttle) == (24, 16)
    assert proposed.places == {"train": "slurm", "sweep": "slurm"}


def test_a_partition_without_gpus_and_a_short_one() -> None:
    batch = propose(read_partitions(LARGE), "batch", {"account": "lab"})
    assert (batch.gpus, batch.cpus, batch.throttle, batch.account) == ("", 4, 16, "lab")
    short = propose(read_partitions(SINFO), "short")
    assert short.minutes == 1 and short.grace_seconds == 15


def test_what_cannot_be_proposed_is_said() -> None:
    with pytest.raises(ErsatzError, match="no partition 'x' on this cluster; it has main, urgent, short"):
        propose(read_partitions(SINFO), "x")
    with pytest.raises(ErsatzError, match="None of the 0 partitions"):
        propose([])
    with pytest.raises(ErsatzError, match="cpus is 0"):
        propose(read_partitions(SINFO), "", {"cpus": 0})
