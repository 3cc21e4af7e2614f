"""The only reader of network pickles in the program: NVIDIA's files, without running anything in them.

Python's own `pickle` would run such a file with real classes and functions, and NVIDIA's loader compiles source text
out of it besides. Here a small machine runs it (`machine`) whose only functions are the stand-ins below: they check
their arguments and give plain values, namely dicts, lists, tuples, sets of text, numbers, read-only NumPy arrays, and
`Module` for a network. Nothing of the file is imported, called, compiled or handed to torch. Every other instruction,
name or argument is refused, and so are sizes that the file cannot hold.

Each network module in the file is `_reconstruct_persistent_obj(meta)` with its `__dict__` as `meta["state"]`. Each
tensor is a view of a storage in torch's old serialisation, which is a pickle within the pickle: the same machine reads
it, with torch's storage classes as its only names.

`meta["module_src"]` is the source text of NVIDIA's modules, under a licence that forbids commercial use. It is passed
over unread and kept nowhere. Never commit such a file or pass one on; tests make their own in the same form.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.gans.nvidia_pkl.foreign import recognise_file, recognise_names
from engine.gans.nvidia_pkl.pickle_vm import Allowance, DictClass, Function, Machine, Source, texts
from engine.gans.nvidia_pkl.refusal import Refusal, shown
from engine.gans.nvidia_pkl.tensors import (
    MAX_DIMENSIONS,
    STORAGE_TYPES,
    Storage,
    StorageType,
    number,
    number_type,
    storage,
    tensor,
)
from engine.store.errors import ErsatzError

TORCH_MAGIC, TORCH_VERSION = 0x1950A86A20F9469CFC6C, 1001


@dataclass(frozen=True, eq=False)
class Module:
    """A network module of the file: the name of its class and the `__dict__` it had."""

    class_name: str
    state: dict[str, Any]


def read_pickle(path: Path) -> Any:
    """The content of a bare pickle of protocol 2-5 as plain values. Raises `ErsatzError` with the reason if refused."""
    if not path.is_file():
        raise ErsatzError(f"There is no file {path}; a network file (.pkl) is expected. Correct the path.")
    try:
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            try:
                recognise_file(file, length)
                return _read(file, length)
            except Refusal as refusal:
                raise refusal.about(path) from refusal
    except OSError as error:
        raise ErsatzError(
            f"{path} cannot be read ({error.strerror}); a network file (.pkl) is expected. Mend that and try again."
        ) from error


def _read(file: BinaryIO, length: int) -> Any:
    source, allowance = Source(file, length), Allowance(length)
    try:
        tree = Machine(source, allowance, Names(allowance)).run()
        if source.tell() != length:
            raise Refusal(f"goes on for {length - source.tell()} bytes after the end of its content")
    except Refusal as refusal:
        file.seek(0)
        raise recognise_names(file, length) or refusal from refusal
    return tree


class Names:
    """All that a network file may ask for, and what it gets."""

    def __init__(self, allowance: Allowance):
        self.allowance = allowance
        self.known: dict[tuple[str, str], Function | DictClass] = {
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): Function(module),
            ("dnnlib.util", "EasyDict"): DictClass(),
            ("collections", "OrderedDict"): Function(ordered_dict),
            ("builtins", "set"): Function(self.set),
            ("__builtin__", "set"): Function(self.set),
            ("_codecs", "encode"): Function(self.encoded),
            ("torch", "Size"): Function(lengths),
            ("torch._utils", "_rebuild_parameter"): Function(parameter),
            ("torch._utils", "_rebuild_tensor"): Function(self.tensor),
            ("torch._utils", "_rebuild_tensor_v2"): Function(self.tensor),
            ("torch.storage", "_load_from_bytes"): Function(self.storage),
            ("numpy", "dtype"): Function(number_type),
            ("numpy.core.multiarray", "scalar"): Function(number),
            ("numpy._core.multiarray", "scalar"): Function(number),
        }

    def __call__(self, module_name: str, attribute: str) -> Function | DictClass:
        if (module_name, attribute) not in self.known:
            raise Refusal(
                f"asks for {shown(f'{module_name}.{attribute}')}, which no network needs (nothing of it was run)",
                "Open it with no other program, and get the network from where it was published.",
            )
        return self.known[module_name, attribute]

    def encoded(self, arguments: Any) -> bytes:
        """Bytes, which protocol 2 writes as text."""
        match arguments:
            case (str() as text, "latin1"):
                self.allowance.take_bytes(len(text))
                return text.encode("latin-1")
        raise Refusal("encodes text in another way than network files do")

    def set(self, arguments: Any) -> set[str]:
        """A set of text, which protocols 2 and 3 make of a list."""
        match arguments:
            case (list() as items,):
                self.allowance.take_instructions(len(items))  # the same list can be named many times
                return set(texts(items))
        raise Refusal("makes a set in another way than network files do")

    def tensor(self, arguments: Any) -> np.ndarray:
        """_rebuild_tensor(storage, offset, size, stride), and v2 with requires_grad, hooks and metadata after these."""
        match arguments:
            case (Storage() as of, offset, tuple() as size, tuple() as stride, *more) if _nothing_unusual(more):
                view = tensor(of, offset, size, stride)
                self.allowance.take_bytes(view.nbytes)
                return view
        raise Refusal("describes a tensor in another way than network files do")

    def storage(self, arguments: Any) -> Storage:
        """_load_from_bytes(payload): five pickles, the count of elements as int64, the elements."""
        match arguments:
            case (bytes() as payload,):
                return read_storage(payload, self.allowance)
        raise Refusal("describes a storage in another way than network files do")


def module(arguments: Any) -> Module:
    """_reconstruct_persistent_obj(meta): the class's name and state; its source text is left where it is."""
    match arguments:
        case ({"type": "class", "version": 6, "class_name": str() as name, "state": dict() as state} as meta,):
            if meta.keys() <= {"type", "version", "class_name", "state", "module_src"}:
                return Module(name, state)
        case ({"version": version},) if version != 6:
            raise Refusal(f"has a module of the format's version {shown(version)}, and only version 6 is known")
    raise Refusal("describes a module in another way than network files do")


