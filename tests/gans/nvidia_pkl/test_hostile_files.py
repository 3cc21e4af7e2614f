"""Files that attack whoever opens them: refused in a sentence, nothing run, no memory or time taken."""

from __future__ import annotations

import pickle
import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.gans.nvidia_pkl import pickle_vm
from engine.gans.nvidia_pkl.contents import read_contents
from engine.gans.nvidia_pkl.nvidia import read_networks
from engine.gans.nvidia_pkl.reader import read_pickle
from engine.store.errors import ErsatzError
from tests.gans.nvidia_pkl.writing import content, dumped, small_networks

P2, STOP = b"\x80\x02", b"."


def text(value: str) -> bytes:
    """BINUNICODE."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value: int) -> bytes:
    """LONG1."""
    raw = pickle.encode_long(value)
    return b"\x8a" + bytes([len(raw)]) + raw


def raw_bytes(value: bytes) -> bytes:
    """BINBYTES."""
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE with a tuple of arguments."""
    return function + b"(" + b"".join(arguments) + b"tR"


LOAD = name("torch.storage", "_load_from_bytes")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
DTYPE = name("numpy", "dtype")
SCALAR = name("numpy.core.multiarray", "scalar")
SET = name("builtins", "set")
MODULE = name("torch_utils.persistence", "_reconstruct_persistent_obj")
EASY_DICT = name("dnnlib.util", "EasyDict")
F8 = call(DTYPE, text("f8"), b"\x89", b"\x88")
F8_STATE = b"(K\x03" + text("<") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00t"


def storage(
    numbers: int = 4,
    *,
    magic: int = 0x1950A86A20F9469CFC6C,
    little_endian: bool = True,
    kind: bytes = name("torch", "FloatStorage"),
    numel: int | None = None,
    count: int | None = None,
    after: bytes = b"",
    location: bytes = text("cpu"),
) -> bytes:
    """The payload of one storage."""
    said = numbers if numel is None else numel
    system = b"}(" + text("little_endian") + (b"\x88" if little_endian else b"\x89") + b"u"
    reference = b"(" + text("storage") + kind + text("0") + location + integer(said) + b"Nt" + b"Q"
    pickles = [integer(magic), integer(1001), system, reference, b"](" + text("0") + b"e"]
    header = b"".join(P2 + body + STOP for body in pickles)
    elements = struct.pack(f"<{numbers}f", *range(numbers))
    return header + struct.pack("<q", said if count is None else count) + elements + after


def load(payload: bytes) -> bytes:
    return call(LOAD, raw_bytes(payload))


def tensor(offset: int, size: tuple[int, ...], stride: tuple[int, ...], payload: bytes | None = None) -> bytes:
    shape = [b"(" + b"".join(integer(n) for n in numbers) + b"t" for numbers in (size, stride)]
    return call(REBUILD, load(payload or storage()), integer(offset), *shape, b"\x89", b"}")


def deep(levels: int) -> bytes:
    return b")" + b"\x85" * levels


def branches(memo: int) -> bytes:
    """Keys and values of a dict that holds the same memorised value under 300 names."""
    return b"".join(text(str(key)) + b"h" + bytes([memo]) for key in range(300))


