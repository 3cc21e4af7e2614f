"""Begin a training with the networks of another: transfer, as published, but with every shape checked.

As in the published code, the tensors of G, D and G_ema are taken over by name, and neither optimisers nor counters,
augment p or mean path length are. Unlike there, nothing is broadcast, and a start that would keep the names but change
the meaning (another depth of the mapping, another form of the discriminator) is refused.

Another size is allowed, because the blocks of the sizes that both have are the same: those fit and are taken over,
and what is only in the new networks begins untrained (blocks above the start's size, the discriminator's fromrgb).
Without a discriminator in the file D begins untrained, and without G the averaged generator serves as G too.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.configs import StyleganConfig
from engine.gans.checkpoints import load_snapshot
from engine.gans.distributed import is_first
from engine.gans.init_source import TRAINING_FILE, Start, Started, resolve_start, seen_in_training
from engine.gans.nvidia_pkl.nvidia import read_networks
from engine.gans.stylegan2.architecture import Architecture
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json
from engine.store.repair import whole
from engine.store.runs import Run

logger = logging.getLogger(__name__)

START_FILE = "start.json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Networks to start from, and what their training saw."""

    networks: dict[str, dict[str, Tensor]]
    g_architecture: Architecture
    d_architecture: Architecture | None
    training_images: list[str]
    unknown_images: bool


def begin(run: Run, config: StyleganConfig, networks: Mapping[str, nn.Module], fresh: bool) -> Started | None:
    """The source of the run's networks, or None. A `fresh` run takes them over now; a resumed one has them already.

    `networks` are `G`, `D` and `G_ema`, changed in place. Raises `ErsatzError` when the start is gone, changed or
    does not fit. Every image in `training_images` was seen by the run's networks too and belongs into its own list.
    """
    if not config.start_from:
        return None
    if not fresh:
        if kept := whole(run, run.path / START_FILE, lambda path: Started(**read_json(path))):
            return kept
        networks = {name: copy.deepcopy(network) for name, network in networks.items()}  # these have trained since
    started = start_players(networks, resolve_start(run.home, config.start_from, config.start_sha256))
    if is_first():
        write_json(run.path / START_FILE, vars(started))
        logger.info(_sentence(started))
    return started


def start_players(networks: Mapping[str, nn.Module], start: Start) -> Started:
    """Take over the tensors of `start` into `G`, `D` and `G_ema`. Raises `ErsatzError`, and changes nothing then."""
    source = _read(start)
    copies: list[tuple[Tensor, Tensor]] = []
    untrained: list[str] = []
    for name, network in networks.items():
        found = source.networks.get(name)
        theirs = source.d_architecture if name == "D" else source.g_architecture
        if found is None or theirs is None:
            untrained += [f"{name}.{key}" for key in network.state_dict()]
            continue
        ours = network.architecture
        assert isinstance(ours, Architecture)
        _refuse_misfit(start, name, theirs, ours)
        for key, target in network.state_dict().items():
            if key in found:
                _refuse_shape(start, f"{name}.{key}", found[key], target)
                copies.append((target, found[key]))
            elif theirs.size != ours.size:
                untrained.append(f"{name}.{key}")
            else:
                raise ErsatzError(
                    f"{start.path} lacks the tensor {name}.{key} of a network of its own size; a whole network is "
                    "expected. Choose another."
                )
    with torch.no_grad():
        for target, values in copies:
            target.copy_(values)
    return Started(
        start_from=start.text,
        sha256=start.sha256,
        unknown_images=source.unknown_images,
        untrained=untrained,
        training_images=source.training_images,
    )


