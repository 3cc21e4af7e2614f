"""Config of an imported network: a StyleGAN2 from a file of NVIDIA's format, as a run of its own."""

from __future__ import annotations

from typing import Literal

from engine.configs.base import Config


class NetworkConfig(Config):
    """Which file to read; the networks then serve as a generator and as a start for transfer."""

    kind: Literal["network"] = "network"
    name: str
    """Name for the network."""
    source: str
    """Path of the .pkl file."""
    source_sha256: str = ""
    """Hash of the file; filled in when the run is submitted."""
    class_names: tuple[str, ...] = ()
    """Names of its classes in the order of their labels; empty: class 0, class 1 and so on."""
