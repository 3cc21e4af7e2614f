"""Where a run is done: here, or on the cluster that `<home>/cluster.toml` describes.

The place is no setting of the run: on processors of the same kind, with as many threads, the numbers are the same. It
is kept in `status.json` and may be another one when the run is resumed.
"""

from __future__ import annotations

from typing import Any

from engine.cluster import slurm
from engine.cluster.settings import FILE, read_settings
from engine.configs import Config
from engine.jobs.kinds import kind_named, kind_of
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import HERE, Run

SLURM = "slurm"
PLACES = (HERE, SLURM)


def place_of(home: Home, config: Config, asked: str = "") -> str:
    """The place of a run that is about to be made: the one asked for, else what `cluster.toml` says for its kind.

    Raises `ErsatzError` when it cannot be done there: nothing is made then.
    """
    if asked and asked not in PLACES:
        raise ErsatzError(f"The place of a run is {asked!r}; {' or '.join(PLACES)} is expected. Choose one of them.")
    kind = kind_of(config)
    if asked == HERE:
        return HERE
    settings = read_settings(home)
    if not asked:
        return settings.places.get(kind.name, HERE) if settings is not None and kind.can_go else HERE
    if not kind.can_go:
        raise ErsatzError(
            f"{kind.label} runs are done here, beside the files that they read; the place {asked} is for trainings, "
            "pools, exports, checks, sweeps and journeys. Start it without --place."
        )
    if settings is None:
        raise ErsatzError(
            f"There is no {home.root / FILE}, which says how this home uses a cluster. Make it once with "
            "`python -m engine cluster init`, or start the run with --place here."
        )
    return SLURM


def require_place(home: Home, config: Config, place: str) -> None:
    """Raise `ErsatzError` when the scheduler would refuse a run of this config; nothing is submitted."""
    if place != HERE and not kind_of(config).made_of_runs:
        settings = read_settings(home)
        assert settings is not None, "a place other than here has settings"
        slurm.rehearse(settings.for_kind(kind_of(config).name), gpus=gpus_of(config.plain()))


def gpus_of(values: dict[str, Any]) -> int:
    """GPUs that a run of this `config.json` asks for, where the nodes have some; 0 when it is to use none."""
    kind = kind_named(values["kind"])
    training = kind.training(values) or values
    return int(training.get("gpus", 1)) if kind.needs_device and training.get("device") != "cpu" else 0


def is_on_cluster(run: Run) -> bool:
    """Whether the work of a run is done by the cluster: a journey only starts runs there."""
    return run.status().place != HERE and not kind_named(run.kind).made_of_runs
