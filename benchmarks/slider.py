"""From a key press on the slider of a seed to the changed picture, in a real browser: DCGAN and StyleGAN2-ADA at 64 px.

The generators are the recipe's and the configuration auto's, in colour, with random weights: speed does not depend on
them. The clock, the browser's own, runs from the key's event until the picture that is shown is another one and is
decoded. `next`: an arrow key moves the slider by one, to a seed that the wall below has shown before. `chance`: the
button for a seed by chance, whose picture was painted ahead while nobody pressed anything. `far`: a key moves the
slider by a tenth of its length, to a seed that nobody has painted: the picture itself is waited for. The presses come
one after the other, each after the page is at rest; the law is met where nine in ten presses meet it.

Before that, a StyleGAN2-ADA picture without browser and page: with the mapping on one thread, as it is, and with as
many threads as the synthesis, which they then get in the way of.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import onnxruntime
import streamlit
import torch
from playwright.sync_api import Browser, Page

from benchmarks.machine import describe_cpu
from benchmarks.served import Dashboard, chromium
from engine.configs import DcganConfig, StyleganConfig
from engine.gans.checkpoints import describe_snapshot, save_snapshot
from engine.gans.dcgan import networks as dcgan
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.architecture import Architecture, describe_networks
from engine.gans.stylegan2.networks import (
    Generator,
)
from engine.sampling.export import export_generator
from engine.sampling.exported import read_generator
from engine.sampling.graphs import Graph
from engine.sampling.sampler import Sampler, StyleganSampler
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from pages.generate.exploring import SLIDER

AIM_MS = 150.0
SIZE = 64
PRESSES, WARM_UP = 50, 2
PAUSE_MS = 500
"""Between two presses: somebody looks at the picture."""
FAR_PRESSES = 7
"""Tenths of the slider's length that are left after the first presses."""
PICTURE = "[data-testid=stMain] [data-testid=stImage] img"
AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"
CLOCK = """
(selector) => {
    const picture = () => document.querySelector(selector);
    window.changed = new Promise((resolve) => addEventListener("keydown", (event) => {
        const start = event.timeStamp, before = picture().src;
        const look = async () => {
            const now = picture();
            if (!now || now.src === before) return requestAnimationFrame(look);
            await now.decode();
            requestAnimationFrame(() => resolve(performance.now() - start));
        };
        look();
    }, { once: true, capture: true }));
}
"""
WAYS = {
    "next": ("input[type=range][aria-label=Seed]", "ArrowRight"),
    "chance": ("[data-testid=stButton] button:has-text('Random'):visible", "Enter"),
    "far": ("input[type=range][aria-label=Seed]", "PageUp"),
}
"""What has the focus, and the key that is pressed."""


def make_generators(home: Home) -> dict[str, Run]:
    """A run with an exported generator of each GAN."""
    spec = ImageSpec(SIZE, 3)
    torch.manual_seed(0)
    recipe = DcganConfig(dataset="benchmark")
    auto = StyleganConfig(dataset="benchmark").completed(SIZE)
    architecture = Architecture.from_config(auto, spec)
    networks: dict[str, tuple[Any, dict[str, Any], torch.nn.Module]] = {
        "DCGAN": (recipe, {"architecture": "recipe"}, dcgan.Generator(recipe, spec)),
        "StyleGAN2-ADA": (
            auto,
            {"architecture": "auto", **describe_networks(architecture, architecture)},
            Generator(architecture),
        ),
    }
    runs = {}
    for name, (config, described, generator) in networks.items():
        run = create_run(home, config.plain(), name)
        facts = describe_snapshot(config, {"z_dim": config.z_dim, **described}, "benchmark", spec, ["benchmark"])
        tensors = {f"G_ema.{key}": tensor for key, tensor in generator.state_dict().items()}
        save_snapshot(run.path, tensors, {**facts, "images_seen": 0, "seconds": 0.0})
        export_generator(run)
        run.update(state=State.FINISHED)
        runs[name] = run
    return runs


