"""DCGAN training against the plain loop of PyTorch's DCGAN recipe: the same networks, batch and size.

The plain loop is fp32 without autocast, with optim.Adam, real and fake batches in separate backward passes, and its
losses read after each iteration, as the recipe does; its real images lie ready on the device. Ours is the whole
iteration of `engine.gans.training`. The two take turns, so that whatever else the machine does meets both; medians
are compared. On a GPU a turn ends with a synchronisation.

The rows "side by side" are of the generators of two classes. The recipe trains one after the other, on all cores; ours
trains both at once, on half of the cores each, in processes of their own, as `train` and `demo` do.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.machine import describe_cpu
from engine.configs import DcganConfig
from engine.devices import choose_precision, set_arithmetic
from engine.gans.data import TrainingImages, rows_shown
from engine.gans.dcgan.losses import gradient_penalty
from engine.gans.dcgan.networks import Discriminator, Generator
from engine.gans.dcgan.trainer import DcganTrainer
from engine.gans.image_spec import ImageSpec

AIMS = {"cpu": 1.6, "cuda": 3.0}
TURNS = 15
SECONDS_A_TURN = 0.5


@dataclass(frozen=True)
class Setting:
    """One row of the table; only rows with an aim are claims."""

    name: str
    config: DcganConfig
    spec: ImageSpec
    claimed: bool = False


def settings(size: int, batches: list[int]) -> list[Setting]:
    claims = [
        Setting("recipe", DcganConfig(dataset="benchmark", batch=batch), ImageSpec(size, 3), claimed=True)
        for batch in batches
    ]
    demo = DcganConfig(dataset="benchmark", batch=16, g_channels=32, d_channels=32)
    da_dcgan = DcganConfig(
        dataset="benchmark",
        architecture="da-dcgan",
        batch=16,
        gradient_penalty=10.0,
        dropout=0.4,
        inverted_labels=True,
        soft_labels=0.1,
        flip_probability=0.05,
    )
    return [
        *claims,
        Setting("recipe, 32 wide", demo, ImageSpec(64, 1)),
        Setting("da-dcgan", da_dcgan, ImageSpec(32, 1)),
    ]


def plain_loop(setting: Setting, device: torch.device) -> Callable[[], None]:
    """The recipe's iteration; with a gradient penalty where the setting has one, in fp32 like the rest."""
    config = setting.config
    torch.manual_seed(0)
    g, d = (network(config, setting.spec).to(device) for network in (Generator, Discriminator))
    g_optimizer, d_optimizer = (torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (g, d))
    criterion = nn.BCELoss()
    size = setting.spec.size
    reals = torch.rand(config.batch, setting.spec.channels, size, size, device=device) * 2 - 1

    def iterate() -> None:
        d_optimizer.zero_grad()
        label = torch.full((config.batch,), 1.0, device=device)
        output = torch.sigmoid(d(reals))
        error_of_reals = criterion(output, label)
        error_of_reals.backward()
        d_of_reals = output.mean().item()
        fakes = g(torch.randn(config.batch, config.z_dim, device=device))
        label.fill_(0.0)
        output = torch.sigmoid(d(fakes.detach()))
        error_of_fakes = criterion(output, label)
        error_of_fakes.backward()
        d_of_fakes = output.mean().item()
        if config.gradient_penalty:
            (config.gradient_penalty * gradient_penalty(d, reals, fakes)).backward()
        d_optimizer.step()

        g_optimizer.zero_grad()
        label.fill_(1.0)
        output = torch.sigmoid(d(fakes))
        error_of_generator = criterion(output, label)
        error_of_generator.backward()
        history.append((error_of_generator.item(), (error_of_reals + error_of_fakes).item(), d_of_reals, d_of_fakes))
        g_optimizer.step()

    history: list[tuple[float, ...]] = []
    return iterate


def our_loop(setting: Setting, device: torch.device) -> Callable[[], None]:
    """One iteration of the training loop, batch and seed included."""
    config, spec = setting.config, setting.spec
    count = 512
    pixels = np.random.default_rng(0).integers(0, 256, (count, spec.size, spec.size, spec.channels))
    images = TrainingImages(pixels.astype(np.uint8), np.zeros(count), [], device)
    trainer = DcganTrainer(config, spec, torch.zeros(0, dtype=torch.int64), device, choose_precision("auto", device))
    rows = np.split(rows_shown(0, 0, 64 * config.batch, count), 64)
    iterations = 0
    microbatches = images.stream([])

    def iterate() -> None:
        nonlocal iterations, microbatches
        if iterations % len(rows) == 0:
            microbatches = images.stream(rows)
        trainer.train_step([next(microbatches)], iterations * config.batch)
        iterations += 1

    return iterate


def seconds_taken(iterate: Callable[[], None], iterations: int, device: torch.device) -> float:
    """Seconds an iteration, over a turn."""
    started = time.perf_counter()
    for _ in range(iterations):
        iterate()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / iterations


