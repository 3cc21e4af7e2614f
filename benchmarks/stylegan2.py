"""StyleGAN2-ADA against its plain form: each phase of training, and sampling from z to the image.

The plain form (`plain_stylegan2`) is our own slow form, written to be read: the ratio to it says what the shortcuts
gain, not how this program stands to others. It is fp32 and NCHW; its filters insert zeros, its Adam is not fused, and
every image is resampled by the augmentation. It trains with scaled activations and samples with weights of each
sample's own, as the published implementation does. Ours trains by the phases of `engine.gans.stylegan2.trainer` and
samples by ONNX Runtime.
The two take turns, so that whatever else the machine does meets both; medians are compared.

The reference implementation itself was timed once, elsewhere, on a CPU of 2 cores (fp32): those seconds are printed
beside ours with the rates of a plain matrix product and convolution here, which say what this machine's seconds are
worth. On a GPU ours alone is timed, in whole iterations, with a synchronisation at the end of a turn.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import plain_stylegan2 as plain
from benchmarks.machine import describe_cpu
from benchmarks.plain_stylegan2_training import PlainTraining
from engine.configs import StyleganConfig
from engine.devices import choose_precision, describe, set_arithmetic
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.networks import (
    Generator,
)
from engine.gans.stylegan2.trainer import StyleganTrainer, ema_decay, update_ema
from engine.sampling.graphs import Graph
from engine.sampling.latents import latents
from engine.sampling.stylegan2_onnx import mapping_graph, synthesis_graph

REFERENCE_SECONDS = {"g_main": 3.1, "g_reg": 2.7, "d_main": 2.5, "d_reg": 3.4}
"""The reference's phases at 64 px, batch 8, channel_base 16384."""
REFERENCE_SECONDS_PER_KIMG = 812.0
REFERENCE_IMAGES = {(64, 32768, 1): 9.5, (64, 32768, 8): 4.2, (64, 16384, 1): 15.1, (64, 16384, 8): 6.3}
"""The reference's images a second by size, channel_base and batch."""
TRAINING_AIM = 3.0
SAMPLING_AIMS = {1: 1.5, 8: 3.0}
CUDA_AIM = 133.0
"""Images a second at 256 px, batch 8, configuration stylegan2."""
TURNS, SAMPLING_TURNS, CUDA_TURNS = 5, 15, 5
Parts = dict[str, Callable[[], None]]


def training_config(cfg: str, size: int, batch: int, precision: str = "auto") -> StyleganConfig:
    """bgc with a fixed p of 1/2: half of the operations at work, as after some training with ADA."""
    values = {"dataset": "benchmark", "cfg": cfg, "batch": batch, "precision": precision, "aug": "fixed", "aug_p": 0.5}
    return StyleganConfig.build(values).completed(size)


def random_reals(config: StyleganConfig, size: int, device: torch.device) -> Tensor:
    """uint8 [N, size, size, 3], as the training set's images lie on the device."""
    generator = torch.Generator().manual_seed(0)
    shape = (config.batch, size, size, 3)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(device)


def our_players(config: StyleganConfig, size: int, device: torch.device) -> StyleganTrainer:
    labels = torch.zeros(100, dtype=torch.int64, device=device)
    return StyleganTrainer(config, ImageSpec(size, 3), labels, device, choose_precision(config.precision, device))


def our_parts(config: StyleganConfig, size: int) -> Parts:
    """Everything that an iteration does on the CPU, by name."""
    trainer = our_players(config, size, torch.device("cpu"))
    reals = random_reals(config, size, trainer.device).permute(0, 3, 1, 2) / 127.5 - 1
    labels = torch.zeros(len(reals), dtype=torch.int64)

    def run(index: int) -> None:
        phase = trainer.phases[index]
        trainer.zero_grad(phase)
        phase.add_gradients(reals, labels)
        trainer.all_reduce(phase)
        phase.step()

    def average() -> None:
        kept = ema_decay(config.batch, 0, config.ema_kimg, config.ema_ramp)
        update_ema(trainer.g_ema, trainer.g, kept)

    names = ("g_main", "g_reg", "d_main", "d_reg")
    return {name: lambda index=index: run(index) for index, name in enumerate(names)} | {"average": average}


def plain_parts(config: StyleganConfig, size: int) -> Parts:
    reals = random_reals(config, size, torch.device("cpu")).permute(0, 3, 1, 2) / 127.5 - 1
    return PlainTraining(config, ImageSpec(size, 3)).parts(reals)