def _nothing_unusual(more: list[Any]) -> bool:
    """Whether what follows a tensor's stride is requires_grad and empty hooks and metadata, or nothing."""
    match more:
        case [] | [bool(), dict()] | [bool(), dict(), None | dict()]:
            return not any(more[1:])  # every dict among them is empty
    return False


def parameter(arguments: Any) -> np.ndarray:
    """_rebuild_parameter(tensor, requires_grad, hooks)."""
    match arguments:
        case (np.ndarray() as data, bool(), dict() as hooks) if not hooks:
            return data
    raise Refusal("describes a parameter in another way than network files do")


def ordered_dict(arguments: Any) -> dict[str, Any]:
    if arguments != ():
        raise Refusal("makes an OrderedDict out of arguments")
    return {}


def lengths(arguments: Any) -> tuple[Any, ...]:
    """torch.Size(counts)."""
    match arguments:
        case (tuple() as counts,) if len(counts) <= MAX_DIMENSIONS:
            return counts
    raise Refusal("gives the shape of a tensor in something other than counts")


@dataclass(frozen=True, eq=False)
class Reference:
    """What a storage's pickle says of it: the persistent id."""

    description: Any


def read_storage(payload: bytes, allowance: Allowance) -> Storage:
    """A storage in torch's serialisation from before its ZIP files. Raises `Refusal`."""
    source = Source(io.BytesIO(payload), len(payload))
    pickles = [Machine(source, allowance, storage_type, Reference).run() for _ in range(5)]
    match pickles:
        case [_, _, {"little_endian": False}, *_]:
            raise Refusal("was written on a machine with the other byte order (big-endian)")
        case [
            int() as magic,
            int() as version,
            {"little_endian": True},
            Reference(description=("storage", StorageType() as kind, str() as key, str(), int() as numel, None)),
            [str() as only_key],
        ] if (magic, version, only_key) == (TORCH_MAGIC, TORCH_VERSION, key):
            (count,) = struct.unpack("<q", source.read(8))
            if count == numel:
                return storage(kind, payload, source.tell(), numel)
    raise Refusal("stores a tensor in another way than network files do")


def storage_type(module_name: str, attribute: str) -> StorageType:
    if module_name != "torch" or attribute not in STORAGE_TYPES:
        raise Refusal(f"stores a tensor as {shown(f'{module_name}.{attribute}')}, which is not known here")
    return StorageType(STORAGE_TYPES[attribute])