def prepare(name: str, device: torch.device) -> None:
    """Set torch's process-wide switches for the loop whose turn it is: fp32 is IEEE's in the recipe's."""
    torch.backends.cudnn.benchmark = False
    set_arithmetic(device, "auto" if name == "ours" else "fp32")


def compare(setting: Setting, device: torch.device, turns: int) -> dict[str, object]:
    """Images per second of both loops, and ours divided by the recipe's."""
    loops = {"recipe": plain_loop(setting, device), "ours": our_loop(setting, device)}
    lengths = {}
    for name, loop in loops.items():
        prepare(name, device)
        seconds_taken(loop, 6, device)  # warms up, and lets a CUDA graph be recorded
        lengths[name] = max(1, round(SECONDS_A_TURN / seconds_taken(loop, 2, device)))
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(turns):
        for name, loop in loops.items():
            prepare(name, device)
            times[name].append(seconds_taken(loop, lengths[name], device))
    return _row(setting.name, setting, device, turns, times, images=setting.config.batch)


def _row(
    name: str, setting: Setting, device: torch.device, turns: int, times: dict[str, list[float]], images: int
) -> dict[str, object]:
    """From the seconds of both loops for so many images."""
    recipe, ours = (statistics.median(times[loop]) for loop in ("recipe", "ours"))
    aim = AIMS[device.type] if setting.claimed else None
    return {
        "setting": name,
        "size": setting.spec.size,
        "channels": setting.spec.channels,
        "batch": setting.config.batch,
        "recipe_images_per_second": images / recipe,
        "our_images_per_second": images / ours,
        "ratio": recipe / ours,
        "aim": aim,
        "met": None if aim is None else recipe / ours >= aim,
        "turns": turns,
    }


def compare_side_by_side(setting: Setting, turns: int) -> dict[str, object]:
    """As `compare`, of the generators of two classes on a CPU."""
    device = torch.device("cpu")
    recipe = plain_loop(setting, device)
    prepare("recipe", device)
    seconds_taken(recipe, 6, device)
    length = max(1, round(SECONDS_A_TURN / seconds_taken(recipe, 2, device)))
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(2)]
    threads = max(1, torch.get_num_threads() // 2)
    workers = [context.Process(target=_side, args=(setting, threads, other)) for _, other in ends]
    times: dict[str, list[float]] = {"recipe": [], "ours": []}
    for worker in workers:
        worker.start()
    for own, _ in ends:
        own.recv()
    for _ in range(turns):
        times["recipe"].append(2 * seconds_taken(recipe, length, device))
        for own, _ in ends:
            own.send(length)
        times["ours"].append(max(own.recv() for own, _ in ends))
    for worker, (own, _) in zip(workers, ends, strict=True):
        own.send(0)
        worker.join()
    return _row(f"{setting.name}, side by side", setting, device, turns, times, images=2 * setting.config.batch)


def _side(setting: Setting, threads: int, other: Connection) -> None:
    """Train one of two generators, for as many iterations as the other end says; 0 is the end."""
    torch.set_num_threads(threads)
    device = torch.device("cpu")
    loop = our_loop(setting, device)
    prepare("ours", device)
    seconds_taken(loop, 6, device)
    other.send("ready")
    while length := other.recv():
        other.send(seconds_taken(loop, length, device))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--size", type=int, choices=[32, 64, 128], default=64, help="pixels of the rows with an aim")
    parser.add_argument("--batch", type=int, action="append", help="batch of the rows with an aim (128 and 16)")
    parser.add_argument("--quick", action="store_true", help="two turns, to see that it runs")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)

    print(
        f"{'setting':<30} {'px':>4} {'batch':>6} {'recipe img/s':>13} {'ours img/s':>11} {'ratio':>6} {'aim':>5}  met"
    )
    rows = []
    turns = 2 if arguments.quick else TURNS
    every = settings(arguments.size, arguments.batch or [128, 16])
    cases: list[Callable[[], dict[str, object]]] = [partial(compare, setting, device, turns) for setting in every]
    if device.type == "cpu" and torch.get_num_threads() > 1:
        cases += [partial(compare_side_by_side, setting, turns) for setting in every]
    for case in cases:
        row = case()
        rows.append(row)
        verdict = {None: ("", ""), True: (row["aim"], "yes"), False: (row["aim"], "no")}[row["met"]]
        print(
            f"{row['setting']:<30} {row['size']:>4} {row['batch']:>6} {row['recipe_images_per_second']:>13.1f} "
            f"{row['our_images_per_second']:>11.1f} {row['ratio']:>6.2f} {verdict[0]:>5}  {verdict[1]}",
            flush=True,
        )
    if arguments.out:
        machine = {
            "cpu": describe_cpu(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
            "precision": str(choose_precision("auto", device)),
            "torch": torch.__version__,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"benchmark": "dcgan", **machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
