"""Sample images from an exported generator. ONNX Runtime only: the web process samples without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from PIL import Image

from engine.configs.gans import gan_named, gan_title, gans
from engine.sampling.exported import GENERATOR_FILE, MAPPING_FILE, SYNTHESIS_FILE, GeneratorInfo, read_generator
from engine.sampling.graphs import MAX_THREADS, Graph
from engine.sampling.latents import latents, load_w, noise_planes, save_w
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.plugins import named

Noise = Literal["const", "random", "none"]
PIXELS_AT_ONCE, PIXELS_IF_LIMITED = 2**21, 2**18
"""Bound the memory of synthesis: 32 images of 256 px at once, 2 of 1024 px; of a GPU of which little may be taken 4 and
one."""


class Sampler(ABC):
    """A generator of one run, open for sampling; safe to share between threads. Each form of generator has a class.

    A generator without an intermediate latent w refuses what needs one with a sentence.
    """

    has_w = False
    """Whether there is an intermediate latent w: truncation, style mixing, projection and files of w need it."""

    def __init__(self, graphs: dict[str, Graph], info: GeneratorInfo):
        self.graphs = graphs
        self.info = info

    @staticmethod
    def open(run_path: Path, device: str = "auto", gpu: int = 0, gpu_bytes: int = 0) -> Sampler:
        """The exported generator below `run_path`, of whichever GAN; where it computes, as `Graph` has it.

        Raises `ErsatzError` when there is none, or when its files are damaged or do not belong together.
        """
        info, contents = read_generator(run_path)
        if info.gan not in gans():
            raise ErsatzError(
                f"The generator of run {run_path.name} is a {info.gan!r}, which this version does not know; "
                f"expected one of {', '.join(gans())}. Use the version that made it."
            )
        graphs = {
            name: Graph(content, run_path / name, device, 1 if name == MAPPING_FILE else MAX_THREADS, gpu, gpu_bytes)
            for name, content in contents.items()
        }
        sampler: Sampler = named(gan_named(info.gan).open_sampler)(graphs, info)
        sampler.check()
        return sampler

    @property
    def classes(self) -> list[str]:
        """Names of the classes that it can make; empty for a generator trained on several classes without labels."""
        return list(self.info.classes)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what computes: CUDAExecutionProvider or CPUExecutionProvider."""
        return next(iter(self.graphs.values())).provider

    @property
    def where(self) -> str:
        """What computes, in words: the GPU's name, or the CPU with its threads."""
        return list(self.graphs.values())[-1].where

    @property
    def notice(self) -> str:
        """One sentence where a GPU is there and the CPU computes; else empty."""
        return next((graph.notice for graph in self.graphs.values() if graph.notice), "")

    def sample(
        self,
        seeds: Sequence[int],
        class_name: str | None = None,
        psi: float | Sequence[float] = 1.0,
        cutoff: int = 0,
        noise: Noise = "const",
    ) -> np.ndarray:
        """One image for each seed: uint8 `[N, H, W, C]`.

        A seed gives the same image whatever else is in the batch. `class_name` may be left out unless the generator
        is class-conditional. `psi` (one, or one an image) truncates the first `cutoff` layers, 0 for all; random
        noise is drawn from the image's seed.
        """
        return self.draw(latents(seeds, self.info.z_dim), class_name, psi, cutoff, noise, seeds)

    @abstractmethod
    def draw(
        self,
        z: np.ndarray,
        class_name: str | None = None,
        psi: float | Sequence[float] = 1.0,
        cutoff: int = 0,
        noise: Noise = "const",
        noise_seeds: Sequence[int] = (0,),
    ) -> np.ndarray:
        """One image for each latent vector of `z` `[N, z_dim]`: uint8 `[N, H, W, C]`; else like `sample`.

        Random noise is drawn from `noise_seeds`, one an image, or one for all.
        """

    def map(
        self,
        z: np.ndarray | Sequence[int],
        class_name: str | None = None,
        psi: float | Sequence[float] = 1.0,
        cutoff: int = 0,
    ) -> np.ndarray:
        """w, float32 `[N, num_ws, w_dim]`, of latent vectors `[N, z_dim]` or of seeds; `psi` and `cutoff` as above."""
        raise self._refusal("it has no intermediate latent w; choose a StyleGAN2 generator")

    def synthesize(self, w: np.ndarray, noise: Noise = "const", noise_seeds: Sequence[int] = (0,)) -> np.ndarray:
        """One image for each w `[N, num_ws, w_dim]`: uint8 `[N, H, W, C]`; noise as in `draw`."""
        raise self._refusal("it has no intermediate latent w; choose a StyleGAN2 generator")

    def load_w(self, source: Path | IO[bytes]) -> np.ndarray:
        """w `[1, num_ws, w_dim]` of an .npz file; an `ErsatzError` when it is no such file, or of another shape."""
        raise self._refusal("it has no intermediate latent w; choose a StyleGAN2 generator")

    @property
    def w_avg(self) -> np.ndarray:
        """The mean w, float32 `[w_dim]`, towards which psi truncates."""
        raise self._refusal("it has no intermediate latent w; choose a StyleGAN2 generator")

    @abstractmethod
    def check(self) -> None:
        """Raise `ErsatzError` unless the graphs have the inputs and outputs that generator.json promises."""

    def _drawn(self) -> dict[str, list[int]]:
        """Inputs of the first graph, and their shapes behind the batch."""
        return {"z": [self.info.z_dim], **({"label": []} if self.info.conditional else {})}

    def _made(self) -> dict[str, list[int]]:
        """The output of the last graph, and its shape behind the batch."""
        return {"images": [self.info.channels, self.info.size, self.info.size]}

    def _check(self, name: str, inputs: dict[str, list[int]], outputs: dict[str, list[int]]) -> None:
        graph = self.graphs[name]
        found = [{key: shape[1:] for key, shape in values.items()} for values in (graph.inputs, graph.outputs)]
        if found != [inputs, outputs]:
            raise ErsatzError(
                f"{graph.path} takes {graph.inputs} and gives {graph.outputs}; expected {inputs} and {outputs} behind "
                "the batch. Export the training run again."
            )

    def _label(self, class_name: str | None, batch: int) -> dict[str, np.ndarray]:
        """The input `label` `[batch]` of a conditional generator; none for others, of whose class it must be."""
        if class_name is None and not self.info.conditional:
            return {}
        if class_name not in self.classes:
            raise ErsatzError(
                f"The generator of run {self.info.run} was asked for class {class_name!r}; "
                f"expected one of {', '.join(self.classes) or 'none (it was trained without classes)'}."
            )
        return {"label": np.full(batch, self.classes.index(class_name), np.int64)} if self.info.conditional else {}

    @property
    def _at_once(self) -> int:
        """Images that are made together."""
        limited = any(graph.limited for graph in self.graphs.values())
        return max(1, (PIXELS_IF_LIMITED if limited else PIXELS_AT_ONCE) // self.info.size**2)

    def _no_images(self) -> np.ndarray:
        return np.empty((0, self.info.size, self.info.size, self.info.channels), np.uint8)

    def _refusal(self, reason: str) -> ErsatzError:
        return ErsatzError(f"The generator of run {self.info.run} is a {gan_title(self.info.gan)}: {reason}.")


class OneGraphSampler(Sampler):
    """A generator that is one graph from z to the image; truncation and noise are refused."""

    def draw(
        self,
        z: np.ndarray,
        class_name: str | None = None,
        psi: float | Sequence[float] = 1.0,
        cutoff: int = 0,
        noise: Noise = "const",
        noise_seeds: Sequence[int] = (0,),
    ) -> np.ndarray:
        if np.any(np.asarray(psi) != 1) or cutoff or noise != "const":
            raise self._refusal("truncation (psi) and noise can only be chosen for StyleGAN2; leave them out")
        inputs: dict[str, Any] = {"z": z.astype(np.float32), **self._label(class_name, len(z))}
        parts = [self._no_images()]
        for first in range(0, len(z), self._at_once):
            some = {name: values[first : first + self._at_once] for name, values in inputs.items()}
            parts.append(to_pixels(self.graphs[GENERATOR_FILE].run(some, "images").numpy()))
        return np.concatenate(parts)

    def check(self) -> None:
        self._check(GENERATOR_FILE, self._drawn(), self._made())


class StyleganSampler(Sampler):
    """A StyleGAN2 generator: a graph from z to w, and one from w to the image."""

    has_w = True

    def draw(
        self,
        z: np.ndarray,
        class_name: str | None = None,
        psi: float | Sequence[float] = 1.0,
        cutoff: int = 0,
        noise: Noise = "const",
        noise_seeds: Sequence[int] = (0,),
    ) -> np.ndarray:
        return self.synthesize(self.map(z, class_name, psi, cutoff), noise, noise_seeds)

    def map(
        self,
        z: np.ndarray | Sequence[int],
        class_name: str | None = None,
        psi: float | Sequence[float] = 1.0,
        cutoff: int = 0,
    ) -> np.ndarray:
        layers = self.info.num_ws
        if not 0 <= cutoff <= layers:
            raise ErsatzError(
                f"The truncation's cutoff is {cutoff}; the generator of run {self.info.run} has {layers} layers, "
                f"and a number from 0 (all of them) to {layers} is expected."
            )
        if np.ndim(z) == 1:
            z = latents(z, self.info.z_dim)  # type: ignore[arg-type]  # one axis: seeds
        z = np.asarray(z, np.float32)
        label = self._label(class_name, len(z))
        if not len(z):
            return np.empty((0, layers, self.info.w_dim), np.float32)
        psis = np.atleast_1d(np.asarray(psi, np.float32))
        inputs: dict[str, Any] = {"z": z, "psi": psis, "cutoff": np.array([cutoff or layers]), **label}
        return self.graphs[MAPPING_FILE].run(inputs, "w").numpy()

    def synthesize(self, w: np.ndarray, noise: Noise = "const", noise_seeds: Sequence[int] = (0,)) -> np.ndarray:
        parts = [self._no_images()]
        for first in range(0, len(w), self._at_once):
            end = first + self._at_once
            seeds = noise_seeds[first:end] if len(noise_seeds) > 1 else noise_seeds
            parts.append(to_pixels(self.images(w[first:end], self._noise(noise, seeds))))
        return np.concatenate(parts)

    def images(self, w: np.ndarray, noise: np.ndarray | None) -> np.ndarray:
        """The network's own output, float32 `[N, C, H, W]`; `noise` `[N or 1, total]`, None for the constant planes."""
        planes = {} if noise is None else {"noise": noise}
        return self.graphs[SYNTHESIS_FILE].run({"w": w.astype(np.float32), **planes}, "images").numpy()

    def load_w(self, source: Path | IO[bytes]) -> np.ndarray:
        return load_w(source, self.info.num_ws, self.info.w_dim)

    @cached_property
    def w_avg(self) -> np.ndarray:
        z = np.zeros((1, self.info.z_dim), np.float32)
        return self.map(z, self.classes[0] if self.info.conditional else None, psi=0)[0, 0]

    def check(self) -> None:
        w = {"w": [self.info.num_ws, self.info.w_dim]}
        self._check(MAPPING_FILE, self._drawn(), w)
        self._check(SYNTHESIS_FILE, w, self._made())

    def _noise(self, noise: Noise, seeds: Sequence[int]) -> np.ndarray | None:
        total = sum(resolution**2 for resolution in self.info.noise)
        match noise:
            case "const":
                return None
            case "none":
                return np.zeros((1, total), np.float32)
            case "random":
                return noise_planes(seeds, total)
        raise ErsatzError(f"The noise is {noise!r}; expected const, random or none.")


def save_images(
    sampler: Sampler,
    seeds: Sequence[int],
    class_name: str | None,
    folder: Path,
    batch: int = 64,
    *,
    psi: float = 1.0,
    cutoff: int = 0,
    noise: Noise = "const",
    with_w: bool = False,
) -> list[Path]:
    """Write one PNG a seed into `folder`, named by run, class and seed; returns the paths.

    `with_w` writes the w of each beside it, as .npz.
    """
    name = class_name or "-".join(sampler.classes) or "all"
    paths = [folder / f"{sampler.info.run}-{name}-{seed:06d}.png" for seed in seeds]
    for start in range(0, len(seeds), batch):
        some = seeds[start : start + batch]
        images = sampler.sample(some, class_name, psi, cutoff, noise)
        for path, pixels in zip(paths[start : start + batch], images, strict=True):
            write_png(path, pixels)
        if with_w:
            for path, w in zip(paths[start : start + batch], sampler.map(some, class_name, psi, cutoff), strict=True):
                save_w(path.with_suffix(".npz"), w[None])
    return paths


def write_png(path: Path, pixels: np.ndarray, flushed: bool = True) -> None:
    """Write uint8 `[H, W, C]` losslessly, as 8-bit grey for one channel and RGB for three; `flushed` as `replacing`."""
    with replacing(path, flushed) as temporary:
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(temporary, "png")


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Float `[N, C, H, W]` in [-1, 1] to uint8 `[N, H, W, C]`: the nearest of the 256 levels that training reads.

    The inverse of x = level / 127.5 - 1; what lies outside [-1, 1] is clipped.
    """
    levels = np.rint((images + 1) * 127.5)
    return np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
