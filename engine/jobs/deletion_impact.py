"""What deleting a run would mean, said before it is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.store.home import Home
from engine.store.runs import Run, list_runs

LOST = {
    "import": "The record of how the data set came here.",
    "dry-run": "What the training was measured to cost.",
    "train": "The generator with all its snapshots, curves and samples: nobody can make images with it any more, "
    "resume it or fine-tune from it.",
    "network": "The imported network: nobody can make images with it any more or fine-tune from it.",
    "projection": "The projected picture and its place in the latent space.",
    "pool": "The synthetic images: no check, review or sweep can use them any more.",
    "quality": "The scores, the feature map, and which images were flagged as copies.",
    "ranking": "The order of the snapshots by quality.",
    "sweep": "The trials, the verdict, the figures and the report.",
    "journey": "The record of which runs belong together.",
}
STAYS = {
    "import": "The data set itself, in the folder of the data sets.",
    "train": "Pools that were saved from it keep their images, and sweeps their results.",
    "network": "Trainings that started from it keep what they have learned.",
    "pool": "Sweeps and checks of it keep their results.",
    "quality": "Images that it took out of the pool stay out.",
    "sweep": "Reports and figures that were downloaded.",
    "journey": "The runs that it made, with their results.",
}


@dataclass(frozen=True)
class DeletionImpact:
    """What deleting some runs would mean."""

    size: int
    """Bytes that become free."""
    users: list[Run]
    """Other runs that name them in their settings, newest first: these cannot be repeated afterwards."""
    lost: list[str]
    stays: list[str]


def deletion_impact(home: Home, runs: Collection[Run]) -> DeletionImpact:
    """What deleting `runs` would mean; `size` walks their folders."""
    kinds = list(dict.fromkeys(run.kind for run in runs))
    return DeletionImpact(
        size=sum(file.lstat().st_size for run in runs for file in run.path.rglob("*") if file.is_file()),
        users=users_of(home, runs),
        lost=[LOST[kind] for kind in kinds if kind in LOST],
        stays=[STAYS[kind] for kind in kinds if kind in STAYS],
    )


def users_of(home: Home, runs: Collection[Run]) -> list[Run]:
    """Runs outside of `runs` whose settings name one of them, newest first."""
    ids = {run.id for run in runs}
    return [other for other in list_runs(home) if other.id not in ids and _names(other, ids)]


def _names(run: Run, ids: Collection[str]) -> bool:
    settings = str(run.config())
    return any(run_id in settings for run_id in ids)
