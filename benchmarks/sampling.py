"""Sampling by ONNX Runtime against torch eager: the same generator, fp32, from z on the host to images on the host.

The generator is PyTorch's DCGAN recipe at 64 px RGB (random weights: speed does not depend on them). The two take
turns, so that whatever else the machine does meets both; medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks.machine import describe_cpu
from engine.configs import DcganConfig
from engine.gans.dcgan.networks import Generator
from engine.gans.image_spec import ImageSpec
from engine.sampling.graphs import Graph
from engine.sampling.latents import latents
from engine.sampling.one_graph import to_onnx

AIMS = {1: 1.8, 64: 1.0}
REPEATS = {1: 200, 64: 20}
WARM_UP = 3


def compare(batch: int, device: str, repeats: int) -> dict[str, object]:
    """Median seconds of both for one batch, and torch's divided by ONNX Runtime's."""
    config = DcganConfig(dataset="benchmark")
    torch.manual_seed(0)
    generator = Generator(config, ImageSpec(64, 3)).eval()
    z = latents(range(batch), config.z_dim)
    graph = Graph(to_onnx(generator, {"z": torch.zeros(2, config.z_dim)}, "images"), Path("generator.onnx"), device)
    generator.to(device)

    def by_torch() -> np.ndarray:
        with torch.inference_mode():
            return generator(torch.from_numpy(z).to(device)).cpu().numpy()

    def by_onnxruntime() -> np.ndarray:
        return graph.run({"z": z}).numpy()

    difference = float(np.abs(by_torch() - by_onnxruntime()).max())
    seconds = interleaved([by_torch, by_onnxruntime], repeats)
    return {
        "batch": batch,
        "torch_ms": seconds[0] * 1e3,
        "onnxruntime_ms": seconds[1] * 1e3,
        "ratio": seconds[0] / seconds[1],
        "aim": AIMS[batch],
        "met": seconds[0] / seconds[1] >= AIMS[batch],
        "repeats": repeats,
        "max_difference": difference,
        "provider": graph.provider,
    }


def interleaved(contestants: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each, measured in turns."""
    seconds: list[list[float]] = [[] for _ in contestants]
    for repeat in range(WARM_UP + repeats):
        for contestant, times in zip(contestants, seconds, strict=True):
            start = time.perf_counter()
            contestant()
            if repeat >= WARM_UP:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats, to see that it runs")
    arguments = parser.parse_args()
    rows = [
        compare(batch, arguments.device, max(2, count // 10) if arguments.quick else count)
        for batch, count in REPEATS.items()
    ]
    print(f"{'batch':>6} {'torch ms':>10} {'ORT ms':>10} {'ratio':>7} {'aim':>5}  {'met':>3}")
    for row in rows:
        print(
            f"{row['batch']:>6} {row['torch_ms']:>10.2f} {row['onnxruntime_ms']:>10.2f} {row['ratio']:>7.2f} "
            f"{row['aim']:>5}  {'yes' if row['met'] else 'no'}"
        )
    if arguments.out:
        machine = {
            "cpu": describe_cpu(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu",
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
        }
        content = {"benchmark": "sampling", "generator": "DCGAN recipe, 64 px RGB, fp32", **machine, "rows": rows}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
