"""Sections on speed: what the machine reaches, resamplings, whole iterations, where their time goes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.common import GPU, IDEAL_BYTES, Figures, milliseconds, relative, release, without_triton
from benchmarks.stylegan2 import CUDA_AIM, our_players, random_reals, time_on_cuda, training_config
from engine.gans.data import seed_draws
from engine.gans.stylegan2.operations import filters, kernels

CUDA_LIMIT = 178.0
"""Images a second at 256 px, batch 8, that the GPU's own speed allows by the count of bytes and multiplications."""


def machine(found: Figures, quick: bool) -> None:
    """What the machine is, and what it reaches at most."""
    x = torch.empty(2**30, dtype=torch.uint8, device=GPU)
    a = torch.randn(8192, 8192, device=GPU, dtype=torch.bfloat16)
    images = torch.randn(8, 128, 256, 256, device=GPU, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    weight = torch.randn(128, 128, 3, 3, device=GPU, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    turns = 1 if quick else 20
    found |= {
        "gpu": torch.cuda.get_device_name(),
        "capability": torch.cuda.get_device_capability(),
        "memory_gib": torch.cuda.mem_get_info()[1] / 2**30,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "triton_kernels": kernels.usable(GPU),
        "copy_tb_per_second": 2 * x.numel() / milliseconds(x.clone, turns) / 1e9,
        "matmul_tflops": 2 * 8192**3 / milliseconds(lambda: a @ a, turns) / 1e9,
        "convolution_tflops": 2
        * (8 * 256**2 * 128**2 * 9)
        / milliseconds(lambda: F.conv2d(images, weight, padding=1), turns)
        / 1e9,
    }
    began = time.perf_counter()
    for seed in range(1000):
        seed_draws(seed, GPU)
    direct = time.perf_counter()
    for seed in range(100):
        torch.manual_seed(seed)
    found["seeding_us"] = {
        "directly": (direct - began) * 1e3,
        "torch.manual_seed": (time.perf_counter() - direct) * 1e4,
    }


def speed(found: Figures, quick: bool) -> None:
    """StyleGAN2 at 256 px, configuration stylegan2, batch 8: images a second, and what graphs and Triton add."""
    config = training_config("stylegan2", 256, 8)
    eager = type(config).build({**config.plain(), "cuda_graphs": False})
    ways = {"ours": config, "without graphs": eager, "without Triton": config}
    for name, own in ways.items():
        with without_triton() if name == "without Triton" else nullcontext():
            row = time_on_cuda(own, 256, 1 if quick else 5)
        found[name] = row | {"memory_gib": torch.cuda.max_memory_reserved() / 2**30}
        print(f"{name}: {row['images_per_second']:.1f} images/s, {found[name]['memory_gib']:.2f} GiB")
        release()
    found |= {"aim": CUDA_AIM, "limit": CUDA_LIMIT, "met": found["ours"]["images_per_second"] >= CUDA_AIM}
    print(f"aim {CUDA_AIM:.0f} ({'met' if found['met'] else 'not met'}), limit of an H200 {CUDA_LIMIT:.0f}")


def resampling(found: Figures, quick: bool) -> None:
    """What each resampling takes beside its ideal: torch's operators in two layouts, and the Triton kernel."""
    usable, turns = kernels.usable(GPU), 1 if quick else 20
    rows: list[Figures] = []
    half, single = torch.bfloat16, torch.float32
    uses: tuple[tuple[filters.Use, int], ...] = (("blur", 1), ("blur", 2), ("down", 1), ("up", 1))
    for size, channels, dtype in (
        *((256, 128, half), (128, 256, half), (64, 512, half), (32, 512, half)),
        *((16, 512, single), (8, 512, single), (256, 3, single), (64, 3, single)),
    ):
        for use, padding in uses:
            side = size + 1 if (use, padding) == ("blur", 1) else size // 2 if use == "up" else size
            x = torch.randn(8, channels, side, side, device=GPU, dtype=dtype).to(memory_format=torch.channels_last)
            row: Figures = {"use": use, "x": list(x.shape), "type": str(dtype)[6:]}
            with without_triton():
                y, flat = filters._apply(x, use, padding, 1.0), x.contiguous()
                row["ideal_ms"] = (x.numel() + y.numel()) * x.element_size() / IDEAL_BYTES * 1e3
                row["torch_ms"] = _resampling_ms(x, use, padding, turns)
                row["torch_nchw_ms"] = _resampling_ms(flat, use, padding, turns)
            if usable:
                row["triton_ms"] = _resampling_ms(x, use, padding, turns)
                row["triton_error"] = relative(filters._apply(x, use, padding, 1.0), y)
                assert row["triton_error"] < (0.02 if dtype == half else 1e-5), row
            rows.append(row)
            print({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
    found["rows"] = rows


def _resampling_ms(x: Tensor, use: filters.Use, padding: int, turns: int) -> float:
    return milliseconds(lambda: filters._apply(x, use, padding, 1.0), turns)


def profile(found: Figures, quick: bool) -> None:
    """Where an iteration of the `speed` section goes: kernels by time, over 16 replayed iterations."""
    config = training_config("stylegan2", 256, 8)
    trainer, reals = our_players(config, 256, GPU), random_reals(config, 256, GPU)
    labels = torch.zeros(8, dtype=torch.int64, device=GPU)
    warm_up = 4 if quick else 80
    for step in range(warm_up):
        trainer.train_step([(reals, labels)], step * 8)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiled:
        began = time.perf_counter()
        for step in range(warm_up, warm_up + 16):
            trainer.train_step([(reals, labels)], step * 8)
        torch.cuda.synchronize()
        wall = time.perf_counter() - began
    events = sorted(profiled.key_averages(), key=lambda event: -event.device_time_total)
    rows = [(e.key[:110], e.count / 16, e.device_time_total / 16e3) for e in events if e.device_time_total]
    found |= {
        "wall_ms_an_iteration": wall / 16 * 1e3,
        "kernel_ms_an_iteration": sum(row[2] for row in rows),
        "kernels_an_iteration": sum(row[1] for row in rows),
        "kernels": rows[:60],
    }
    print(
        f"{found['wall_ms_an_iteration']:.1f} ms an iteration, of which kernels {found['kernel_ms_an_iteration']:.1f}; "
        f"{found['kernels_an_iteration']:.0f} kernels"
    )
    for key, count, time_ms in rows[:40]:
        print(f"{time_ms:8.3f} ms {count:8.1f} x {key}")


def benchmarks(found: Figures, quick: bool) -> None:
    """The repository's other benchmarks on the GPU, each in a process of its own."""
    commands = {
        "dcgan": ["--quick"],
        "memorisation": ["--images", "20000", "--dims", "384", "--turns", "1"],
        "sweep": ["--published-arms", "--naive-steps", "6"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, more in commands.items():
            out = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--device", "cuda", *more, "--out", str(out)]
            subprocess.run(command, check=True, timeout=150)
            found[name] = json.loads(out.read_text())
