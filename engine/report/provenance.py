"""Where a verdict comes from: every artefact by name, hash, seed, device and time, and the program's own versions."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from engine.report.sources import Sources
from engine.store.hashing import sha256_file
from engine.store.runs import Status

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
    """The chain sweep -> pool -> generators -> data set."""
    config = sources.config
    seeds = f"{config.first_seed} to {config.first_seed + config.seeds - 1}"
    chain = [
        _parent("Sweep", sources.run.id, sha256_file(sources.run.path / "trials.parquet"), seeds, sources.status),
        _parent("Pool", config.pool, config.pool_sha256, "one per image", sources.pool_status),
    ]
    for generator in sources.generators:
        seed = str(generator.config["seed"])
        chain.append(_parent("Generator", generator.run.id, generator.info["sha256"], seed, generator.status))
    seed = str(sources.dataset.info["config"]["seed"]) if sources.dataset else ""
    chain.append(_parent("Data set", config.dataset, config.dataset_fingerprint, seed, None))
    return chain


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
