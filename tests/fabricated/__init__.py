"""Homes made up for tests of reports and pages: data sets and runs as the engine leaves them, without its work."""

from __future__ import annotations

from tests.fabricated.checks import make_quality, make_ranking
from tests.fabricated.datasets import CLASSES, COUNTS, SIZE, fingerprint, make_dataset, picture
from tests.fabricated.journeys import make_everything, make_folded, make_pair
from tests.fabricated.pools import make_pool_run
from tests.fabricated.sweeps import make_sweep, make_trials
from tests.fabricated.trainings import make_stylegan, make_training, set_state

__all__ = [
    "CLASSES",
    "COUNTS",
    "SIZE",
    "fingerprint",
    "make_dataset",
    "make_everything",
    "make_folded",
    "make_pair",
    "make_pool_run",
    "make_quality",
    "make_ranking",
    "make_stylegan",
    "make_sweep",
    "make_training",
    "make_trials",
    "picture",
    "set_state",
]
