"""Paths of a training's snapshots; free of torch, so that pages can list them.

<run>/snapshots/network-<images seen>.safetensors    the newest, whole: what a resumed training goes on from
<run>/generators/network-<images seen>.safetensors   of older ones the averaged generator alone, to find the best after
"""

from __future__ import annotations

from pathlib import Path

from engine.store.errors import ErsatzError
from engine.store.runs import Run

NAMES = "network-*.safetensors"


def snapshot_path(run_path: Path, images_seen: int) -> Path:
    """The file of a whole snapshot."""
    return run_path / "snapshots" / f"network-{images_seen:09d}.safetensors"


def images_seen(path: Path) -> int:
    """Real images that the networks of a snapshot had been shown."""
    return int(path.stem.removeprefix("network-"))


def list_snapshots(run_path: Path) -> list[Path]:
    """The run's whole snapshots, newest first."""
    return sorted((run_path / "snapshots").glob(NAMES), reverse=True)


def latest_snapshot(run_path: Path) -> Path | None:
    """The newest whole snapshot of a run, or None."""
    return next(iter(list_snapshots(run_path)), None)


def list_generators(run_path: Path) -> list[Path]:
    """Every file that holds an averaged generator, newest first: the snapshots, and what is kept of older ones."""
    known = {path.name: path for path in (*(run_path / "generators").glob(NAMES), *list_snapshots(run_path))}
    return [known[name] for name in sorted(known, reverse=True)]


def find_snapshot(run: Run, wanted: str = "") -> Path:
    """The snapshot of a run that is named by its file name or path, or its newest whole one.

    A path of which there is no file is looked for by its name too: of older snapshots the averaged generator alone is
    kept, elsewhere. Raises `ErsatzError` when a run has no snapshot; a path that leads nowhere is returned as it is.
    """
    if wanted:
        path = Path(wanted)
        named_so = (own for own in list_generators(run.path) if own.name == path.name)
        return path if path.exists() else next(named_so, path)
    newest = latest_snapshot(run.path)
    if newest is None:
        raise ErsatzError(
            f"Run {run.id} has no snapshot to export; at least one is expected. Train until the first is written."
        )
    return newest
