"""A real SLURM for the tests that ask for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import one_node_slurm
from tests.cluster.one_node_slurm import Slurm


@pytest.fixture(scope="session")
def running_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Two nodes, `n1` and `n2`, for all tests of this process."""
    if reason := one_node_slurm.missing():
        pytest.skip(reason)
    with Slurm(tmp_path_factory.mktemp("slurm"), nodes=2) as slurm:
        yield slurm


@pytest.fixture
def slurm(running_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """A SLURM without jobs, to which the commands of this process and of those it starts speak."""
    for name, value in running_slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield running_slurm
    running_slurm.clear()
