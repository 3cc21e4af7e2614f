"""`explore grid | morph | truncation | mix | neighbours | walk | save-w | from-w`: a generator's latent space."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from engine.cli.output import Json, show
from engine.jobs.slots import borrowed_gpu, cuda_slots
from engine.sampling.exploring import (
    SamplingOptions,
    Space,
    Way,
    morph,
    neighbours,
    parse_layers,
    seed_grid,
    sheet,
    style_mixing,
    truncation_sweep,
)
from engine.sampling.latents import parse_seeds, save_w
from engine.sampling.sampler import Noise, Sampler, write_png
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run


@contextmanager
def opened(*runs: Run) -> Iterator[Iterator[Sampler]]:
    """The generators of the runs, one after the other, with the slot of their GPU until the end.

    Where runs have every GPU that is said on stderr, and the CPU does it.
    """
    with borrowed_gpu(runs[0].home) as gpu:
        if gpu is None and cuda_slots():
            print("Every GPU has a run, so the images are made on the CPU.", file=sys.stderr, flush=True)
        yield (Sampler.open(run.path, "cpu" if gpu is None else "auto", gpu or 0) for run in runs)


app = typer.Typer(no_args_is_help=True, help="Explore a generator: grids, morphs, style mixing, walks as videos, w.")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A finished training, or an imported network.")]
Out = Annotated[Path, typer.Option("--out", help="File to write.")]
Seeds = Annotated[str, typer.Option("--seeds", help="Seeds as 0-15 or 1,5,7-9.")]
ClassName = Annotated[str, typer.Option("--class-name", help="Class (conditional generators).")]
Psi = Annotated[float, typer.Option("--psi", help="Truncation (StyleGAN2): 1 as trained, 0 the mean image.")]
Cutoff = Annotated[int, typer.Option("--cutoff", "--psi-cutoff", help="Truncate only the first layers; 0: all.")]
NoiseMode = Annotated[Noise, typer.Option("--noise", help="Noise planes (StyleGAN2); random: drawn from the seed.")]
Latent = Annotated[Space, typer.Option("--space", help="Move in w (StyleGAN2) or in z (every generator).")]


@app.command()
def grid(
    run_id: RunId,
    out: Out,
    seeds: Seeds = "0-15",
    columns: Annotated[int, typer.Option(min=1, help="Images in a row.")] = 8,
    class_name: ClassName = "",
    psi: Psi = 1.0,
    cutoff: Cutoff = 0,
    noise: NoiseMode = "const",
    as_json: Json = False,
) -> None:
    """One picture of many seeds (PNG)."""
    look = SamplingOptions(class_name or None, psi, cutoff, noise)
    with _opened(run_id) as sampler:
        _write(out, seed_grid(sampler, parse_seeds(seeds), columns, look), as_json)


@app.command("morph")
def morph_(
    run_id: RunId,
    out: Out,
    seeds: Annotated[str, typer.Option(help="The two seeds, as 3,8.")] = "0,1",
    steps: Annotated[int, typer.Option(min=2, help="Images, the two seeds' own included.")] = 9,
    space: Latent = "w",
    class_name: ClassName = "",
    psi: Psi = 1.0,
    cutoff: Cutoff = 0,
    noise: NoiseMode = "const",
    as_json: Json = False,
) -> None:
    """The way from one seed to another as a row of images (PNG)."""
    look = SamplingOptions(class_name or None, psi, cutoff, noise)
    ends = parse_seeds(seeds)
    if len(ends) != 2:
        raise ErsatzError(f"The seeds are {seeds!r}; a morph goes between two. Give two, such as 3,8.")
    with _opened(run_id) as sampler:
        _write(out, morph(sampler, ends[0], ends[1], np.linspace(0, 1, steps), space, look)[None], as_json)


@app.command()
def truncation(
    run_id: RunId,
    out: Out,
    seeds: Seeds = "0-3",
    psis: Annotated[str, typer.Option(help="Values of psi, one a column.")] = "0,0.25,0.5,0.7,0.85,1",
    class_name: ClassName = "",
    cutoff: Cutoff = 0,
    noise: NoiseMode = "const",
    as_json: Json = False,
) -> None:
    """A row for each seed, a column for each psi (PNG; StyleGAN2)."""
    try:
        values = [float(value) for value in psis.split(",")]
    except ValueError as error:
        raise ErsatzError(
            f"The psis are {psis!r}; expected numbers with commas between them, such as 0,0.5,1."
        ) from error
    look = SamplingOptions(class_name or None, 1.0, cutoff, noise)
    with _opened(run_id) as sampler:
        _write(out, truncation_sweep(sampler, parse_seeds(seeds), values, look), as_json)


@app.command()
def mix(
    run_id: RunId,
    out: Out,
    rows: Annotated[str, typer.Option(help="Seeds of the rows.")] = "0-3",
    columns: Annotated[str, typer.Option("--cols", help="Seeds of the columns.")] = "4-7",
    styles: Annotated[str, typer.Option(help="Layers of w that each row takes from the columns.")] = "0-6",
    class_name: ClassName = "",
    psi: Psi = 1.0,
    cutoff: Cutoff = 0,
    noise: NoiseMode = "const",
    as_json: Json = False,
) -> None:
    """Style mixing: the rows' images with some layers of w from the columns' (PNG; StyleGAN2)."""
    look = SamplingOptions(class_name or None, psi, cutoff, noise)
    with _opened(run_id) as sampler:
        layers = parse_layers(styles, sampler.info.num_ws) if sampler.has_w else []
        _write(out, style_mixing(sampler, parse_seeds(rows), parse_seeds(columns), layers, look), as_json)


@app.command("neighbours")
def neighbours_(
    run_id: RunId,
    out: Out,
    seed: Annotated[int, typer.Option(help="Seed in the middle.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Images around it.")] = 8,
    distance: Annotated[float, typer.Option(min=0, help="0: the seed itself; 1: as far as any other image.")] = 0.25,
    space: Latent = "w",
    class_name: ClassName = "",
    psi: Psi = 1.0,
    cutoff: Cutoff = 0,
    noise: NoiseMode = "const",
    as_json: Json = False,
) -> None:
    """A seed's image, and images a little away from it (a row, PNG)."""
    look = SamplingOptions(class_name or None, psi, cutoff, noise)
    with _opened(run_id) as sampler:
        _write(out, neighbours(sampler, seed, count, distance, space, look)[None], as_json)


