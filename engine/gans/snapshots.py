"""Paths of a training's snapshots; free of torch, so that pages can list them.

<run>/snapshots/network-<images seen>.safetensors    the newest, whole: what a resumed training goes on from
<run>/generators/network-<images seen>.safetensors   of older ones the averaged generator alone, to find the best after
"""

from __future__ import annotations

from pathlib import Path

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
