"""One pass over everything that needs a GPU: whether it is right there, and how fast.

    python -m benchmarks.gpu_check [SECTION ...] [--quick] [--out FILE]

Each section stands alone, says OK, SKIPPED with a reason or FAIL, and the next one follows whatever it says; figures
go to a JSON file, which is written anew after each section. Without sections all of them run, the most telling first:
by estimate 8 minutes on an H200. `docs/gpu.md` says what each proves and what was seen so far.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from pathlib import Path

import torch

from benchmarks.gpu import numerics, speed, trainings
from benchmarks.gpu.common import GPU, Figures, Section, Skipped, release
from engine.devices import set_arithmetic

SECTIONS: tuple[Section, ...] = (
    speed.machine,
    numerics.derivatives,
    numerics.triton,
    trainings.graphs,
    trainings.recordings,
    numerics.cpu_against_gpu,
    speed.speed,
    speed.resampling,
    trainings.training,
    speed.profile,
    numerics.sweeps,
    numerics.onnx,
    speed.benchmarks,
)
NAMES = [section.__name__ for section in SECTIONS]


def run_sections(wanted: list[str], quick: bool, out: Path | None) -> list[str]:
    """Run the sections by name, all if none is given; the names of those that failed."""
    everything: Figures = {"benchmark": "gpu_check", "sections": {}}
    failed = []
    for section in SECTIONS:
        name = section.__name__
        if wanted and name not in wanted:
            continue
        began = time.perf_counter()
        figures: Figures = {}
        everything[name] = figures
        set_arithmetic(GPU)
        try:
            section(figures, quick)
            verdict = "OK"
        except Skipped as reason:
            verdict = f"SKIPPED, because {reason}"
        except Exception:
            traceback.print_exc()
            verdict = "FAIL"
            failed.append(name)
        release()
        everything["sections"][name] = verdict
        print(f"=== {name} {verdict} ({time.perf_counter() - began:.0f} s)", flush=True)
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(everything, indent=2, default=str) + "\n")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="few turns, to see that it runs")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.sections if name not in NAMES]:
        raise SystemExit(f"There is no section {', '.join(unknown)}; expected some of {', '.join(NAMES)}.")
    if not torch.cuda.is_available():
        raise SystemExit(
            f"gpu_check needs a CUDA GPU, and torch {torch.__version__} finds none here; "
            "docs/gpu.md says how to run it on a machine that has one."
        )
    if failed := run_sections(arguments.sections, arguments.quick, arguments.out):
        raise SystemExit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
