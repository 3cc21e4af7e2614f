"""Sample images from an exported generator. ONNX Runtime only: the web process samples without torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.sampling.graphs import Graph, cuda_works
from engine.store.errors import ErsatzError
from engine.store.files import read_json, replacing

GENERATOR_FILE = "generator.onnx"
INFO_FILE = "generator.json"
KEYS = {"run", "sha256", "z_dim", "size", "channels", "mode", "classes", "conditional", "dataset_fingerprint"}
MOST_SEEDS = 1_000_000


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
        if missing := KEYS - set(info):
            raise ErsatzError(
                f"{run_path / INFO_FILE} lacks {', '.join(sorted(missing))}; it was changed by hand. "
                f"Export it again with `python -m engine export {run_path.name}`."
            )
        content = path.read_bytes()
        found, expected = hashlib.sha256(content).hexdigest(), info["sha256"]
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
        return self.draw(latents(seeds, self.info["z_dim"]), class_name)

    def draw(self, z: np.ndarray, class_name: str | None = None) -> np.ndarray:
        """One image for each latent vector of `z` `[N, z_dim]`: uint8 `[N, H, W, C]`; else like `sample`."""
        label = self._label(class_name)
        if not len(z):
            return np.empty((0, self.info["size"], self.info["size"], self.info["channels"]), np.uint8)
        inputs: dict[str, Any] = {"z": z.astype(np.float32)}
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


def available_provider() -> str:
    """ONNX Runtime's name of what would compute here: CUDAExecutionProvider or CPUExecutionProvider."""
    return "CUDAExecutionProvider" if cuda_works() else "CPUExecutionProvider"


def save_images(
    sampler: Sampler, seeds: Sequence[int], class_name: str | None, folder: Path, batch: int = 64
) -> list[Path]:
    """Write one PNG a seed into `folder`, named by run, class and seed; returns the paths."""
    name = class_name or "-".join(sampler.classes) or "all"
    paths = [folder / f"{sampler.info['run']}-{name}-{seed:06d}.png" for seed in seeds]
    for start in range(0, len(seeds), batch):
        images = sampler.sample(seeds[start : start + batch], class_name)
        for path, pixels in zip(paths[start : start + batch], images, strict=True):
            write_png(path, pixels)
    return paths


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 `[H, W, C]` losslessly, as 8-bit grey for one channel and RGB for three."""
    with replacing(path) as temporary:
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(temporary, "png")


def latents(seeds: Sequence[int], z_dim: int) -> np.ndarray:
    """Latent vectors z ~ N(0, 1), float32 `[N, z_dim]`, each drawn from its own seed (0 to 2**32 - 1)."""
    z = np.empty((len(seeds), z_dim), np.float32)
    for row, seed in zip(z, seeds, strict=True):
        if not 0 <= seed < 2**32:
            raise ErsatzError(f"The seed is {seed}; expected a whole number from 0 to {2**32 - 1}.")
        row[:] = np.random.RandomState(seed).randn(z_dim)
    return z


def slerp(a: np.ndarray, b: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Latents `[T, z_dim]` on the arc from `a` to `b` `[z_dim]` at the shares `stops` `[T]` (0 is a, 1 is b).

    Gaussian vectors lie near a sphere; a straight line between two would cut through its empty inside.
    """
    share = np.asarray(stops, np.float64)[:, None]
    angle = np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    if np.sin(angle) < 1e-6:  # the arc between (anti)parallel vectors is a line, or not defined
        return ((1 - share) * a + share * b).astype(np.float32)
    return ((np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)).astype(np.float32)


def parse_seeds(text: str) -> list[int]:
    """Seeds of a list with ranges, such as `0-15` or `1,5,7-9`, in the order given."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < 2**32 or len(seeds) + last - first >= MOST_SEEDS:
            raise ErsatzError(
                f"The seeds are {text!r}; expected whole numbers and growing ranges such as 0-15 or 1,5,7-9, "
                f"each from 0 to {2**32 - 1} and at most {MOST_SEEDS} in all."
            )
        seeds += range(first, last + 1)
    return seeds


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
