"""Export of a run's averaged generator to ONNX, checked against torch before it is written.

Which graphs, its GAN says: most are one (`one_graph`), a StyleGAN2 is two (`stylegan2_onnx`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.configs import Config, ExportConfig, NetworkConfig, parse_training
from engine.configs.gans import gan_named
from engine.gans.checkpoints import load_generator
from engine.gans.snapshots import find_snapshot
from engine.sampling.exported import INFO_FILE, GeneratorInfo, combined, digests, read_info, replace_generator
from engine.sampling.graphs import Graph
from engine.sampling.one_graph import Pairs, example_inputs
from engine.sampling.results import ExportResult
from engine.sampling.sampler import Noise
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from engine.store.locks import FileLock
from engine.store.plugins import named
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run

TOLERANCE = 1e-4
"""Largest difference accepted between torch and ONNX Runtime, on the scale [-1, 1]: 1/78 of an 8-bit level.

Of a network whose numbers go beyond 1 (images of one hardly trained, or its w), it is a share of the largest.
"""
CHECKED_BATCHES: dict[int, Noise] = {1: "const", 2: "none", 7: "random"}
"""Each batch size with the kind of noise that is checked, where a generator has noise planes."""
LARGE = 256
"""Pixels of a side above which a batch of 7 would take gigabytes, and 3 must do."""


class GeneratorExport(Protocol):
    """How the generators of a GAN become ONNX graphs."""

    def graphs(self, generator: Any, metadata: dict[str, Any]) -> dict[str, bytes]:
        """The graphs by the names of their files, in the order in which they are computed."""
        ...

    def compare(self, generator: Any, inputs: dict[str, Tensor], noise: Noise, graphs: dict[str, Graph]) -> Pairs:
        """What the graphs and torch make of the same inputs, `z` and for a conditional generator `label`."""
        ...

    def facts(self, generator: Any) -> dict[str, Any]:
        """Fields of `GeneratorInfo` that only this GAN has."""
        ...


def export(run: Run, config: ExportConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Do an export that is a run of its own; returns how it ended.

    Raises `ErsatzError` as `export_generator` does, and when the snapshot is not the one that was meant. Of one that
    a training has thinned out meanwhile the averaged generator alone is left, in a file of its own.
    """
    report(Progress("exporting", 0, 1, "generators"))
    if should_stop():
        return "stopped"
    training = Run(run.home, config.run)
    snapshot = find_snapshot(training, config.snapshot)
    thinned = snapshot.parent == training.path / "generators"
    if not thinned and (found := sha256_file(snapshot)) != config.snapshot_sha256:
        raise ErsatzError(
            f"{snapshot} has changed since this export was set up (SHA-256 {found[:12]}..., expected "
            f"{config.snapshot_sha256[:12]}...); the same is expected. Start the export anew."
        )
    export_generator(training, snapshot)
    info = read_info(training.path)
    made = ExportResult(
        run=training.id, snapshot=info.snapshot, kimg=info.kimg, sha256=info.sha256, agreement=info.agreement
    )
    run.update(result=made.plain())
    report(Progress("exporting", 1, 1, "generators"))
    return "finished"


def export_generator(run: Run, snapshot: Path | None = None) -> Path:
    """Write the ONNX graphs and generator.json into the run folder; returns the path of the latter.

    `snapshot`: the run's newest, if left out. Raises `ErsatzError` when there is none, when the file is no snapshot
    of Ersatz, or when ONNX Runtime's images differ from torch's by more than `TOLERANCE`.
    """
    snapshot = find_snapshot(run, str(snapshot or ""))
    generator, metadata = load_generator(snapshot)
    if _made_by(metadata["config"]) != _made_by(run.config()):
        raise ErsatzError(
            f"{snapshot} is a snapshot of another training than run {run.id}; one of its own is expected, because the "
            "run's list of training images must fit. Export the run that the snapshot belongs to."
        )
    exporter: GeneratorExport = named(gan_named(metadata["gan"]).export)()
    contents = exporter.graphs(generator, metadata)
    graphs = {name: Graph(content, run.path / name, device="cpu") for name, content in contents.items()}
    agreement = _agreement(exporter, generator, metadata, graphs)
    if not agreement <= TOLERANCE:  # NaN must fail too
        raise ErsatzError(
            f"The ONNX export of {snapshot} differs from torch by {agreement:.2g} on the scale [-1, 1]; at most "
            f"{TOLERANCE:g} is expected. Nothing was exported; choose another snapshot, or other versions of torch and "
            "onnxruntime."
        )
    shape = exporter.facts(generator)
    info = _info(run, snapshot, shape, metadata, digests(contents), agreement)
    with FileLock(run.home.locks / f"export-{run.id}"):
        replace_generator(run.path, info, contents)
    return run.path / INFO_FILE


def _made_by(values: dict[str, Any]) -> Config:
    """The typed config of what makes snapshots: a training or the import of a network."""
    return NetworkConfig.build(values) if values["kind"] == "network" else parse_training(values)


@torch.inference_mode()
def _agreement(
    exporter: GeneratorExport, generator: nn.Module, metadata: dict[str, Any], graphs: dict[str, Graph]
) -> float:
    """Largest difference between torch and ONNX Runtime over several batch sizes, as `TOLERANCE` means it."""
    differences = []
    for batch, noise in CHECKED_BATCHES.items():
        inputs = example_inputs(metadata, batch if metadata["size"] <= LARGE else min(batch, 3))
        for found, expected in exporter.compare(generator, inputs, noise, graphs):
            differences.append(float((found - expected).abs().max() / expected.abs().max().clamp(min=1)))
    return float(np.max(differences))


def _info(
    run: Run, snapshot: Path, shape: dict[str, Any], metadata: dict[str, Any], files: dict[str, str], agreement: float
) -> GeneratorInfo:
    """What describes the export; a generator of several classes without labels makes images of no known class."""
    labelled = metadata["conditional"] or len(metadata["classes"]) == 1
    return GeneratorInfo(
        gan=metadata["gan"],
        architecture=metadata["architecture"],
        files=files,
        sha256=combined(files),
        run=run.id,
        snapshot=snapshot.name,
        kimg=metadata["images_seen"] / 1000,
        z_dim=metadata["z_dim"],
        **shape,
        size=metadata["size"],
        channels=metadata["channels"],
        mode="L" if metadata["channels"] == 1 else "RGB",
        classes=metadata["classes"] if labelled else (),
        conditional=metadata["conditional"],
        class_name=metadata["class_name"],
        dataset=metadata["dataset"],
        dataset_fingerprint=metadata["dataset_fingerprint"],
        start=metadata.get("start"),
        agreement=agreement,
    )