def peak_memory(make: Callable[[StyleganConfig, int], Parts], config: StyleganConfig, size: int) -> float:
    """GiB of a process of its own that runs everything once (Linux)."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_resident_after, make, config, size).result()


def _resident_after(make: Callable[[StyleganConfig, int], Parts], config: StyleganConfig, size: int) -> float:
    for part in make(config, size).values():
        part()
    # Not getrusage, whose peak a new process inherits from the one that started it.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return int(peak[1]) / 2**20


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def taking_turns(contestants: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Median seconds of each, after a turn that warms up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns + 1):
        for name, work in contestants.items():
            seconds = seconds_of(work)
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def compare_training(config: StyleganConfig, size: int, turns: int) -> dict[str, object]:
    """Seconds of each phase and of an average iteration of both, and plain divided by ours."""
    makers = {"plain": plain_parts, "ours": our_parts}
    parts = {name: make(config, size) for name, make in makers.items()}
    times = {part: taking_turns({name: parts[name][part] for name in parts}, turns) for part in parts["ours"]}
    often = {"g_reg": config.g_reg_interval, "d_reg": config.d_reg_interval}
    iteration = {name: sum(times[part][name] / often.get(part, 1) for part in times) for name in parts}
    per_kimg = {name: seconds * 1000 / config.batch for name, seconds in iteration.items()}
    ratio = iteration["plain"] / iteration["ours"]
    return {
        "size": size,
        "batch": config.batch,
        "channel_base": config.channel_base,
        "augment_p": config.aug_p,
        "phases": {part: {**times[part], "reference": REFERENCE_SECONDS.get(part)} for part in times},
        "seconds_per_kimg": {**per_kimg, "reference": REFERENCE_SECONDS_PER_KIMG},
        "images_per_second": {name: config.batch / seconds for name, seconds in iteration.items()},
        "peak_memory_gib": {name: peak_memory(make, config, size) for name, make in makers.items()},
        "ratio_to_plain": ratio,
        "ratio_to_reference_unscaled": REFERENCE_SECONDS_PER_KIMG / per_kimg["ours"],
        "aim": TRAINING_AIM,
        "met": ratio >= TRAINING_AIM,
    }


def compare_sampling(size: int, channel_base: int, batch: int, turns: int) -> dict[str, object]:
    """Images a second from z on the host to images on the host, fp32, mapping of 8 layers, constant noise."""
    torch.manual_seed(0)
    generator = Generator(Architecture(size=size, channels=3, channel_base=channel_base)).eval()
    z = latents(range(batch), generator.architecture.z_dim)
    mapping, synthesis = (
        Graph(make(generator), Path(name), "cpu")
        for make, name in ((mapping_graph, "mapping.onnx"), (synthesis_graph, "synthesis.onnx"))
    )

    @torch.inference_mode()
    def by_plain(per_sample: bool) -> np.ndarray:
        w = plain.mapped(generator.mapping, torch.from_numpy(z))
        return plain.synthesised(generator, w, "const", per_sample).numpy()

    @torch.inference_mode()
    def by_torch() -> np.ndarray:
        return generator(torch.from_numpy(z)).numpy()

    def by_onnxruntime() -> np.ndarray:
        return synthesis.run({"w": mapping.run({"z": z}, "w")}).numpy()

    difference = float(np.abs(by_plain(True) - by_onnxruntime()).max())
    contestants = {
        "plain": lambda: by_plain(True),
        "plain_scaled": lambda: by_plain(False),
        "torch": by_torch,
        "onnxruntime": by_onnxruntime,
    }
    seconds = taking_turns(contestants, turns)
    return {
        "size": size,
        "channel_base": channel_base,
        "batch": batch,
        "images_per_second": {name: batch / value for name, value in seconds.items()},
        "reference_images_per_second": REFERENCE_IMAGES.get((size, channel_base, batch)),
        "ratio_to_plain": seconds["plain"] / seconds["onnxruntime"],
        "ratio_to_plain_scaled": seconds["plain_scaled"] / seconds["onnxruntime"],
        "aim": SAMPLING_AIMS[batch],
        "met": seconds["plain"] / seconds["onnxruntime"] >= SAMPLING_AIMS[batch],
        "max_difference": difference,
    }


def rates(device: torch.device) -> dict[str, float]:
    """Billions of multiplications with addition a second: a matrix product, and a convolution of 64 px images."""
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.randn(2048, 2048, device=device, dtype=dtype)
        x = torch.randn(8, 256, 64, 64, device=device, dtype=dtype)
        weight = torch.randn(256, 256, 3, 3, device=device, dtype=dtype)
        works = {"matmul": (a, a, 2048**3), "conv": (x, weight, 8 * 64**2 * 256**2 * 9)}
        for operator, (left, right, count) in works.items():

            def work(operator: str = operator, left: Tensor = left, right: Tensor = right) -> None:
                left @ right if operator == "matmul" else F.conv2d(left, right, padding=1)
                if device.type == "cuda":
                    torch.cuda.synchronize()

            found[f"{operator}_{name}"] = count / taking_turns({"": work}, 5)[""] / 1e9
    return found


def time_on_cuda(config: StyleganConfig, size: int, turns: int) -> dict[str, object]:
    """Images a second over turns of 16 whole iterations, which hold each phase in its proportion."""
    device = torch.device("cuda")
    set_arithmetic(device, config.precision)
    trainer = our_players(config, size, device)
    reals = random_reals(config, size, device)
    labels = torch.zeros(config.batch, dtype=torch.int64, device=device)
    microbatches = [
        (reals[i : i + trainer.microbatch_starts.step], labels[i : i + trainer.microbatch_starts.step])
        for i in trainer.microbatch_starts
    ]
    iterations = 0

    def turn() -> None:
        nonlocal iterations
        for _ in range(config.d_reg_interval):
            trainer.train_step(microbatches, iterations * config.batch)
            iterations += 1
        torch.cuda.synchronize()

    for _ in range(6):  # each phase some times, until its CUDA graph is recorded
        turn()
    torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(seconds_of(turn) for _ in range(turns)) / config.d_reg_interval
    rate = config.batch / seconds
    return {
        "size": size,
        "batch": config.batch,
        "cfg": config.cfg,
        "images_per_second": rate,
        "seconds_per_kimg": 1000 / rate,
        "peak_memory_gib": torch.cuda.max_memory_reserved() / 2**30,
        "aim": CUDA_AIM,
        "met": rate >= CUDA_AIM,
    }


def print_training(row: dict) -> None:
    print(f"training at {row['size']} px, batch {row['batch']}, channel_base {row['channel_base']}")
    print(f"{'phase':<10} {'plain s':>9} {'ours s':>9} {'ratio':>7} {'reference s':>12}")
    for part, times in row["phases"].items():
        reference = "" if times["reference"] is None else f"{times['reference']:.2f}"
        print(
            f"{part:<10} {times['plain']:>9.3f} {times['ours']:>9.3f} {times['plain'] / times['ours']:>7.2f} "
            f"{reference:>12}"
        )
    for key, unit in (("seconds_per_kimg", "s/kimg"), ("images_per_second", "img/s"), ("peak_memory_gib", "GiB peak")):
        print(f"{unit:<10} {row[key]['plain']:>9.2f} {row[key]['ours']:>9.2f}")
    print(
        f"ours is {row['ratio_to_plain']:.2f} times as fast as plain, our own slow form "
        f"(aim {row['aim']}, {'met' if row['met'] else 'not met'}), "
        f"and {row['ratio_to_reference_unscaled']:.2f} times as fast as the reference was elsewhere"
    )


def print_sampling(rows: list[dict]) -> None:
    print(
        f"{'px':>4} {'base':>6} {'batch':>6} {'plain img/s':>12} {'torch':>8} {'ORT':>8} {'ratio':>6} {'aim':>5}  met"
    )
    for row in rows:
        rate, met = row["images_per_second"], "yes" if row["met"] else "no"
        print(
            f"{row['size']:>4} {row['channel_base']:>6} {row['batch']:>6} {rate['plain']:>12.2f} {rate['torch']:>8.2f} "
            f"{rate['onnxruntime']:>8.2f} {row['ratio_to_plain']:>6.2f} {row['aim']:>5}  {met}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--size", type=int, help="pixels (64; on a GPU 256)")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--cfg", help="configuration (auto; on a GPU stylegan2)")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--quick", action="store_true", help="one turn, to see that it runs")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    on_gpu = device.type == "cuda"
    size = arguments.size or (256 if on_gpu else 64)
    cfg = arguments.cfg or ("stylegan2" if on_gpu else "auto")
    config = training_config(cfg, size, arguments.batch, arguments.precision)

    content: dict[str, object] = {
        "benchmark": "stylegan2",
        "cpu": describe_cpu(),
        "threads": torch.get_num_threads(),
        "device": describe(device),
        "precision": str(choose_precision(config.precision, device)),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "gmac_per_second": rates(device),
    }
    print("GMAC/s here:", ", ".join(f"{name} {rate:.0f}" for name, rate in content["gmac_per_second"].items()))
    if on_gpu:
        row = time_on_cuda(config, size, 1 if arguments.quick else CUDA_TURNS)
        content["training"] = row
        print(", ".join(f"{name} {value}" for name, value in row.items()))
    else:
        content["training"] = compare_training(config, size, 1 if arguments.quick else TURNS)
        print_training(content["training"])
        content["sampling"] = [
            compare_sampling(64, base, batch, 2 if arguments.quick else SAMPLING_TURNS)
            for base in (16384, 32768)
            for batch in (1, 8)
        ]
        print_sampling(content["sampling"])
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
