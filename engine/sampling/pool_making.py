"""Make a pool of any origin: sampled here, imported, mixed, or a control."""

from __future__ import annotations

from engine.configs.base import Config
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig
from engine.configs.sampling import PoolConfig
from engine.sampling.control_pools import make_control
from engine.sampling.imported_pools import import_pool
from engine.sampling.mixed_pools import mix_pools
from engine.sampling.pools import Pool, already_made, make_pool
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run


def make(run: Run, config: Config, report: Report = silent, should_stop: ShouldStop = never) -> Outcome:
    """What the worker of a pool does; how it ended."""
    if isinstance(config, PoolConfig):
        return make_pool(run, config, report, should_stop)
    if already_made(run):  # never made twice: reviewers may have excluded images since
        count = len(Pool(run).manifest)
        report(Progress("finished", count, count, "images"))
        return "finished"
    if isinstance(config, ImportedPoolConfig):
        return import_pool(run, config, report, should_stop)
    if isinstance(config, ControlPoolConfig):
        return make_control(run, config, report, should_stop)
    assert isinstance(config, MixedPoolConfig)
    return mix_pools(run, config, report, should_stop)
