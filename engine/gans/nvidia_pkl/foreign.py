"""Files of other kinds, named for what they are: by their first bytes, or by the names that a pickle mentions."""

from __future__ import annotations

import json
import pickletools
import re
import zipfile
from itertools import islice
from typing import BinaryIO

from engine.gans.nvidia_pkl.outlines import outline_of_archive, outline_of_old_checkpoint, outline_of_pickle
from engine.gans.nvidia_pkl.pickle_vm import MAX_INSTRUCTIONS, Source
from engine.gans.nvidia_pkl.refusal import GET_ANOTHER, Refusal
from engine.gans.nvidia_pkl.state_dicts import StateDicts, of_contents, of_state_dicts, state_dicts
from engine.store.archives import ZIP_ERRORS

TORCH_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""The pickled magic number with which torch.save began before it wrote ZIP files."""
MAX_NAME = 100
MAX_HEADER = 16 * 2**20
OF_TENSORS = {"torch", "numpy", "collections", "_codecs", "builtins"}
"""Top modules that a pickled state dict names; one that names others may be anything."""


def recognise_file(file: BinaryIO, length: int) -> None:
    """Raise `Refusal` when the first bytes show that the file is no bare pickle. Leaves the file at its beginning."""
    head = file.read(64)
    file.seek(0)
    text = head.lstrip().lower()
    if not length:
        raise Refusal("is empty (0 bytes)", "Download or copy the file again.")
    if head.startswith(b"PK\x03\x04"):
        raise _archive(file)
    if head.startswith(TORCH_LEGACY):
        content = outline_of_old_checkpoint(file, length)
        raise of_contents(content, "is a checkpoint that torch.save wrote (in its old form)")
    if head[8:9] == b"{" and (header := int.from_bytes(head[:8], "little")) <= length - 8:
        raise _safetensors(file, header)
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Refusal("is a web page, which a refused download leaves", "Download the file again, in a browser.")
    if text.startswith(b"version https://git-lfs"):
        raise Refusal("is only a pointer of Git LFS to the file", "Fetch the file itself with `git lfs pull`.")
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf'\x1c")):
        raise Refusal("is compressed", "If the network file is in it, unpack it first; else choose another file.")
    if not head.startswith(b"\x80"):
        raise Refusal("is no pickle of protocol 2 to 5", GET_ANOTHER)


def _archive(file: BinaryIO) -> Refusal:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if any(name.endswith("/constants.pkl") for name in names):
                return Refusal("is a TorchScript program (a ZIP archive)", GET_ANOTHER)
            if any(name.endswith("/data.pkl") for name in names):
                return of_contents(outline_of_archive(archive), "is a checkpoint that torch.save wrote (a ZIP archive)")
    except ZIP_ERRORS:
        return Refusal("is a damaged ZIP archive", "Download or copy the file again.")
    return Refusal("is a ZIP archive", "If the network file is in it, unpack it first; else choose another file.")


def _safetensors(file: BinaryIO, header: int) -> Refusal:
    """A snapshot of this program says so in its header; in any other safetensors file there are tensors alone."""
    file.seek(8)
    try:
        entries = json.loads(file.read(header)) if header <= MAX_HEADER else {}
    except (ValueError, RecursionError):
        entries = {}
    metadata = entries.pop("__metadata__", {})
    if entries and not (isinstance(metadata, dict) and "ersatz" in metadata):
        return of_state_dicts(StateDicts(names=[""], tensors=list(entries)), "is a safetensors file of")
    return Refusal(
        "is a safetensors file",
        "A snapshot of this program is used without importing it: give its path as start_from of a training.",
    )


def recognise_names(file: BinaryIO, length: int) -> Refusal | None:
    """A better reason why a refused pickle is refused, by the names in it; nothing of it is run.

    A pickle that names anything but tensors is not called a state dict, be there one in it or not.
    """
    try:
        instructions = pickletools.genops(Source(file, length))  # type: ignore[arg-type]  # as in the machine
        for _, argument, _ in islice(instructions, MAX_INSTRUCTIONS):
            if isinstance(argument, str) and len(argument) <= MAX_NAME:
                if argument.startswith(("dnnlib.tflib", "tfutil", "tensorflow")):
                    return tensorflow()
                if is_stylegan3(argument):
                    return stylegan3()
    except (ValueError, Refusal):
        return None  # damaged, which the first reason says already
    content, modules = outline_of_pickle(file, length) or (None, set())
    if {name.partition(".")[0] for name in modules} <= OF_TENSORS and (found := state_dicts(content)):
        return of_state_dicts(found, "is a pickle of")
    return None


def is_stylegan3(name: object) -> bool:
    """Whether a module's name is that of a StyleGAN3 layer, such as L0_36_512."""
    return isinstance(name, str) and re.fullmatch(r"L\d+_\d+_\d+", name) is not None


def stylegan3() -> Refusal:
    return Refusal("is a StyleGAN3 network", "Choose a StyleGAN2 one, such as stylegan3's --cfg=stylegan2 trains.")


def tensorflow() -> Refusal:
    return Refusal(
        "is a legacy TensorFlow network (of the stylegan2 or stylegan2-ada programs)",
        "Convert it with legacy.py of stylegan2-ada-pytorch, and import what that writes.",
    )
