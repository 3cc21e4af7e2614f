"""Sample images from an exported generator. ONNX Runtime only: the web process samples without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.sampling.graphs import Graph
from engine.store.errors import ErsatzError
from engine.store.files import read_json

GENERATOR_FILE = "generator.onnx"
INFO_FILE = "generator.json"


class Sampler:
    """A generator of one training run, open for sampling; safe to share between threads."""

    def __init__(self, graph: Graph, info: dict[str, Any]):
        self.graph = graph
        self.info = info

    @staticmethod
    def open(run_path: Path, device: str = "auto") -> Sampler:
        """The exported generator below `run_path`.

        Raises `ErsatzError` when there is none, or when its files are damaged or do not belong together.
        """
        path = run_path / GENERATOR_FILE
        if not path.is_file() or not (run_path / INFO_FILE).is_file():
            raise ErsatzError(
                f"Run {run_path.name} has no exported generator; a finished training has one. "
                f"Wait until the training ends, or export it with `python -m engine export {run_path.name}`."
            )
        info = read_json(run_path / INFO_FILE)
        content = path.read_bytes()
        found, expected = hashlib.sha256(content).hexdigest(), info.get("sha256", "")
        if found != expected:
            raise ErsatzError(
                f"{path} was changed after its export (SHA-256 {found[:12]}..., {INFO_FILE} says {expected[:12]}...). "
                f"Export it again with `python -m engine export {run_path.name}`."
            )
        graph = Graph(content, path, device)
        _check(graph, info)
        return Sampler(graph, info)

    @property
    def classes(self) -> list[str]:
        """Names of the classes that it can make; empty for a generator trained on several classes without labels."""
        return self.info["classes"]

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what computes: CUDAExecutionProvider or CPUExecutionProvider."""
        return self.graph.provider

    def sample(self, seeds: Sequence[int], class_name: str | None = None) -> np.ndarray:
        """One image for each seed: uint8 `[N, H, W, C]`.

        A seed gives the same image whatever else is in the batch. `class_name` may be left out unless the generator
        is class-conditional.
        """
        if not len(seeds):
            return np.empty((0, self.info["size"], self.info["size"], self.info["channels"]), np.uint8)
        return self.draw(latents(seeds, self.info["z_dim"]), class_name)

    def draw(self, z: np.ndarray, class_name: str | None = None) -> np.ndarray:
        """One image for each latent vector of float32 `[N, z_dim]`: uint8 `[N, H, W, C]`."""
        inputs: dict[str, Any] = {"z": z}
        label = self._label(class_name)
        if self.info["conditional"]:
            inputs["label"] = np.full(len(z), label, np.int64)
        return to_pixels(self.graph.run(inputs).numpy())

    def _label(self, class_name: str | None) -> int:
        if class_name is None and not self.info["conditional"]:
            return 0
        if class_name not in self.classes:
            raise ErsatzError(
                f"The generator of run {self.info['run']} was asked for class {class_name!r}; "
                f"expected one of {', '.join(self.classes) or 'none (it was trained without classes)'}."
            )
        return self.classes.index(class_name)


def latents(seeds: Sequence[int], z_dim: int) -> np.ndarray:
    """Latent vectors z ~ N(0, 1), float32 `[N, z_dim]`, each drawn from its own seed (0 to 2**32 - 1)."""
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise ErsatzError(f"The seed is {seed}; expected a whole number from 0 to {2**32 - 1}.")
    return np.stack([np.random.RandomState(seed).randn(z_dim) for seed in seeds]).astype(np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """From latent `a` to `b` `[z_dim]` along the sphere, at each of `t` in 0..1: float32 `[N, z_dim]`.

    A straight line would pass through short vectors that the generator has never seen (White, arXiv 1609.04468).
    """
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if angle < 1e-6:
        return np.repeat(a[None], len(t), axis=0).astype(np.float32)
    weights = np.sin(np.stack([1 - t, t], axis=1) * angle) / np.sin(angle)
    return (weights @ np.stack([a, b])).astype(np.float32)


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Float `[N, C, H, W]` in [-1, 1] to uint8 `[N, H, W, C]`: the nearest of the 256 levels that training reads.

    The inverse of x = level / 127.5 - 1; what lies outside [-1, 1] is clipped.
    """
    levels = np.rint((images + 1) * 127.5)
    return np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def _check(graph: Graph, info: dict[str, Any]) -> None:
    """Raise `ErsatzError` unless the graph has the inputs and the output that generator.json promises."""
    size, channels = info["size"], info["channels"]
    inputs = {"z", "label"} if info["conditional"] else {"z"}
    found = graph.outputs.get("images", [])
    if set(graph.inputs) != inputs or graph.inputs["z"][1:] != [info["z_dim"]] or found[1:] != [channels, size, size]:
        raise ErsatzError(
            f"{graph.path} takes {graph.inputs} and gives {graph.outputs}; expected z of {info['z_dim']} numbers and "
            f"images of {channels} x {size} x {size}. Export the training run again."
        )
