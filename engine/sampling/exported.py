"""The files of an export: the graphs, and generator.json, which describes and seals them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.hashing import sha256_value

GENERATOR_FILE, MAPPING_FILE, SYNTHESIS_FILE = "generator.onnx", "mapping.onnx", "synthesis.onnx"
INFO_FILE = "generator.json"
"""Written last: where it is, there is a generator."""
KEYS = {"gan", "run", "sha256", "z_dim", "size", "channels", "mode", "classes", "conditional", "dataset_fingerprint"}


def has_generator(run_path: Path) -> bool:
    """Whether the run of this folder has an exported generator."""
    return (run_path / INFO_FILE).is_file()


def read_generator(run_path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The content of generator.json, and of the graphs by their names.

    Raises `ErsatzError` when there is no generator, or when a file is missing or not the one that was exported.
    """
    again = f"Export it again with `python -m engine export {run_path.name}`."
    if not has_generator(run_path):
        raise ErsatzError(
            f"Run {run_path.name} has no exported generator; a finished training or an imported network has one. "
            f"Wait until it ends, or export its newest snapshot with `python -m engine export {run_path.name}`."
        )
    info = read_json(run_path / INFO_FILE)
    if missing := KEYS - set(info):
        raise ErsatzError(f"{run_path / INFO_FILE} lacks {', '.join(sorted(missing))}; it was changed by hand. {again}")
    expected = info.get("files", {GENERATOR_FILE: info["sha256"]})
    contents: dict[str, bytes] = {}
    for name in (MAPPING_FILE, SYNTHESIS_FILE) if len(expected) > 1 else (GENERATOR_FILE,):
        path = run_path / name
        if not path.is_file():
            raise ErsatzError(f"{path} is missing, and {INFO_FILE} names it as part of the generator. {again}")
        contents[name] = path.read_bytes()
    found = digests(contents)
    if found != expected or combined(found) != info["sha256"]:
        raise ErsatzError(
            f"{' or '.join(contents)} of run {run_path.name} was changed after its export (SHA-256 "
            f"{combined(found)[:12]}..., {INFO_FILE} says {info['sha256'][:12]}...). {again}"
        )
    return info, contents


def digests(contents: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of each graph: the entry `files` of generator.json."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def combined(files: dict[str, str]) -> str:
    """The generator's one hash: that of its only graph, or of all their hashes."""
    return next(iter(files.values())) if len(files) == 1 else sha256_value(files)
