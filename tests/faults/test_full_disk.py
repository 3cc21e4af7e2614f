"""A disk that is full in truth: every library that writes to the home ends in one sentence, and leaves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.store.home import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a small file system is mounted as Linux does")
MISSING = "not permitted: "


def _writers() -> dict[str, Callable[[Path], object]]:
    """What writes about 300 KiB to a path, by library."""
    import numpy as np
    import onnx
    import pandas as pd
    import torch
    from onnx import helper, numpy_helper
    from safetensors.torch import save_file

    from engine.sampling.latents import save_w
    from engine.sampling.sampler import write_png
    from engine.sampling.video import write_video
    from engine.store.files import replacing, write_json

    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3)).astype(np.uint8)
    table = pd.DataFrame({"a": np.random.default_rng(0).random(40_000)})
    weights = numpy_helper.from_array(noise.astype(np.float32), "w")
    model = helper.make_model(helper.make_graph([], "g", [], [], [weights]))

    def within(write: Callable[[Path], object]) -> Callable[[Path], object]:
        def writer(path: Path) -> None:
            with replacing(path) as temporary:
                write(temporary)

        return writer

    def events(path: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        from engine.store.files import disk_errors

        with disk_errors(path), SummaryWriter(str(path)) as writer:
            writer.add_image("samples", noise, dataformats="HWC")
            writer.flush()

    return {
        "safetensors": within(lambda path: save_file({"w": torch.zeros(100_000)}, path)),
        "parquet": within(lambda path: table.to_parquet(path)),
        "csv": within(lambda path: table.to_csv(path)),
        "onnx": within(lambda path: onnx.save(model, path)),
        "png": lambda path: write_png(path, noise),
        "video": lambda path: write_video(path.with_suffix(".mp4"), [noise] * 12, 12),
        "npz": lambda path: save_w(path, np.zeros((1, 400, 400), np.float32)),
        "json": lambda path: write_json(path, noise.tolist()),
        "tensorboard": events,
    }


def _main(folder: Path) -> None:
    """In a process of its own: what each writer said on a full disk."""
    from tests.faults.full_disk import NotPermitted, fill, mount_small_disk

    writers = _writers()
    try:
        mount_small_disk(folder, 4)
    except NotPermitted as error:
        print(MISSING + str(error))
        return
    told = {}
    fill(folder, 40)
    for name, write in writers.items():
        try:
            write(folder / name / "it")
            told[name] = "it fitted"
        except Exception as error:
            told[name] = f"{type(error).__name__}: {error}"
        if name != "tensorboard":
            told[name] += "".join(f", left {path.name}" for path in (folder / name).iterdir())
    print(json.dumps(told))


def test_every_library_tells_of_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.test_full_disk", str(tmp_path)]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    if answer.stdout.startswith(MISSING):
        pytest.skip(answer.stdout.strip())
    told = json.loads(answer.stdout)
    wrong = {name: said for name, said in told.items() if not said.endswith("start again.") or "is full" not in said}
    assert wrong == {}
    assert len(told) == 9


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
