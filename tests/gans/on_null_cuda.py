"""What torch does on a GPU, run on a null CUDA runtime: `LD_PRELOAD=... python -m tests.gans.on_null_cuda`.

No kernel runs there, so that no number means anything; but memory is taken and given back, and what a recording forbids
is refused. Prints what happened as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.configs import DcganConfig, StyleganConfig
from engine.gans.cuda_graphs import WARM_UP
from engine.gans.data import MappedImages, TrainingImages, seed_draws
from engine.gans.dry_run import _play_through
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.operations import kernels
from engine.gans.trainers import Trainer, make_trainer
from engine.store.log import log_to_stdout
from engine.store.progress import never, silent

GPU = torch.device("cuda")
SIZE, BATCH = 32, 8
SMALL: dict[str, Any] = {"dataset": "none", "batch": BATCH, "device": "cuda"}
STYLEGAN = SMALL | {"channel_base": 1024, "channel_max": 64, "z_dim": 64, "w_dim": 64, "aug": "ada"}
RUNTIME = ctypes.CDLL("libcudart.so.13")


def true_on_the_gpu(tensor: Tensor, of_others: Any = Tensor.__bool__) -> bool:
    """No kernel wrote what an optimiser asks of its rate while it is made."""
    return tensor.is_cuda or of_others(tensor)


def training_images(size: int = SIZE) -> TrainingImages:
    return TrainingImages(np.zeros((24, size, size, 3), np.uint8), np.zeros(24), [""] * 24, GPU)


def stylegan(**changes: Any) -> Trainer:
    config = StyleganConfig.build({**STYLEGAN, **changes}).completed(SIZE)
    return make_trainer(config, ImageSpec(SIZE, 3), torch.zeros(24, dtype=torch.int64, device=GPU), GPU)


def dcgan(**changes: Any) -> Trainer:
    config = DcganConfig.build({**SMALL, **changes})
    return make_trainer(config, ImageSpec(SIZE, 3), torch.zeros(24, dtype=torch.int64, device=GPU), GPU)


def train_step(trainer: Trainer, images: TrainingImages, iterations: range) -> str:
    """What the iterations say in the log."""
    log = io.StringIO()
    microbatches = [
        np.arange(start, start + trainer.microbatch_starts.step)
        for _ in iterations
        for start in trainer.microbatch_starts
    ]
    stream = images.stream(microbatches)
    with contextlib.redirect_stdout(log):
        for number in iterations:
            trainer.train_step([next(stream) for _ in trainer.microbatch_starts], number * BATCH)
    return log.getvalue()


def recorded(trainer: Any) -> list[bool]:
    return [work.graph is not None for work in trainer.recorder.works]


def violations() -> list[str]:
    """What the runtime saw that a GPU forbids; a copy from pinned memory that a graph keeps is allowed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report"
        RUNTIME.stub_report(str(path).encode())
        rows = [line.split("\t", 2) for line in path.read_text().splitlines()]
    return [name for kind, _, name in rows if kind == "V" and "legal" not in name]


def recording() -> dict[str, Any]:
    """Every phase, in three precisions."""
    found = {}
    for name, trainer in (
        ("fp32", stylegan(precision="fp32", aug="noaug")),
        ("pieces", stylegan(precision="bf16", batch_gpu=4)),
        ("fp16", stylegan(precision="fp16", augpipe="bgcfnc")),
        ("dcgan", dcgan(gradient_penalty=10.0, architecture="da-dcgan", dropout=0.4, batch=BATCH)),
    ):
        log = train_step(trainer, training_images(), range(WARM_UP + 2))
        found[name] = [all(recorded(trainer)), len(recorded(trainer)), log]
    return found


