"""Import a network file as a run of its own: its networks in a snapshot of this program's form."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from engine.configs import NetworkConfig
from engine.gans.checkpoints import save_snapshot
from engine.gans.nvidia_pkl.contents import class_names
from engine.gans.nvidia_pkl.nvidia import Networks, read_networks
from engine.gans.nvidia_pkl.refusal import shown
from engine.gans.results import NetworkResult
from engine.gans.stylegan2.architecture import describe_networks
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file, sha256_value
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run

logger = logging.getLogger(__name__)

SHOWN_PARTS = 8


def import_network(
    run: Run, config: NetworkConfig, report: Report = silent, should_stop: ShouldStop = never
) -> Outcome:
    """Write the file's networks as `snapshots/network-000000000.safetensors` of the run.

    There is no training_images.txt, because the images that they saw are not known: no pool for a sweep takes them.
    Raises `ErsatzError`, and writes nothing, when the file is refused, was changed or has other classes.
    """
    report(Progress("reading the file", 0, 2, "steps"))
    source = Path(config.source)
    if sha256_file(source) != config.source_sha256:
        raise ErsatzError(
            f"{source} was changed since its import was set up; the same file is expected. Import it again."
        )
    networks = read_networks(source)
    classes = class_names(source, networks.g_architecture.classes, config.class_names)
    if should_stop():
        return "stopped"
    report(Progress("writing the snapshot", 1, 2, "steps"))
    tensors = {f"{name}.{key}": value for name, state in networks.states().items() for key, value in state.items()}
    save_snapshot(run.path, tensors, _metadata(config, networks, classes))
    result = NetworkResult(sentence=describe(networks), **networks.facts)
    logger.info(result.sentence)
    run.update(result=result.plain())
    report(Progress("writing the snapshot", 2, 2, "steps"))
    return "finished"


def describe(networks: Networks) -> str:
    """What the file holds, in a sentence, and what of it was left out, in another."""
    a = networks.g_architecture
    classes = f" of {a.classes} classes" if a.classes else ""
    kind = "RGB" if a.channels == 3 else "grey"
    sentence = f"A StyleGAN2{classes} for {kind} images of {a.size} px; which images it was trained on is not known."
    return sentence + _left_out(networks)


def _left_out(networks: Networks) -> str:
    parts = [f"{shown(name)} ({value})" for name, value in networks.facts["left_out"].items()]
    if len(parts) > SHOWN_PARTS:
        parts = [*parts[:SHOWN_PARTS], f"{len(parts) - SHOWN_PARTS} more"]
    return f" Left out, because nothing here uses it: {', '.join(parts)}." if parts else ""


def _metadata(config: NetworkConfig, networks: Networks, classes: list[str]) -> dict[str, Any]:
    g, d = networks.g_architecture, networks.d_architecture
    return {
        "gan": "stylegan2-ada",
        "architecture": "imported",
        **describe_networks(g, d or g),
        "config": config.plain(),
        "config_sha256": sha256_value(config.plain()),
        "z_dim": g.z_dim,
        "size": g.size,
        "channels": g.channels,
        "classes": classes,
        "conditional": g.classes > 0,
        "class_name": "".join(classes) if not g.classes else "",
        "dataset": "",
        "dataset_fingerprint": "",
        "torch": torch.__version__,
        "start": {"start_from": config.source, "sha256": config.source_sha256, "unknown_images": True},
        "imported": networks.facts,
        "images_seen": 0,
        "seconds": 0.0,
    }