@app.command("walk")
def walk_(
    run_id: RunId,
    out: Annotated[Path, typer.Option("--out", help="Video to write: .mp4, .gif, or .png and .apng (animated).")],
    seeds: Seeds = "0-5",
    frames: Annotated[int, typer.Option(min=1, help="Frames from each seed to the next.")] = 120,
    fps: Annotated[int, typer.Option(min=1, max=240, help="Frames a second.")] = 60,
    way: Annotated[Way, typer.Option(help="cubic: a curve through w (StyleGAN2); slerp: arcs in z.")] = "cubic",
    loop: Annotated[bool, typer.Option(help="Return to the first seed.")] = True,
    class_name: ClassName = "",
    psi: Psi = 1.0,
    cutoff: Cutoff = 0,
    noise: NoiseMode = "const",
    as_json: Json = False,
) -> None:
    """A walk through the images of seeds as a video."""
    from engine.sampling.video import require_suffix, write_video
    from engine.sampling.walks import walk

    require_suffix(out)
    look = SamplingOptions(class_name or None, psi, cutoff, noise)
    with _opened(run_id) as sampler:
        count = write_video(out, walk(sampler, parse_seeds(seeds), frames, way, loop, look), fps)
    show({"path": str(out), "frames": count}, as_json, f"{out}: {count} frames, {count / fps:.1f} s.")


@app.command("save-w")
def save_w_(
    run_id: RunId,
    out: Annotated[Path, typer.Option("--out", help="File to write (.npz).")],
    seed: Annotated[int, typer.Option(help="Seed whose w to save.")] = 0,
    class_name: ClassName = "",
    psi: Psi = 1.0,
    cutoff: Cutoff = 0,
    as_json: Json = False,
) -> None:
    """Save the w of a seed, as from-w and other StyleGAN2 programs read it (StyleGAN2)."""
    _require(out, ".npz")
    with _opened(run_id) as sampler:
        save_w(out, sampler.map([seed], class_name or None, psi, cutoff))
    show({"path": str(out)}, as_json, str(out))


@app.command("from-w")
def from_w(
    run_id: RunId,
    source: Annotated[Path, typer.Argument(metavar="W", help="A .npz of save-w, a projection or another program.")],
    out: Out,
    noise: NoiseMode = "const",
    seed: Annotated[int, typer.Option(help="Seed of random noise.")] = 0,
    as_json: Json = False,
) -> None:
    """The image of a saved w (PNG; StyleGAN2)."""
    with _opened(run_id) as sampler:
        _write(out, sampler.synthesize(sampler.load_w(source), noise, [seed])[None], as_json)


@contextmanager
def _opened(run_id: str) -> Iterator[Sampler]:
    home = Home.from_environment()
    if not home.run(run_id).is_dir():
        raise ErsatzError(f"There is no run {run_id} in {home.runs}; `python -m engine runs` lists those there are.")
    with opened(Run(home, run_id)) as samplers:
        yield next(samplers)


def _require(path: Path, suffix: str) -> None:
    if path.suffix.lower() != suffix:
        raise ErsatzError(f"{path} ends in {path.suffix or 'nothing'}; a name that ends in {suffix} is expected.")


def _write(path: Path, images: np.ndarray, as_json: bool) -> None:
    """Write a grid `[rows, columns, H, W, C]` as one PNG, and say so."""
    _require(path, ".png")
    write_png(path, sheet(images))
    rows, columns = images.shape[:2]
    value = {"path": str(path), "rows": rows, "columns": columns}
    show(value, as_json, f"{path}: {rows * columns} images in {rows} x {columns}.")
