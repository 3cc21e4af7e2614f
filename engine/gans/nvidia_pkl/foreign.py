"""Files of other kinds, named for what they are: by their first bytes, or by the names that a pickle mentions."""

from __future__ import annotations

import pickletools
import re
import zipfile
from itertools import islice
from typing import BinaryIO

from engine.gans.nvidia_pkl.pickle_vm import MAX_INSTRUCTIONS, Source
from engine.gans.nvidia_pkl.refusal import GET_ANOTHER, Refusal

TORCH_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""The pickled magic number with which torch.save began before it wrote ZIP files."""
MAX_NAME = 100
CHECKPOINT_ADVICE = "Export the network with the program that wrote it, or choose a network-snapshot-*.pkl."


def recognise_file(file: BinaryIO, length: int) -> None:
    """Raise `Refusal` when the first bytes show that the file is no bare pickle. Leaves the file at its beginning."""
    head = file.read(64)
    file.seek(0)
    text = head.lstrip().lower()
    if not length:
        raise Refusal("is empty (0 bytes)", "Download or copy the file again.")
    if head.startswith(b"PK\x03\x04"):
        raise Refusal(_archive(file), CHECKPOINT_ADVICE)
    if head.startswith(TORCH_LEGACY):
        raise Refusal("is a checkpoint that torch.save wrote (in its old form)", CHECKPOINT_ADVICE)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= length - 8:
        raise Refusal(
            "is a safetensors file",
            "A snapshot of this program is used without importing it: give its path as start_from of a training.",
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Refusal("is a web page, which a refused download leaves", "Download the file again, in a browser.")
    if text.startswith(b"version https://git-lfs"):
        raise Refusal("is only a pointer of Git LFS to the file", "Fetch the file itself with `git lfs pull`.")
    if not head.startswith(b"\x80"):
        raise Refusal("is no pickle of protocol 2 to 5", GET_ANOTHER)


def _archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "is a damaged ZIP archive"
    if any(name.endswith("/data.pkl") for name in names):
        return "is a checkpoint that torch.save wrote (a ZIP archive)"
    return "is a ZIP archive"


def recognise_names(file: BinaryIO, length: int) -> Refusal | None:
    """A better reason why a refused pickle is refused, by the names in it; nothing of it is run."""
    try:
        instructions = pickletools.genops(Source(file, length))  # type: ignore[arg-type]  # as in the machine
        for _, argument, _ in islice(instructions, MAX_INSTRUCTIONS):
            if isinstance(argument, str) and len(argument) <= MAX_NAME:
                if argument.startswith(("dnnlib.tflib", "tfutil", "tensorflow")):
                    return tensorflow()
                if is_stylegan3(argument):
                    return stylegan3()
    except (ValueError, Refusal):
        pass  # damaged, which the first reason says already
    return None


def is_stylegan3(name: str) -> bool:
    """Whether a module's name is that of a StyleGAN3 layer, such as L0_36_512."""
    return re.fullmatch(r"L\d+_\d+_\d+", name) is not None


def stylegan3() -> Refusal:
    return Refusal("is a StyleGAN3 network", "Choose a StyleGAN2 one, such as stylegan3's --cfg=stylegan2 trains.")


def tensorflow() -> Refusal:
    return Refusal(
        "is a legacy TensorFlow network (of the stylegan2 or stylegan2-ada programs)",
        "Convert it with legacy.py of stylegan2-ada-pytorch, and import what that writes.",
    )
