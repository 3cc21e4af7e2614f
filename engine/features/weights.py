"""Where the weights of pretrained backbones come from: never from nowhere, never random in silence."""

from __future__ import annotations

import os
import pickle
import re
import urllib.error
import urllib.request
from pathlib import Path

import torch

from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.hashing import sha256_file

# File names of torchvision, the preferred one first. The older ImageNet weights lead, because label smoothing,
# with which the newer ones were trained, makes frozen features worse (Kornblith et al., arXiv 2010.16402).
WEIGHT_FILES: dict[str, tuple[str, ...]] = {
    "resnet50": ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"),
}
SERVER = "https://download.pytorch.org/models/"
TIMEOUT_S = 10.0


def resolve_weights(backbone: str, user_path: str = "") -> Path:
    """The file with the weights of `backbone`.

    Looks at the path the user gave, then at `ERSATZ_WEIGHTS` (a file, or a folder of such files), then in the
    torch hub cache, then downloads into that cache (`TIMEOUT_S` of silence end the attempt).
    Raises `ErsatzError` with the file's name and the places to put it when all of them fail.
    """
    names = WEIGHT_FILES[backbone]
    if user_path:
        return _named(Path(user_path).expanduser(), names, "the setting weights")
    if os.environ.get("ERSATZ_WEIGHTS"):
        return _named(Path(os.environ["ERSATZ_WEIGHTS"]).expanduser(), names, "ERSATZ_WEIGHTS")
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    for name in names:
        if (hub / name).is_file():
            return hub / name
    return _download(backbone, names[0], hub)


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


def _named(path: Path, names: tuple[str, ...], origin: str) -> Path:
    """The file that the user pointed at, directly or by its folder."""
    if path.is_file():
        return path
    for name in names:
        if (path / name).is_file():
            return path / name
    found = "holds no such file" if path.is_dir() else "does not exist"
    raise ErsatzError(
        f"{origin} names {path}, which {found}; a file with the backbone's weights, or a folder with "
        f"{' or '.join(names)}, was expected. Correct the path, or choose the classifier small-cnn, which needs none."
    )


def _download(backbone: str, name: str, folder: Path) -> Path:
    try:
        with urllib.request.urlopen(SERVER + name, timeout=TIMEOUT_S) as response, replacing(folder / name) as file:
            with file.open("wb") as out:
                while chunk := response.read(1 << 20):
                    out.write(chunk)
            _checked_digest(file, name)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ErsatzError(
            f"The weights of {backbone} are not on this machine and could not be downloaded ({error}); "
            f"the file {name} was expected. Put it into {folder}, or point ERSATZ_WEIGHTS at it, "
            "or choose the classifier small-cnn, which needs none."
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
