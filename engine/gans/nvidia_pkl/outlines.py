"""What a pickle of another program holds, in outline: containers, text and numbers, and of all else only the name.

For the sentence that refuses it. Nothing of the pickle is imported, called or completed: what it would make of a class
or a function is an `Opaque` with that name.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any, BinaryIO

from engine.gans.nvidia_pkl.pickle_vm import Allowance, Machine, Source
from engine.gans.nvidia_pkl.refusal import Refusal
from engine.store.archives import ZIP_ERRORS

LARGEST_OUTLINE = 32 * 2**20
"""Bytes of a checkpoint's pickle; its tensors lie beside it, so that it is small."""
DICTS = {("collections", "OrderedDict"), ("builtins", "dict"), ("collections", "defaultdict")}
LEADING_PICKLES = 3
"""Of torch's old form: its magic number, its version, and what wrote it. The fourth is the object."""


@dataclass(frozen=True, eq=False)
class Opaque:
    """A name of the pickle, or what the pickle makes with that name."""

    module: str
    attribute: str

    @property
    def name(self) -> str:
        return f"{self.module}.{self.attribute}"


class Outline(Machine):
    """Runs a pickle in which every name is known and none is ever called; `modules` are those that it named."""

    def __init__(self, source: Source, allowance: Allowance):
        super().__init__(source, allowance, self.named, lambda _: Opaque("torch", "storage"))
        self.modules: set[str] = set()

    def named(self, module: str, attribute: str) -> Opaque:
        self.modules.add(module)
        return Opaque(module, attribute)

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "REDUCE" | "NEWOBJ" | "NEWOBJ_EX":
                for _ in range(2 if name == "NEWOBJ_EX" else 1):
                    stack.pop()
                stack[-1] = _made_by(stack[-1])
            case "BUILD":
                stack.pop()  # the state, which completes nothing here
            case "APPEND" if isinstance(stack[-2], Opaque):
                stack.pop()
            case "APPENDS" | "ADDITEMS" | "SETITEMS" if isinstance(self.marked[-1][-1], Opaque):
                self.since_mark()
            case "SETITEM" if isinstance(stack[-3], Opaque):
                del stack[-2:]
            case _:
                super().step(name, argument)


def _made_by(function: Any) -> Any:
    if isinstance(function, Opaque) and (function.module, function.attribute) not in DICTS:
        return function
    return {}


def outline_of_pickle(file: BinaryIO, length: int) -> tuple[Any, set[str]] | None:
    """The outline of the pickle at the file's beginning, and the modules that it names; None if it has none."""
    file.seek(0)
    return _outline(Source(file, length), Allowance(length))


def outline_of_old_checkpoint(file: BinaryIO, length: int) -> Any:
    """The outline of what torch.save wrote in its old form, or None."""
    file.seek(0)
    source, allowance = Source(file, length), Allowance(length)
    for _ in range(LEADING_PICKLES):
        if _outline(source, allowance) is None:
            return None
    found = _outline(source, allowance)
    return found[0] if found else None


def outline_of_archive(archive: zipfile.ZipFile) -> Any:
    """The outline of what torch.save wrote as a ZIP archive, or None."""
    names = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
    if len(names) != 1 or names[0].file_size > LARGEST_OUTLINE:
        return None
    try:
        with archive.open(names[0]) as entry:
            body = entry.read(LARGEST_OUTLINE)
    except ZIP_ERRORS:  # damaged, encrypted, of another method
        return None
    found = _outline(Source(io.BytesIO(body), len(body)), Allowance(len(body)))
    return found[0] if found else None


def _outline(source: Source, allowance: Allowance) -> tuple[Any, set[str]] | None:
    machine = Outline(source, allowance)
    try:
        return machine.run(), machine.modules
    except (Refusal, TypeError):
        return None
