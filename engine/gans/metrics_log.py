"""The record of a training, tick by tick: metrics.jsonl and TensorBoard events."""

from __future__ import annotations

import time
from typing import Any, Self

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from engine.gans.distributed import is_first
from engine.store.repair import tell
from engine.store.runs import Run


class Recording:
    """The numbers and pictures of one run by images seen; nothing of what a resumed run will write again stays.

    Only the first rank has one that writes.
    """

    def __init__(self, run: Run, images_seen: int):
        self.run = run
        self.rows: list[dict[str, Any]] = []
        """All rows of the run so far."""
        self._begin(images_seen)

    def _begin(self, images_seen: int) -> None:
        if is_first():
            if damage := self.run.keep_metrics(lambda row: round(row["kimg"] * 1000) <= images_seen):
                tell(self.run, self.run.metrics_path.name, damage)
            self.rows, _ = self.run.read_metrics()
            self.events = SummaryWriter(str(self.run.path / "events"), purge_step=images_seen + 1)

    def rewind(self, images_seen: int) -> None:
        """Forget what was recorded after `images_seen`."""
        self.close()
        self._begin(images_seen)

    def add(self, images_seen: int, values: dict[str, float], scores: dict[str, float]) -> None:
        """One row for the tick that ended at `images_seen`; `scores` are those that only some ticks have."""
        values = {"kimg": images_seen / 1000, **values}
        self.rows.append({**values, "time": time.time(), **scores})
        self.run.append_metrics(self.rows[-1])
        for name, value in values.items():
            self.events.add_scalar(f"train/{name}", value, images_seen)
        for name, value in scores.items():
            self.events.add_scalar(f"scores/{name}", value, images_seen)

    def show(self, images_seen: int, grid: np.ndarray) -> None:
        """A grid of samples [H, W, C]."""
        self.events.add_image("samples", grid, images_seen, dataformats="HWC")
        self.events.flush()

    def close(self) -> None:
        if is_first():
            self.events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