HOSTILE: dict[str, tuple[bytes, str]] = {
    # Functions and classes.
    "os.system": (call(name("os", "system"), text("touch owned")), "asks for 'os.system'"),
    "posix.system by strings": (text("posix") + text("system") + b"\x93", "asks for 'posix.system'"),
    "eval": (call(name("builtins", "eval"), text("1")), "asks for 'builtins.eval'"),
    "getattr": (name("__builtin__", "getattr"), "asks for '__builtin__.getattr'"),
    "a function of a function": (name("torch.storage", "_load_from_bytes.__globals__"), "_load_from_bytes.__globals__"),
    "the module's own function": (name("engine.store.files", "write_text"), "asks for 'engine.store.files.write_text'"),
    "copyreg": (name("copyreg", "_reconstructor"), "asks for 'copyreg._reconstructor'"),
    "an array": (name("numpy.core.multiarray", "_reconstruct"), "asks for 'numpy.core.multiarray._reconstruct'"),
    "a name that is no text": (b"K\x01K\x02\x93", "only short text"),
    # Instructions.
    "INST": (b"(ios\nsystem\n", "instruction INST"),
    "OBJ": (b"(" + SET + b"o", "instruction OBJ"),
    "EXT1": (b"\x82\x01", "instruction EXT1"),
    "EXT4": (b"\x84\x01\x00\x00\x00", "instruction EXT4"),
    "PERSID": (b"Pos\n", "instruction PERSID"),
    "BINPERSID": (text("x") + b"Q", "instruction BINPERSID"),
    "NEWOBJ_EX": (EASY_DICT + b")}\x92", "instruction NEWOBJ_EX"),
    "DUP": (b"N2", "instruction DUP"),
    "STRING": (b"S'x'\n", "instruction STRING"),
    "LONG": (b"L1L\n", "instruction LONG"),
    "NEXT_BUFFER": (b"\x97", "instruction NEXT_BUFFER"),
    "BYTEARRAY8": (b"\x96" + struct.pack("<Q", 0), "instruction BYTEARRAY8"),
    # Stand-ins used for what they are not.
    "REDUCE of a dict": (b"})R", "uses a dict as a function"),
    "REDUCE of a class": (EASY_DICT + b")R", "uses a dictclass as a function"),
    "REDUCE of a module": (
        call(
            call(
                MODULE,
                b"}("
                + text("type")
                + text("class")
                + text("version")
                + b"K\x06"
                + text("class_name")
                + text("G")
                + text("state")
                + b"}u",
            )
        ),
        "uses a module as a function",
    ),
    "NEWOBJ of a function": (SET + b")\x81", "uses a function as a dictclass"),
    "NEWOBJ with arguments": (EASY_DICT + b"(K\x01t\x81", "makes a dict out of arguments"),
    "BUILD of a function": (
        SET + b"}" + text("stand_in") + name("builtins", "set") + b"sb",
        "uses a function as a buildable",
    ),
    "BUILD of a dict": (b"}}" + text("__class__") + b"Nsb", "uses a dict as a buildable"),
    "BUILD by slots": (EASY_DICT + b"N}" + text("__setstate__") + b"Ns\x86b", "uses a dictclass as a buildable"),
    "SETITEM of a class": (EASY_DICT + text("a") + b"Ns", "uses a dictclass as a dict"),
    "APPEND to a tuple": (b")Na", "uses a tuple as a list"),
    "ADDITEMS to a list": (b"](" + text("a") + b"\x90", "uses a list as a set"),
    "arguments that are a list": (SET + b"]R", "in place of its few arguments"),
    "very many arguments": (SET + b"(" + b"N" * 100 + b"tR", "in place of its few arguments"),
    "an OrderedDict of pairs": (call(name("collections", "OrderedDict"), b"]"), "OrderedDict out of arguments"),
    "text by another codec": (call(name("_codecs", "encode"), text("x"), text("rot13")), "encodes text in another way"),
    # Numbers.
    "a NumPy object": (call(DTYPE, text("O8"), b"\x89", b"\x88"), "a NumPy value of the type 'O8'"),
    "a NumPy record": (call(DTYPE, b"](" + text("a") + b"e", b"\x89", b"\x88"), "a NumPy value of the type a list"),
    "a dtype with fields": (
        F8 + b"(K\x03" + text("<") + b"N" + b"(t" + b"}" + b"K\x01K\x01K\x00tb",
        "in an unknown way",
    ),
    "big-endian numbers": (F8 + b"(K\x03" + text(">") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb", "byte order"),
    "a scalar of an unfinished dtype": (call(SCALAR, F8, raw_bytes(b"\0" * 8)), "no plain number"),
    "a scalar that is too long": (call(SCALAR, F8 + F8_STATE + b"b", raw_bytes(b"\0" * 9)), "no plain number"),
    "a scalar that is a pickle": (call(SCALAR, F8 + F8_STATE + b"b", b"}"), "no plain number"),
    "an enormous integer": (b"\x8b" + struct.pack("<i", 5000) + b"\x01" * 5000, "an integer of 39993 bits"),
    # Storages: the pickle in the pickle.
    "code in a storage": (
        load(storage(kind=call(name("os", "system"), text("touch owned")))),
        "stores a tensor as 'os.system'",
    ),
    "a storage in a storage": (load(storage(kind=LOAD)), "stores a tensor as 'torch.storage._load_from_bytes'"),
    "another magic number": (load(storage(magic=7)), "stores a tensor in another way"),
    "a big-endian storage": (load(storage(little_endian=False)), "other byte order"),
    "too few numbers": (load(storage(numel=1000)), "has 1000 elements"),
    "two counts": (load(storage(count=3)), "stores a tensor in another way"),
    "negative count": (load(storage(numel=-1)), "has -1 elements"),
    "more after the numbers": (load(storage(after=b"more")), "has 4 elements"),
    "a ZIP file as storage": (load(b"PK\x03\x04" + b"\0" * 100), "is damaged"),
    "bytes that are none": (call(LOAD, b"}"), "describes a storage in another way"),
    # Tensors.
    "beyond the end": (tensor(1, (4,), (1,)), "does not fit its 4 stored numbers"),
    "beyond the end by stride": (tensor(0, (2, 2), (3, 1)), "does not fit its 4 stored numbers"),
    "before the beginning": (tensor(-1, (2,), (1,)), "other than counts"),
    "backwards": (tensor(3, (2,), (-1,)), "other than counts"),
    "repeated without end": (tensor(0, (2**20, 2**20), (0, 0)), "does not fit its 4 stored numbers"),
    "an overflowing stride": (tensor(0, (1,), (2**62,)), "other than counts"),
    "no numbers": (tensor(0, (0, 2**40), (1, 1)), "does not fit its 4 stored numbers"),
    "many dimensions": (tensor(0, (1,) * 40, (1,) * 40), "40 sizes and 40 strides"),
    "sizes without strides": (tensor(0, (2, 2), (1,)), "2 sizes and 1 strides"),
    "not of a storage": (call(REBUILD, b"}", b"K\x00", b")", b")", b"\x89", b"}"), "describes a tensor in another way"),
    "hooks": (
        call(REBUILD, load(storage()), b"K\x00", b")", b")", b"\x89", b"}" + text("a") + b"Ns"),
        "a tensor in another way",
    ),
    "one storage for many tensors": (
        load(storage(1000))
        + b"q\x01"
        + b"".join(call(REBUILD, b"h\x01", b"K\x00", b"(M\xe8\x03t", b"(K\x01t", b"\x89", b"}") for _ in range(40)),
        "more numbers than it has room for",
    ),
    # Time and memory.
    "bytes that are not there": (b"\x8e" + struct.pack("<Q", 2**60), "ends in the middle"),
    "text that is not there": (b"\x8d" + struct.pack("<Q", 2**60), "ends in the middle"),
    "an integer that is not there": (b"\x8b" + struct.pack("<i", 2**31 - 1), "ends in the middle"),
    "a deep key": (b"}" + deep(20_000) + b"Ns", "has a tuple as a key"),
    "a branching key": (b"}" + b")" + b"q\x01h\x01\x86" * 60 + b"Ns", "has a tuple as a key"),
    "a large number as key": (b"}" + integer(2**61 - 1) + b"Ns", "has 2305843009213693951 as a key"),
    "branching dicts": (
        b"}q\x02" + b"".join(b"0}(" + branches(level) + b"uq" + bytes([level + 1]) for level in range(2, 5)),
        "has no averaged generator",
    ),
    "a long key": (b"}" + text("k" * 5000) + b"Ns", "as a key"),
    "deep tuples": (deep(20_000), "holds no networks"),
    "deep dicts": (text("k") + b"q\x010" + b"}h\x01" * 8_000 + b"N" + b"s" * 8_000, "has no averaged generator"),
    "very many instructions": (b"N0" * 20_000, "more than 30000 instructions"),
    "one list for many sets": (
        b"](" + text("a") * 1 + b"".join(text(str(i)) for i in range(2_000)) + b"eq\x010" + call(SET, b"h\x01") * 100,
        "more than 30000 instructions",
    ),
    # A damaged machine.
    "no such memo": (b"h\x07", "is damaged"),
    "an empty stack": (b"0", "is damaged"),
    "no mark": (b"t", "is damaged"),
    "a key without value": (b"}(" + text("a") + b"u", "is damaged"),
    "protocol 6": (b"\x80\x06N", "protocol 6"),
    "unknown instruction": (b"\xfe", "is damaged, or no pickle"),
    "two values": (b"NN", "is damaged"),
    "undecodable text": (b"X\x02\x00\x00\x00\xff\xff", "is damaged"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_attacks(attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body, sentence = HOSTILE[attack]
    monkeypatch.setattr(pickle_vm, "MAX_INSTRUCTIONS", 30_000)  # a million take seconds
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pkl"
    path.write_bytes(P2 + body + STOP)
    tracemalloc.start()
    try:
        with pytest.raises(ErsatzError) as refusal:
            read_networks(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(refusal.value)
    assert sentence in message
    assert message.startswith(str(path))
    assert "is expected" in message
    assert len(message) < len(str(path)) + 500
    assert list(tmp_path.iterdir()) == [path]
    assert peak < 30 * 2**20


def test_the_machine_reads_harmless_values(tmp_path: Path) -> None:
    """Else the attacks above could fail for another reason than theirs."""
    path = tmp_path / "plain.pkl"
    parts = {"number": call(SCALAR, F8 + F8_STATE + b"b", raw_bytes(struct.pack("<d", 2.5)))}
    parts |= {"tensor": tensor(1, (2, 1), (2, 1)), "set": call(SET, b"](" + text("a") + b"e")}
    parts |= {"dict": EASY_DICT + b")\x81" + text("a") + b"K\x07s", "size": call(name("torch", "Size"), b"(K\x02t")}
    parts |= {
        "old": call(
            name("torch._utils", "_rebuild_tensor"),
            load(storage(location=text("cuda:0"))),
            b"K\x00",
            b"(K\x04t",
            b"(K\x01t",
        )
    }
    path.write_bytes(P2 + b"}(" + b"".join(text(key) + value for key, value in parts.items()) + b"u" + STOP)
    found = read_pickle(path)
    assert found["tensor"].tolist() == [[1.0], [3.0]]
    assert found["old"].tolist() == [0, 1, 2, 3]
    assert not found["tensor"].flags.writeable
    assert {key: found[key] for key in ("number", "set", "dict", "size")} == {
        "number": 2.5,
        "set": {"a"},
        "dict": {"a": 7},
        "size": (2,),
    }


def test_a_network_that_contains_itself(tmp_path: Path) -> None:
    """The memo lets a file put a module into its own state after it was made."""
    state = b"}(" + text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + b"}q\x02"
    state += (
        text("_init_kwargs") + b"}(" + text("z_dim") + b"K\x08" + text("w_dim") + b"K\x08" + text("c_dim") + b"K\x00"
    )
    state += text("img_resolution") + b"K\x10" + text("img_channels") + b"K\x01" + b"u" + b"u"
    meta = b"}(" + text("type") + text("class") + text("version") + b"K\x06" + text("class_name") + text("Generator")
    meta += text("state") + state + b"u"
    module = call(MODULE, meta) + b"q\x01"
    again = b"h\x02" + text("child") + b"h\x01" + b"s0"
    path = tmp_path / "loop.pkl"
    path.write_bytes(P2 + b"}" + text("G_ema") + module + again + b"s" + STOP)
    with pytest.raises(ErsatzError, match="contains itself"):
        read_networks(path)


def test_the_embedded_source_text_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that tests write carry `raise SystemExit`, where NVIDIA's loader would run it."""
    g, d = small_networks()
    body = dumped(content(g, d))
    assert b"raise SystemExit" in body

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("code was run")

    path = tmp_path / "network.pkl"
    path.write_bytes(body)
    for target in (
        "builtins.exec",
        "builtins.eval",
        "builtins.compile",
        "pickle.loads",
        "pickle.load",
        "pickle.Unpickler",
    ):
        monkeypatch.setattr(target, never)
    contents = read_contents(path)
    assert "SystemExit" not in repr(contents.facts)


@pytest.fixture(scope="module")
def small_file() -> bytes:
    g, d = small_networks(size=8, channel_base=32, channel_max=4, z_dim=4, w_dim=4, mapping_layers=1)
    return dumped(content(g, d, D=None))


def survives(path: Path, body: bytes) -> bool:
    """Whether the file is read; a refusal must be an `ErsatzError`."""
    path.write_bytes(body)
    try:
        read_networks(path)
    except ErsatzError:
        return False
    return True


def test_files_cut_anywhere(small_file: bytes, tmp_path: Path) -> None:
    assert survives(tmp_path / "whole.pkl", small_file)
    generator = random.Random(0)
    for length in [1, 2, 3, 10, len(small_file) - 1, *(generator.randrange(len(small_file)) for _ in range(30))]:
        assert not survives(tmp_path / "cut.pkl", small_file[:length])
    assert not survives(tmp_path / "more.pkl", small_file + b"N.")


@pytest.mark.parametrize("change", ["byte", "piece", "swap"])
def test_files_changed_anywhere(change: str, small_file: bytes, tmp_path: Path) -> None:
    """Whatever is changed, the file is read or refused: no other error comes out."""
    changes: dict[str, Callable[[random.Random, bytearray], None]] = {
        "byte": lambda r, body: body.__setitem__(r.randrange(len(body)), r.randrange(256)),
        "piece": lambda r, body: body.__delitem__(slice(at := r.randrange(len(body)), at + r.randrange(1, 40))),
        "swap": lambda r, body: body.__setitem__(slice(at := r.randrange(len(body)), at + 8), body[:8]),
    }
    refused = 0
    for seed in range(50):
        body = bytearray(small_file)
        changes[change](random.Random(seed), body)
        refused += not survives(tmp_path / "changed.pkl", bytes(body))
    assert refused


def test_numbers_that_exploded(tmp_path: Path) -> None:
    g, d = small_networks()
    g.mapping.w_avg[3] = np.nan
    path = tmp_path / "nan.pkl"
    path.write_bytes(dumped(content(g, d)))
    with pytest.raises(ErsatzError, match="infinite or not numbers at all"):
        read_networks(path)
