"""What the runs of this part have found, for everybody who reads it without torch."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from engine.store.versioned import Result


class DryRunResult(Result):
    """What a training would cost; sizes in GiB, times in seconds."""

    fits: bool
    """Whether the memory was enough."""
    remedy: str
    """What to set when it was not; empty when it was, or when nothing helps."""
    device: str
    precision: str
    gpus: int
    images: int
    g_parameters: int
    d_parameters: int
    memory_gib: float
    """Peak of one process: all of it on the CPU, the GPU's share of it on a GPU. 0 when it did not fit."""
    memory_free_gib: float
    """What was free when it began."""
    images_per_second: float
    seconds_per_kimg: float
    kimg: float
    """Length of the whole training."""
    seconds: float
    """Time for the whole training, its sample grids included, its scores not."""
    disk_gib: float
    """Snapshots, sample grids and exported generator of the whole training."""
    disk_free_gib: float
    room: bool
    """Whether the disk has room for that."""
    sentence: str = ""
    """All of it in one line."""


class NetworkResult(Result):
    """What an imported network file holds."""

    sentence: str
    layout: str = ""
    """Of which program it is."""
    networks: tuple[str, ...] = ()
    """Their names in the file."""
    augment_p: float | None = None
    """p of adaptive augmentation at the end of its training; None: the file does not say."""
    training_set_kwargs: dict[str, Any] = Field(default_factory=dict)
    """What the file says of the images that they were trained on."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Parts of the file beside its networks that nothing here uses, by name: their values, or what they are."""
