"""The 3x3 convolutions of StyleGAN2 in fp32 on a CPU against torch's own: forward, backward to images and to weights.

Ours are those that `operations/convolutions.py` chooses: large images tile by tile (Winograd), the gradients of
strided weights from patches. The two take turns, so that whatever else the machine does meets both; medians are
compared. Told are the relative errors of both too, against float64. Shapes are those of 64 px, channel_base 16384.

ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 measure as without AVX-512.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.machine import describe_cpu
from benchmarks.stylegan2 import taking_turns
from engine.gans.stylegan2.operations.convolutions import convolved

BATCH = 8
LAYERS = [
    (256, 256, 64, 1),
    (512, 512, 32, 1),
    (512, 512, 16, 1),
    (512, 512, 8, 1),
    (256, 512, 65, 2),
    (512, 512, 33, 2),
]
"""Channels in and out, pixels of the input's side, stride."""
TURNS = 7
Passes = dict[str, Callable[[], Tensor]]


def ours(x: Tensor, weight: Tensor, stride: int) -> Passes:
    padding = 1 if stride == 1 else 0
    return {
        name: _pass(lambda x, w: convolved(x, w, stride=stride, padding=padding), x, weight, name)
        for name in ("forward", "to images", "to weights")
    }


def torchs(x: Tensor, weight: Tensor, stride: int) -> Passes:
    padding = 1 if stride == 1 else 0
    return {
        name: _pass(lambda x, w: F.conv2d(x, w, stride=stride, padding=padding), x, weight, name)
        for name in ("forward", "to images", "to weights")
    }


def _pass(convolve: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor, name: str) -> Callable[[], Tensor]:
    """The forward pass, or the backward pass alone to one of both."""
    leaves = [tensor.detach().requires_grad_(wanted) for tensor, wanted in _wanted(x, weight, name)]
    if name == "forward":

        def forward() -> Tensor:
            with torch.no_grad():
                return convolve(*leaves)

        return forward
    y = convolve(*leaves)
    upstream = torch.ones_like(y) + 0.1 * y.detach()
    leaf = leaves[0] if name == "to images" else leaves[1]
    return lambda: torch.autograd.grad(y, leaf, upstream, retain_graph=True)[0]


def _wanted(x: Tensor, weight: Tensor, name: str) -> list[tuple[Tensor, bool]]:
    return [(x, name == "to images"), (weight, name == "to weights")]


def compare(inputs: int, outputs: int, side: int, stride: int, turns: int) -> list[dict[str, object]]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, inputs, side, side).to(memory_format=torch.channels_last)
    weight = torch.randn(outputs, inputs, 3, 3).to(memory_format=torch.channels_last)
    mine, theirs, exact = (
        ours(x, weight, stride),
        torchs(x, weight, stride),
        torchs(x.double(), weight.double(), stride),
    )
    rows = []
    for name in mine:
        reference = exact[name]()
        errors = [float((p[name]().double() - reference).norm() / reference.norm()) for p in (mine, theirs)]
        seconds = taking_turns({"ours": mine[name], "torch": theirs[name]}, turns)
        row = {
            "layer": f"{inputs} to {outputs}, {side} px, stride {stride}",
            "pass": name,
            "torch_ms": seconds["torch"] * 1e3,
            "ours_ms": seconds["ours"] * 1e3,
            "ratio": seconds["torch"] / seconds["ours"],
            "error_ours": errors[0],
            "error_torch": errors[1],
        }
        rows.append(row)
        print(
            f"{row['layer']:<30} {name:<11} torch {row['torch_ms']:7.1f} ms  ours {row['ours_ms']:7.1f} ms  "
            f"{row['ratio']:5.2f} times as fast  errors {errors[1]:.1e} {errors[0]:.1e}",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(describe_cpu(), f"{arguments.threads} threads")
    rows = [row for layer in LAYERS for row in compare(*layer, arguments.turns)]
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        about = {"benchmark": "convolutions", "cpu": describe_cpu(), "torch": torch.__version__}
        arguments.out.write_text(json.dumps({**about, "threads": arguments.threads, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