def press(page: Page, focused: str, key: str, presses: int) -> list[float]:
    """Milliseconds of each press of a key."""
    milliseconds = []
    for turn in range(WARM_UP + presses):
        page.locator(focused).focus()
        page.evaluate(CLOCK, PICTURE)
        page.keyboard.press(key)
        elapsed = page.evaluate("window.changed")
        page.locator(AT_REST).wait_for(state="attached")
        page.wait_for_timeout(PAUSE_MS)
        if turn >= WARM_UP:
            milliseconds.append(elapsed)
    return milliseconds


def measure(browser: Browser, server: Dashboard, run: Run, way: str, presses: int) -> dict[str, Any]:
    """What one generator takes."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    milliseconds: list[float] = []
    rounds = 0
    while len(milliseconds) < presses:
        page.goto(server.url(f"generate?run={run.id}&seed={(rounds + 1) * SLIDER}"))
        page.locator(PICTURE).first.wait_for()
        page.locator(AT_REST).wait_for(state="attached")
        page.wait_for_timeout(1000)
        at_once = presses - len(milliseconds)
        milliseconds += press(page, *WAYS[way], min(at_once, FAR_PRESSES) if way == "far" else at_once)
        rounds += 1
    page.close()
    nine_in_ten = statistics.quantiles(milliseconds, n=10)[-1]
    return {
        "way": way,
        "median_ms": statistics.median(milliseconds),
        "p90_ms": nine_in_ten,
        "least_ms": min(milliseconds),
        "most_ms": max(milliseconds),
        "presses": presses,
        "aim_ms": AIM_MS,
        "met": nine_in_ten < AIM_MS,
    }


def compare_threads(run: Run, spec: int) -> dict[str, float]:
    """Median milliseconds of a picture with the mapping on one thread and on all, and their ratio."""
    info, contents = read_generator(run.path)
    all_threads = StyleganSampler({name: Graph(content, run.path / name) for name, content in contents.items()}, info)
    milliseconds: dict[Sampler, list[float]] = {Sampler.open(run.path): [], all_threads: []}
    for seed in range(WARM_UP + spec):
        for sampler, times in milliseconds.items():
            time.sleep(0.2)  # until the other's threads are at rest
            start = time.perf_counter()
            sampler.sample([seed])
            times.append(1000 * (time.perf_counter() - start))
    one, all_ = (statistics.median(times[WARM_UP:]) for times in milliseconds.values())
    return {"one_thread_ms": one, "all_threads_ms": all_, "ratio": all_ / one}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--presses", type=int, default=PRESSES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        runs = make_generators(home)
        threads = compare_threads(runs["StyleGAN2-ADA"], arguments.presses)
        server = Dashboard(home, home.root / "server.log")
        server.start()
        try:
            with chromium() as browser:
                version = browser.version
                rows = [
                    {"gan": name, **measure(browser, server, run, way, arguments.presses)}
                    for name, run in runs.items()
                    for way in WAYS
                ]
        finally:
            server.stop()
    print(
        f"A picture of StyleGAN2-ADA: {threads['one_thread_ms']:.0f} ms with the mapping on one thread, "
        f"{threads['all_threads_ms']:.0f} on all: {threads['ratio']:.2f} times as long"
    )
    print(f"{'':>15} {'':>7} {'median ms':>10} {'90 %':>8} {'least':>8} {'most':>8} {'aim':>6}  met")
    for row in rows:
        print(
            f"{row['gan']:>15} {row['way']:>7} {row['median_ms']:>10.0f} {row['p90_ms']:>8.0f} {row['least_ms']:>8.0f} "
            f"{row['most_ms']:>8.0f} {row['aim_ms']:>6.0f}  {'yes' if row['met'] else 'no'}"
        )
    if arguments.out:
        machine = {
            "cpu": describe_cpu(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "chromium": version,
            "streamlit": streamlit.__version__,
            "onnxruntime": onnxruntime.__version__,
        }
        content = {"benchmark": "slider", "size": SIZE, **machine, "threads": threads, "rows": rows}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
