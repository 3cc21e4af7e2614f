"""Snapshots: everything needed to resume or to sample, in one safetensors file; nothing in it is ever executed.

A snapshot holds the tensors `G.*`, `D.*`, `G_ema.*`, `*.optimizer.*` and the GAN's own, and under the metadata key
`ersatz` one JSON object: the run's config and its digest, the counters, what the networks and the pictures are and
where they came from. There is no state of random generators, since every draw derives from the seed and the number of
images seen.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.configs import TrainConfig
from engine.configs.gans import gan_named
from engine.gans.checksums import differing, summed
from engine.gans.fitting import Misfit, fitting_network
from engine.gans.image_spec import ImageSpec
from engine.gans.snapshots import NAMES, images_seen, list_snapshots, snapshot_path
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.plugins import named

FORMAT = "ersatz-snapshot-1"
KEEP = 3
"""Whole snapshots kept of a run. Sample grids are all kept; they are small and show the way."""
KEEP_GENERATORS = 16
"""Averaged generators kept of a run's older snapshots, spread over its length, so that the best can be found after."""


def save_snapshot(run_path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> Path:
    """Write a snapshot for `metadata["images_seen"]`; of those before the newest `KEEP` whole ones only G_ema stays.

    Nothing is removed before the new one is on the disk and was read back.
    """
    path = snapshot_path(run_path, metadata["images_seen"])
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"ersatz": json.dumps(summed({"format": FORMAT, **metadata}, tensors))})
    if not is_whole(path):
        raise _damaged(path, "it is not what was just written; look at the health of the disk")
    thin_out(run_path)
    return path


def thin_out(run_path: Path) -> None:
    """Leave the newest `KEEP` snapshots that can be resumed from, and of those before them the averaged generator."""
    whole = 0
    for path in list_snapshots(run_path):
        if whole >= KEEP:
            _keep_generator(run_path, path)
            disk.remove(path)
        elif is_whole(path):
            whole += 1


def is_whole(path: Path) -> bool:
    """Whether all of a snapshot can be read; read once, and again when the file has changed."""
    try:
        facts = path.stat()
        return _is_whole(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    except OSError:
        return False


@lru_cache(64)
def _is_whole(path: Path, *stamp: int) -> bool:
    try:
        load_snapshot(path)
    except ErsatzError:
        return False
    return True


def _keep_generator(run_path: Path, snapshot: Path) -> None:
    """Copy a snapshot's averaged generator to `generators/`, and thin these out to `KEEP_GENERATORS`.

    One that makes the least gap goes first, so that those that stay are spread over the training.
    """
    try:
        tensors, metadata = _read(snapshot, "G_ema.")
    except ErsatzError:  # damaged, and to be dropped anyway
        return
    with replacing(run_path / "generators" / snapshot.name) as temporary:
        save_file(tensors, temporary, {"ersatz": json.dumps(summed(metadata, tensors))})
    kept = sorted((run_path / "generators").glob(NAMES))
    while len(kept) > KEEP_GENERATORS:
        seen = [images_seen(path) for path in kept]
        gaps = [after - before for before, after in zip(seen, seen[2:], strict=False)]
        disk.remove(kept.pop(gaps.index(min(gaps)) + 1))


def load_snapshot(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors (on the CPU) and the metadata of a snapshot."""
    return _read(path, "")


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a snapshot alone, which takes no time."""
    return _read(path, "no tensor's name begins so")[1]


def load_generator(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The averaged generator of a snapshot (fp32, eval mode, on the CPU) and the snapshot's metadata."""
    tensors, metadata = _read(path, "G_ema.")
    state = {name.removeprefix("G_ema."): tensor for name, tensor in tensors.items()}
    try:
        generator = fitting_network(named(gan_named(metadata["gan"]).load_generator), metadata, state)
    except Misfit as error:
        raise _damaged(path, str(error)) from error
    except (KeyError, AttributeError) as error:
        raise _damaged(path, f"it does not say what its networks are: {error}") from error
    return generator.eval().requires_grad_(False), metadata


def _read(path: Path, prefix: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors whose names begin with the prefix, and the metadata."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("ersatz", "{}"))
            if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
                raise ErsatzError(
                    f"{path} is a safetensors file, but not a snapshot of this program's training; "
                    "expected a network-*.safetensors from the snapshots folder of a training run. Choose another."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
        if wrong := differing(metadata, tensors):
            raise _damaged(path, f"the checksum of {wrong} is another")
        return tensors, metadata
    except FileNotFoundError as error:
        raise ErsatzError(f"{path} is missing; expected a snapshot of a training run. Choose another one.") from error
    except (SafetensorError, OSError, ValueError, RecursionError, AttributeError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, reason: str) -> ErsatzError:
    return ErsatzError(
        f"{path} cannot be read as a snapshot ({reason}); a whole safetensors file was expected. "
        "Delete it and resume the run, which then goes on from the snapshot before."
    )


def describe_snapshot(
    config: TrainConfig, networks: dict[str, Any], digest: str, spec: ImageSpec, classes: list[str]
) -> dict[str, Any]:
    """The part of the metadata that stays the same throughout a run; `classes` are those the generator can make.

    `networks` is what the trainer says of them: `architecture`, `z_dim` and what only this GAN has.
    """
    return {
        "gan": config.gan,
        **networks,
        "config": config.plain(),
        "config_sha256": digest,
        "size": spec.size,
        "channels": spec.channels,
        "classes": classes,
        "conditional": config.conditional,
        "class_name": config.class_name,
        "dataset": config.dataset,
        "dataset_fingerprint": config.dataset_fingerprint,
        "torch": torch.__version__,
    }
