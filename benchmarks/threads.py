"""How many threads a training on a CPU should have beside other programs, and how they should wait for each other.

A training's threads meet after every operator, some thousand times a second. While a neighbour holds one of the cores,
all of them wait for the one that it displaced: spinning, as is OpenMP's habit, or asleep (OMP_WAIT_POLICY=passive).
Here the same training runs alone, beside one and two processes that compute without a pause, and beside a browser that
animates: with one thread less than there are cores, with all, and with all and passive. Told are its images a second,
and beside each neighbour the ratio to one thread less. `engine.jobs.cores` chooses by these figures.

Without Chromium the browser's rows are left out. Ratios of one run are comparable; the figures of two machines are not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.machine import describe_cpu
from benchmarks.stylegan2 import random_reals, training_config
from engine.configs import DcganConfig
from engine.devices import PRECISIONS, choose_precision
from engine.gans.dcgan.trainer import DcganTrainer
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.trainer import StyleganTrainer

SECONDS = 6.0
TURNS = 3
COMPUTE = {"process": 1, "2 processes": 2}
COMPUTING = "while True:\n    sum(i * i for i in range(10000))"
ANIMATION = """<!doctype html><canvas id=c width=1200 height=800></canvas><script>
const c = document.getElementById("c").getContext("2d");
function draw(t) {
  for (let i = 0; i < 4000; i++) {
    c.fillStyle = `hsl(${(t / 10 + i) % 360} 80% 50%)`;
    c.fillRect((i * 7 + t / 5) % 1200, (i * 13 + t / 7) % 800, 9, 9);
  }
  requestAnimationFrame(draw);
}
requestAnimationFrame(draw);
</script>"""


def train(gan: str, precision: str, seconds: float) -> float:
    """Images a second of a training at 64 px, over so many seconds of whole iterations."""
    cpu = torch.device("cpu")
    dtype = PRECISIONS[precision]
    if gan == "dcgan":
        config = DcganConfig(dataset="benchmark", batch=16, g_channels=32, d_channels=32)
        trainer: DcganTrainer | StyleganTrainer = DcganTrainer(
            config, ImageSpec(64, 1), torch.zeros(0, dtype=torch.int64), cpu, dtype
        )
        reals = torch.randint(0, 256, (16, 64, 64, 1), dtype=torch.uint8)
    else:
        stylegan = training_config("auto", 64, 8)
        trainer = StyleganTrainer(stylegan, ImageSpec(64, 3), torch.zeros(100, dtype=torch.int64), cpu, dtype)
        reals = random_reals(stylegan, 64, cpu)
    labels = torch.zeros(len(reals), dtype=torch.int64)
    for warm_up in range(2):
        trainer.train_step([(reals, labels)], warm_up * len(reals))
    iterations, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        trainer.train_step([(reals, labels)], (2 + iterations) * len(reals))
        iterations += 1
    return iterations * len(reals) / (time.perf_counter() - started)


@contextmanager
def neighbour(name: str) -> Iterator[None]:
    """Somebody else's programs, for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        commands = [[sys.executable, "-c", COMPUTING]] * COMPUTE.get(name, 0)
        if name == "browser":
            page = Path(folder) / "page.html"
            page.write_text(ANIMATION)
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
            commands = [[chromium() or "chromium", *options, "--remote-debugging-port=0", page.as_uri()]]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes = [subprocess.Popen(command, **quiet, start_new_session=True) for command in commands]
        time.sleep(2 if processes else 0)
        try:
            yield
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


def measured(gan: str, precision: str, threads: int, policy: str, seconds: float) -> float:
    """Images a second in a process of its own, which alone can choose how OpenMP waits."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": policy}
    command = [sys.executable, "-m", "benchmarks.threads", "--train", gan, precision, str(seconds)]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def compare(gan: str, precision: str, seconds: float, turns: int) -> list[dict[str, object]]:
    """Medians of the settings beside each neighbour, which take turns."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = {
        "one core spared": (max(1, cores - 1), "active"),
        "all cores": (cores, "active"),
        "all cores, passive": (cores, "passive"),
    }
    rows: list[dict[str, object]] = []
    for beside in ("nobody", *COMPUTE, *(["browser"] if chromium() else [])):
        rates: dict[str, list[float]] = {name: [] for name in settings}
        with neighbour(beside):
            for _ in range(turns):
                for name, (threads, policy) in settings.items():
                    rates[name].append(measured(gan, precision, threads, policy, seconds))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        spared = medians["one core spared"]
        for name, rate in medians.items():
            rows.append({"beside": beside, "setting": name, "images_per_second": rate, "ratio": rate / spared})
            print(
                f"{gan} {precision} beside {beside:<11} {name:<20} {rate:8.2f} images/s {rate / spared:6.2f}",
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--gan", choices=["dcgan", "stylegan2"], nargs="+", default=["dcgan", "stylegan2"])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--train", nargs=3, metavar=("GAN", "PRECISION", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        gan, precision, seconds = arguments.train
        print(train(gan, precision, float(seconds)))
        return
    precision = str(choose_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    short = {"bfloat16": "bf16", "float32": "fp32"}[precision]
    rows = {gan: compare(gan, short, arguments.seconds, arguments.turns) for gan in arguments.gan}
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": "threads",
            "cpu": describe_cpu(),
            "precision": short,
            "torch": torch.__version__,
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
