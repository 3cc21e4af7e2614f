"""The names of the views of the Evaluate page, and what links to it say."""

from __future__ import annotations

READ, COMPARE, NEW = "Results", "Compare", "New sweep"
AGAIN = "again"
"""Of the URL: the sweep whose settings a new one starts from."""
POOL = "pool"
"""Of the URL: the pool to plan a sweep with."""
BESIDE = "compare"
"""Of the URL: the sweeps that the one of `?run=` is compared with, separated by commas."""
TRIAL = "trial"
"""Of the URL: `arm,ratio,seed` of the point that is looked into; without the seed, all trials of the arm and ratio."""
