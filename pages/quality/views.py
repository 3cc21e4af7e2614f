"""The names of the views of the Quality page, and what links to it say."""

from __future__ import annotations

READ, COMPARE, NEW, RANK = "Results", "Compare", "New check", "Snapshots"
VIEW_OF = {"quality": READ, "pool": NEW, "ranking": RANK, "train": RANK}
"""By the kind of the run that `?run=` names."""
AGAIN = "again"
"""Of the URL: the check or ranking whose settings a new one starts from."""
BESIDE = "compare"
"""Of the URL: the check that the one of `?run=` is compared with."""