def _read(start: Start) -> Source:
    if start.kind == "pkl":
        file = read_networks(start.path)
        return Source(
            networks={"G": file.g_ema, **file.states()},
            g_architecture=file.g_architecture,
            d_architecture=file.d_architecture,
            training_images=[],
            unknown_images=True,
        )
    tensors, facts = load_snapshot(start.path)
    if facts.get("gan") != "stylegan2-ada":
        raise ErsatzError(
            f"{start.path} is a snapshot of a {facts.get('gan')} training; one of StyleGAN2-ADA is expected. Choose "
            "another start."
        )
    try:
        g_architecture, d_architecture = (Architecture(**facts[f"{name}_architecture"]) for name in ("g", "d"))
    except (KeyError, TypeError, ValueError) as error:
        raise ErsatzError(
            f"{start.path} does not say what its networks are ({error}); a snapshot as this program writes it is "
            "expected. Choose another start."
        ) from error
    networks: dict[str, dict[str, Tensor]] = {"G": {}, "D": {}, "G_ema": {}}
    for key, tensor in tensors.items():
        name, _, rest = key.partition(".")
        if name in networks and not rest.startswith("optimizer."):
            networks[name][rest] = tensor
    networks["G"] = networks["G"] or networks["G_ema"]
    seen = _seen_by_run_of(start.path)
    return Source(
        networks={name: state for name, state in networks.items() if state},
        g_architecture=g_architecture,
        d_architecture=d_architecture,
        training_images=seen or [],
        unknown_images=seen is None or facts.get("start", {}).get("unknown_images", False),
    )


def _seen_by_run_of(snapshot: Path) -> list[str] | None:
    """The images that the networks of a run's snapshot were trained on; None where there is no list of them."""
    folder = snapshot.parent.parent
    if snapshot.parent.name != "snapshots" or not (folder / TRAINING_FILE).is_file():
        return None
    return seen_in_training(folder)


def _refuse_misfit(start: Start, name: str, theirs: Architecture, ours: Architecture) -> None:
    """One sentence for the first difference that cannot be taken over."""
    colours = {1: "grey", 3: "RGB"}
    checks = [
        (
            "kind of image",
            colours[theirs.channels],
            colours[ours.channels],
            "Import the data set anew in the start's mode, or choose another start.",
        ),
        (
            "number of classes",
            theirs.classes,
            ours.classes,
            "Choose conditional, and a data set, so that the classes are as many (0: not conditional).",
        ),
        *[
            (
                f"width at {size} px",
                theirs.channels_at(size),
                ours.channels_at(size),
                f"Set channel_base to {theirs.channel_base} and channel_max to {theirs.channel_max}.",
            )
            for size in theirs.resolutions
            if size <= ours.size
        ],
    ]
    for field in _fields(name, theirs):
        value = getattr(theirs, field)
        checks.append((field, value, getattr(ours, field), f"Set {field} to {value}, or choose another start."))
    wrong: dict[str, str] = {}  # by advice, which is the same for every width: all is said at once
    for what, found, expected, advice in checks:
        if found != expected:
            wrong.setdefault(advice, f"its {what} is {found}, and {expected} is expected")
    if wrong:
        raise ErsatzError(f"{start.path} does not fit this training: {'; '.join(wrong.values())}. {' '.join(wrong)}")


def _fields(name: str, theirs: Architecture) -> list[str]:
    """What must be the same in the start's network and in the training's, beside what checks by itself.

    The rate of a mapping's layers is part of what they compute: weights made for another mean something else.
    """
    if name != "D":
        return [
            "z_dim",
            "w_dim",
            "mapping_layers",
            *(["mapping_lr"] if theirs.mapping_layers else []),
            "g_architecture",
        ]
    fields = ["d_architecture"]
    if theirs.classes:
        fields += ["d_mapping_layers", *(["d_mapping_lr"] if theirs.d_mapping_layers else [])]
    return fields


def _refuse_shape(start: Start, key: str, found: Tensor, expected: Tensor) -> None:
    if found.shape != expected.shape:
        raise ErsatzError(
            f"{start.path} does not fit this training: its tensor {key} has the shape {tuple(found.shape)}, and "
            f"{tuple(expected.shape)} is expected. Choose another start."
        )


def _sentence(started: Started) -> str:
    parts = [f"Started from {started.start_from} ({started.sha256[:12]}...)"]
    if started.untrained:
        shown = ", ".join(started.untrained[:3])
        parts.append(f"{len(started.untrained)} tensors it does not have begin untrained ({shown}...)")
    if started.unknown_images:
        parts.append(
            "which images it has seen is not known, so that no audit can tell whether test images are among them"
        )
    return "; ".join(parts) + "."
