"""Where a verdict comes from: every artefact by name, hash, seed, device and time, and the program's own versions."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from engine.quality.quality_scores import SCORES_FILE
from engine.report.sources import Sources
from engine.store.hashing import sha256_file
from engine.store.runs import Status
from engine.sweep.splits import named_splits

PACKAGES = ("torch", "torchvision", "onnxruntime-gpu", "onnxruntime", "numpy", "scipy", "scikit-learn", "plotly")


@dataclass(frozen=True)
class Parent:
    """One artefact behind the verdict."""

    what: str
    name: str
    sha256: str
    seed: str
    device: str
    minutes: str


def parents(sources: Sources) -> list[Parent]:
    """The chain sweep -> quality -> pool -> generators -> data set; of a cross-validation those of every fold."""
    config = sources.config
    seeds = f"{config.first_seed} to {config.first_seed + config.seeds - 1}"
    chain = [_parent("Sweep", sources.run.id, sha256_file(sources.run.path / "trials.parquet"), seeds, sources.status)]
    classifier = sources.summary.classifier
    chain += _weights("Classifier", classifier.name, classifier.weights, classifier.weights_sha256)
    for named, source in zip(named_splits(config), sources.pools, strict=True):
        if source.quality is not None:
            quality, scores = source.quality, sha256_file(source.quality.run.path / SCORES_FILE)
            chain.append(_parent("Quality", quality.run.id, scores, str(quality.config["seed"]), quality.status))
            extractor = quality.found.extractor
            chain += _weights("Extractor", extractor.name, extractor.weights, extractor.weights_sha256)
        chain.append(_parent("Pool", named.pool, named.pool_sha256, "one per image", source.status))
    for generator in sources.generators:
        seed = str(generator.config.get("seed", ""))
        chain.append(_parent("Generator", generator.run.id, generator.info.sha256, seed, generator.status))
    datasets = [(source.name, source.dataset) for source in sources.pools if config.folds]
    for name, dataset in [(config.dataset, sources.dataset), *datasets]:
        digest = config.dataset_fingerprint if name == config.dataset else dataset.fingerprint if dataset else ""
        seed = str(dataset.info.config.get("seed", "")) if dataset else ""
        chain.append(_parent("Data set", name, digest, seed, None))
    return chain


def _weights(what: str, name: str, weights: str, sha256: str) -> list[Parent]:
    """The pretrained weights of a network, where it has any."""
    return [_parent(what, f"{name} ({weights})", sha256, "", None)] if sha256 else []


def machine() -> dict[str, str]:
    """The machine and the packages that wrote the report; torch is named without being loaded."""
    packages = []
    for name in PACKAGES:
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return {
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores",
        "Python": sys.version.split()[0],
        "Packages": ", ".join(packages),
        "Written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def _parent(what: str, name: str, sha256: str, seed: str, status: Status | None) -> Parent:
    minutes = ""
    if status is not None and status.started is not None:
        minutes = f"{((status.ended or time.time()) - status.started) / 60:.1f}"
    return Parent(what, name, sha256, seed, "" if status is None else status.device, minutes)
