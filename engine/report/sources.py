"""Everything a report of a sweep draws on, read from the run folders of the sweep and its parents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from engine.configs import SweepConfig, parse_config
from engine.datasets.dataset import Dataset
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.home import Home
from engine.store.runs import Run, Status


@dataclass(frozen=True)
class GeneratorSource:
    """One generator behind the pool."""

    run: Run
    config: dict[str, Any]
    status: Status
    info: dict[str, Any]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Sources:
    """A finished sweep and its parents; what was deleted since is None and named in `missing`."""

    run: Run
    config: SweepConfig
    status: Status
    summary: dict[str, Any]
    trials: pd.DataFrame
    dataset: Dataset | None
    pool: Pool | None
    pool_status: Status | None
    generators: list[GeneratorSource]
    missing: list[str] = field(default_factory=list)

    @property
    def unknown_start(self) -> bool:
        """Whether a generator began with networks whose training images are not known."""
        starts = (source.info.get("start") or {} for source in self.generators)
        return any(start.get("unknown_images") for start in starts)


def read_sources(run: Run) -> Sources:
    """Read a sweep's folder and those of its parents; an `ErsatzError` unless it is a sweep that has finished."""
    config = parse_config(run.config())
    if not isinstance(config, SweepConfig):
        raise ErsatzError(f"{run.id} is a run of kind {config.plain()['kind']}; a report is made of a sweep.")
    if not (run.path / "summary.json").is_file():
        raise ErsatzError(
            f"The sweep {run.id} has no summary yet ({run.state().value}); a finished sweep is expected. "
            f"Wait for its end, or resume it with `python -m engine resume {run.id}`."
        )
    missing: list[str] = []
    dataset = pool = pool_status = None
    generators: list[GeneratorSource] = []
    try:
        dataset = Dataset.open(run.home, config.dataset)
    except ErsatzError as error:
        missing.append(str(error))
    try:
        pool_run = Run(run.home, config.pool)
        pool, pool_status = Pool.open(pool_run), pool_run.status()
        references = pool_run.config()["generators"]
    except ErsatzError as error:
        references = []
        missing.append(str(error))
    for reference in references:
        try:
            generators.append(_generator(run.home, reference["run"]))
        except ErsatzError as error:
            missing.append(str(error))
    return Sources(
        run=run,
        config=config,
        status=run.status(),
        summary=read_json(run.path / "summary.json"),
        trials=pd.read_parquet(run.path / "trials.parquet"),
        dataset=dataset,
        pool=pool,
        pool_status=pool_status,
        generators=generators,
        missing=missing,
    )


def _generator(home: Home, run_id: str) -> GeneratorSource:
    run = Run(home, run_id)
    return GeneratorSource(
        run=run,
        config=run.config(),
        status=run.status(),
        info=read_json(run.path / "generator.json"),
        rows=run.read_metrics()[0],
    )
