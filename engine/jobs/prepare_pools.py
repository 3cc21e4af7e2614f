"""What is settled before a pool is made that is not sampled here: imported, mixed, or a control."""

from __future__ import annotations

from pathlib import Path

from engine.configs import Config
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig, PoolReference
from engine.datasets.dataset import Dataset
from engine.datasets.holding_back import hold_back
from engine.sampling.control_pools import shuffled_pool
from engine.sampling.imported_pools import require_readable
from engine.sampling.mixed_pools import mixed_rows, parents_of
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from engine.store.home import Home
from engine.store.runs import Run, State

WORDS = ("training", "unknown")


def prepare_other_pool(home: Home, config: Config) -> Config:
    """With the split of the data set, absolute paths and the hashes of what the images come from.

    For a control of held-back images the data set without them is made now, for the config names it by its hash.
    """
    assert isinstance(config, ImportedPoolConfig | ControlPoolConfig | MixedPoolConfig)
    dataset = Dataset.open(home, config.dataset)
    dataset.require_frozen()
    if isinstance(config, ControlPoolConfig) and config.control == "held-back":
        dataset = hold_back(dataset, config.images_per_class, config.seed)
    dataset.require_fingerprint(config.dataset_fingerprint, "This run")
    update = {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
    if isinstance(config, ImportedPoolConfig):
        config = _with_paths(config)
        require_readable(config, dataset)
    elif isinstance(config, MixedPoolConfig):
        references = tuple(_reference(home, each) for each in config.pools)
        config = config.model_copy(update={"pools": references})
        mixed_rows(parents_of(home, config, dataset), config)
    elif config.pool:
        config = config.model_copy(update={"pool_sha256": _finished(home, config.pool).sha256})
        shuffled_pool(home, config, dataset)
    return config.model_copy(update=update)


def _with_paths(config: ImportedPoolConfig) -> ImportedPoolConfig:
    """The run starts in another folder, so that a relative path would mean another file."""
    update = {"source": str(Path(config.source).expanduser().resolve())}
    beside = Path(config.csv).expanduser()
    if config.csv and beside.is_file():  # else its name inside the source
        update["csv"] = str(beside.resolve())
    if config.trained_on not in WORDS:
        path = Path(config.trained_on).expanduser().resolve()
        update["trained_on"] = str(path)
        if path.is_file():
            update["trained_on_sha256"] = sha256_file(path)
    return config.model_copy(update=update)


def _reference(home: Home, reference: PoolReference) -> PoolReference:
    return PoolReference(run=reference.run, sha256=reference.sha256 or _finished(home, reference.run).sha256)


def _finished(home: Home, run_id: str) -> Pool:
    run = Run(home, run_id)
    if run.kind != "pool" or run.state() is not State.FINISHED:
        raise ErsatzError(f"Run {run.id} is a {run.kind} run and {run.state()}; a finished pool is expected.")
    return Pool.open(run)