def reading_ahead() -> dict[str, Any]:
    """The thread that reads images ahead takes pinned memory, of a size not yet there, amid a recording."""
    trainer: Any = stylegan()
    images = MappedImages(np.zeros((24, 64, 64, 3), np.uint8), np.arange(24), np.zeros(24), [""] * 24, GPU)
    first = trainer.recorder.works[1]
    work, fetched = first.work, []

    def with_a_reader(*tensors: Tensor) -> None:
        work(*tensors)
        if torch.cuda.is_current_stream_capturing():
            with ThreadPoolExecutor(1) as reader:
                fetched.append(reader.submit(images._fetch, np.arange(24)).result()[0].is_pinned())

    first.work = with_a_reader
    log = train_step(trainer, training_images(), range(WARM_UP + 2))
    return {"recorded": all(recorded(trainer)), "fetched": fetched, "log": log}


def failing(kind: str, make: Any) -> dict[str, Any]:
    """A recording broken off in its last part; what is left of it, and whether the training goes on."""
    trainer, images = make(), training_images()
    last = trainer.recorder.works[0]  # it begins with the last
    work = last.work

    def broken(*tensors: Tensor) -> None:
        work(*tensors)
        if torch.cuda.is_current_stream_capturing():
            made = torch.rand(10**12 if kind == "memory" else 10**7, device=GPU)  # 4 TB fit nowhere
            made.sum().item()

    last.work = broken
    train_step(trainer, images, range(WARM_UP))
    log = train_step(trainer, images, range(WARM_UP, WARM_UP + 1))
    after = train_step(trainer, images, range(WARM_UP + 1, WARM_UP + 3))
    gc.collect()
    torch.cuda.empty_cache()
    pools = [block["total_size"] for block in torch.cuda.memory_snapshot() if tuple(block["segment_pool_id"]) != (0, 0)]
    return {
        "recorded": any(recorded(trainer)),
        "log": log,
        "after": after,
        "outside": torch.cuda.current_stream() == torch.cuda.default_stream(),
        "bytes_in_pools": sum(pools),
        "draws": len(torch.rand(3, device=GPU)),
    }


def memory() -> dict[str, float]:
    """Peaks of a training at 64 px, eagerly and recorded, and what a dry run says of the latter; GiB."""
    found = {}
    changes = {"aug": "fixed", "aug_p": 0.5, "channel_base": 16384}
    for name in ("eager", "recorded", "dry_run"):
        config = StyleganConfig.build({**STYLEGAN, **changes, "cuda_graphs": name != "eager"}).completed(64)
        images = training_images(64)
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        if name == "dry_run":
            peak = _play_through(config, ImageSpec(64, 3), images, GPU, 2, silent, never).memory
        else:
            trainer = make_trainer(config, ImageSpec(64, 3), images.labels, GPU)
            z, labels = torch.zeros(36, 64, device=GPU), torch.zeros(36, dtype=torch.int64, device=GPU)
            trainer.sample(z, labels)
            train_step(trainer, images, range(WARM_UP + 2))
            trainer.sample(z, labels)
            peak = torch.cuda.max_memory_reserved()
            del trainer
        found[name] = peak / 2**30
    return found


def seeding() -> bool:
    """Whether the device's generator is as after `torch.manual_seed`."""
    generator = torch.cuda.default_generators[0]
    torch.manual_seed(2**63 + 5)
    expected = generator.get_state()
    torch.rand(5, device=GPU)
    seed_draws(2**63 + 5, GPU)
    return torch.equal(generator.get_state(), expected)


def main() -> None:
    Tensor.__bool__ = true_on_the_gpu  # type: ignore[method-assign]
    with contextlib.redirect_stdout(io.StringIO()):  # that they are turned off is no news
        kernels.usable(GPU)
    answer: dict[str, Any] = {"recording": recording(), "reading_ahead": reading_ahead(), "seeding": seeding()}
    answer["memory"] = memory()
    answer["violations"] = violations()
    answer["failing"] = {
        "stylegan, read": failing("read", stylegan),
        "dcgan, memory": failing("memory", dcgan),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    log_to_stdout()
    main()
