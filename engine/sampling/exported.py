"""The files of an export: the graphs, and generator.json, which describes and seals them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from pydantic import Field

from engine.datasets.dataset import Dataset
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_bytes
from engine.store.hashing import sha256_value
from engine.store.versioned import Number, Versioned

GENERATOR_FILE, MAPPING_FILE, SYNTHESIS_FILE = "generator.onnx", "mapping.onnx", "synthesis.onnx"
INFO_FILE = "generator.json"
"""Written last: where it is, there is a generator."""
KEYS = {"gan", "run", "sha256", "z_dim", "size", "channels", "mode", "classes", "conditional", "dataset_fingerprint"}


class GeneratorInfo(Versioned):
    """The content of generator.json."""

    gan: str
    architecture: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each graph by its name."""
    stored: dict[str, str] = Field(default_factory=dict)
    """The file of each graph whose file has not its name: that of an export that replaced another."""
    sha256: str
    """The one hash of all graphs."""
    run: str
    snapshot: str = ""
    kimg: float = 0.0
    """Length of its training in thousands of real images shown; 0 for an imported network."""
    z_dim: int
    w_dim: int = 0
    num_ws: int = 0
    """Number of w that an image takes; 0 for a generator without an intermediate latent w."""
    noise: tuple[int, ...] = ()
    """Side of each noise plane."""
    size: int
    channels: int
    mode: str
    """L (grey) or RGB."""
    classes: tuple[str, ...]
    """In the order of the labels of a conditional generator; empty for one that was trained on several classes without
    labels, whose images are of no known class."""
    conditional: bool
    class_name: str = ""
    dataset: str = ""
    dataset_fingerprint: str
    start: dict[str, Any] | None = None
    """The networks that a transfer began with, as `engine.gans.init_source.Started.facts` has them."""
    agreement: Number = 0.0
    """Largest difference between torch and ONNX Runtime at the export."""

    def require_made_for(self, dataset: Dataset) -> None:
        """Raise `ErsatzError` unless the generator was trained on the split that the data set has now."""
        if self.dataset_fingerprint != dataset.fingerprint:
            raise ErsatzError(
                f"The generator of run {self.run} was trained on another split than {dataset.name} has now; the same "
                "is expected, or test images may leak into the pool. Train a generator on this split."
            )

    def require_sha256(self, sha256: str) -> None:
        """Raise `ErsatzError` unless the exported files have this hash; an empty one passes."""
        if sha256 not in ("", self.sha256):
            raise ErsatzError(
                f"The generator of run {self.run} was exported again since these settings were made (its hash is "
                f"{self.sha256[:12]}..., expected {sha256[:12]}...). Set it up anew."
            )


def has_generator(run_path: Path) -> bool:
    """Whether the run of this folder has an exported generator."""
    return (run_path / INFO_FILE).is_file()


def read_info(run_path: Path) -> GeneratorInfo:
    """The content of generator.json alone. Raises `ErsatzError` when it is missing or damaged."""
    path = run_path / INFO_FILE
    values = read_json(path)
    if missing := KEYS - set(values):
        raise ErsatzError(f"{path} lacks {', '.join(sorted(missing))}; it was changed by hand. {_again(run_path)}")
    info = GeneratorInfo.parse(values, str(path))
    return info if info.files else info.model_copy(update={"files": {GENERATOR_FILE: info.sha256}})


def read_generator(run_path: Path) -> tuple[GeneratorInfo, dict[str, bytes]]:
    """The content of generator.json, and of the graphs by their names, in the order in which they are computed.

    Raises `ErsatzError` when there is no generator, or when a file is missing or not the one that was exported.
    """
    if not has_generator(run_path):
        raise ErsatzError(
            f"Run {run_path.name} has no exported generator; a finished training or an imported network has one. "
            f"Wait until it ends, or export its newest snapshot with `python -m engine export {run_path.name}`."
        )
    try:
        return _read_graphs(run_path)
    except ErsatzError:
        return _read_graphs(run_path)  # it may have been exported anew between the reading of two of its files


def _read_graphs(run_path: Path) -> tuple[GeneratorInfo, dict[str, bytes]]:
    info = read_info(run_path)
    contents: dict[str, bytes] = {}
    for name in info.files:
        file = info.stored.get(name, name)
        path = run_path / file
        if not re.fullmatch(r"[a-z][a-z0-9_-]*\.onnx", file) or not path.is_file():
            raise ErsatzError(
                f"{path} is missing, and {INFO_FILE} names it as part of the generator. {_again(run_path)}"
            )
        contents[name] = path.read_bytes()
    found = digests(contents)
    if found != info.files or combined(found) != info.sha256:
        raise ErsatzError(
            f"{' or '.join(contents)} of run {run_path.name} was changed after its export (SHA-256 "
            f"{combined(found)[:12]}..., {INFO_FILE} says {info.sha256[:12]}...). {_again(run_path)}"
        )
    return info, contents


def replace_generator(run_path: Path, info: GeneratorInfo, contents: dict[str, bytes]) -> None:
    """Write the graphs and generator.json; one process at a time.

    A graph never takes the place of one that the generator.json of before names: that is whole until the new one has
    taken its place, in one step. Graphs that no generator.json names any more are removed then.
    """
    try:
        before = read_info(run_path)
        kept = {before.stored.get(name, name): digest for name, digest in before.files.items()}
    except ErsatzError:  # there is none, or a damaged one
        kept = {}
    stored = {}
    for name, content in contents.items():
        file, digest = name, info.files[name]
        if kept.get(file, digest) != digest:
            file = f"{Path(name).stem}-{digest[:8]}.onnx"
            stored[name] = file
        write_bytes(run_path / file, content)
    info.model_copy(update={"stored": stored}).write_to(run_path / INFO_FILE)
    for path in run_path.glob("*.onnx"):
        if path.name not in {stored.get(name, name) for name in contents}:
            disk.remove(path)


def _again(run_path: Path) -> str:
    return f"Export it again with `python -m engine export {run_path.name}`."


def digests(contents: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of each graph: the entry `files` of generator.json."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def combined(files: dict[str, str]) -> str:
    """The generator's one hash: that of its only graph, or of all their hashes."""
    return next(iter(files.values())) if len(files) == 1 else sha256_value(files)
