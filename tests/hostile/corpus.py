"""About a thousand hostile files, made from fixed seeds: damage to valid ones, and attacks that are written by hand."""

from __future__ import annotations

import io
import json
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from tests.hostile import valid
from tests.hostile.valid import SIZE, VALID

DIGITS = "9" * 5000
PICTURE = "![x](http://attacker.example/x.png)"
WORDS = [
    PICTURE, "[a](javascript:alert(1))", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "$x^2$",
    ":red[no]", ":material/delete:", "`code` ![x](http://attacker.example/y.png) `", "=HYPERLINK(\"http://x\")",
    "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "../../etc/passwd", "/etc/passwd", "C:\\x", "CON", "nul.png",
    "a\x00b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202egnp.exe", "\u2066x\u2069", "\ud800", "x\ny", "x\r\ny",
    " ", "", "." , "..", "~", "~root", "%2e%2e%2f", "a" * 300, "\u0301" * 200, DIGITS, "-" * 100, "1e999", "nan",
    "{}", "{{7*7}}", "${jndi:ldap://x}", "%s%n", "' or 1=1 --", "\ufeff", "\u200b", "#", "a,b", "?a=b&c=d", "*", "|",
]  # fmt: skip
"""What somebody may write where a name, a title, a comment or a parameter is expected."""
LONG_LINE = "x" * 2**20
COUNTS = {
    "pickle": 90, "onnx": 60, "safetensors": 70, "weights": 40, "zip": 80, "png": 70, "jpeg": 70, "tiff": 70,
    "dicom": 70, "npz": 60, "csv": 70, "json": 90, "jsonl": 30, "toml": 40, "parquet": 30, "sqlite": 30, "latents": 40,
}  # fmt: skip
"""How many files of a kind are damaged at random; those written by hand and the `WORDS` come on top."""


@dataclass(frozen=True)
class Case:
    """One hostile file."""

    kind: str
    name: str
    content: bytes


def corpus(share: float = 1.0) -> Iterator[Case]:
    """Every case, or an evenly spread share of each kind; always the same."""
    for kind in [*COUNTS, "text"]:
        cases = [*by_hand(kind), *damaged(kind, COUNTS.get(kind, 0))]
        step = max(1, round(1 / share))
        yield from cases[::step]


def damaged(kind: str, count: int) -> Iterator[Case]:
    """Copies of the valid file, each damaged in a way of its own."""
    whole = VALID[kind]()
    for number in range(count):
        rng = random.Random(f"{kind}-{number}")
        change = CHANGES[number % len(CHANGES)]
        yield Case(kind, f"{change.__name__.strip('_')}-{number}", change(whole, rng))


def _bits(whole: bytes, rng: random.Random) -> bytes:
    changed = bytearray(whole)
    for _ in range(rng.choice((1, 3, 20))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(whole: bytes, rng: random.Random) -> bytes:
    return whole[: rng.randrange(len(whole))]


def _lengths(whole: bytes, rng: random.Random) -> bytes:
    """A word somewhere at the beginning, where lengths and shapes stand, becomes huge or negative."""
    place = rng.randrange(min(len(whole), 512))
    huge = struct.pack(rng.choice(("<I", ">I")), rng.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x10000000, 0, 1)))
    return whole[:place] + huge[: max(1, min(4, len(whole) - place))] + whole[place + 4 :]


def _twice(whole: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(whole))
    end = rng.randrange(start, len(whole) + 1)
    return whole[:end] + whole[start:end] * rng.choice((1, 2, 40)) + whole[end:]


def _noise(whole: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(whole))
    return whole[:start] + rng.randbytes(rng.randrange(1, 64)) + whole[start + 1 :]


def _digits(whole: bytes, rng: random.Random) -> bytes:
    """The first digits become thousands of them, or none."""
    place = next((i for i in range(rng.randrange(len(whole)), len(whole)) if whole[i : i + 1].isdigit()), 0)
    return whole[:place] + rng.choice((DIGITS.encode(), b"-1", b"NaN", b"1e400")) + whole[place + 1 :]


CHANGES = (_bits, _cut, _lengths, _twice, _noise, _digits)


def by_hand(kind: str) -> Iterator[Case]:
    """The attacks that are known for a kind of file."""
    yield Case(kind, "empty", b"")
    yield Case(kind, "valid", VALID[kind]())
    for name, content in ATTACKS.get(kind, dict)().items():
        yield Case(kind, name, content)


def _onnx() -> dict[str, bytes]:
    images = ["images"]
    z = helper.make_tensor_value_info

    def made(*nodes: Any, tensors: Any = (), **options: Any) -> bytes:
        return valid.onnx_model(list(nodes), list(tensors), **options)

    numbers = numpy_helper.from_array
    huge = numbers(np.array([1, 1, 2**17, 2**17]), "shape")
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [z("i", TensorProto.INT64, []), z("go", TensorProto.BOOL, []), z("x", TensorProto.FLOAT, ["batch", 8])],
        [z("again", TensorProto.BOOL, []), z("y", TensorProto.FLOAT, ["batch", 8])],
    )
    endless = helper.make_node("Loop", ["", "true", "z"], images, body=body)
    claimed = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**20, 2**20], raw_data=b"1234")
    tiles = [numbers(np.array([1, 64]), "times")]
    grow = [helper.make_node("Tile", [f"x{i}" if i else "z", "times"], [f"x{i + 1}"]) for i in range(6)]
    return {
        "external-data": made(helper.make_node("MatMul", ["z", "w"], images), tensors=[
            valid.external_tensor("../../../../../../../../etc/passwd", (8, 4), 128)]),
        "external-zero": made(helper.make_node("MatMul", ["z", "w"], images), tensors=[
            valid.external_tensor("/dev/zero", (8, 2**28), 2**33)]),
        "huge-output": made(helper.make_node("ConstantOfShape", ["shape"], images), tensors=[huge]),
        "huge-expand": made(helper.make_node("Expand", ["one", "shape"], images), tensors=[
            huge, numbers(np.float32([[[[1]]]]), "one")]),
        "tiles": made(*grow, helper.make_node("Identity", ["x6"], images), tensors=tiles),
        "endless-loop": made(endless, tensors=[numbers(np.array(True), "true")]),
        "custom-op": made(helper.make_node("Run", ["z"], images, domain="attacker.example")),
        "claimed-shape": made(helper.make_node("MatMul", ["z", "w"], images), tensors=[claimed]),
        "circle": made(helper.make_node("Identity", ["images"], images)),
        "nothing": made(),
        "other-input": made(helper.make_node("Identity", ["nowhere"], images)),
        "wrong-type": made(helper.make_node("Cast", ["z"], images, to=TensorProto.STRING)),
    }  # fmt: skip


def _safetensors() -> dict[str, bytes]:
    one = {"G_ema.x": np.zeros(1, np.float32)}
    found = {}

    def facts(name: str, family: str, /, **changes: Any) -> None:
        told = valid.snapshot_facts(family)
        for field, value in changes.items():
            inner = told
            *path, last = field.split("__")
            for part in path:
                inner = inner[part]
            inner[last] = value
        found[name] = valid.safetensors(one, {"ersatz": json.dumps(told)})

    for name, value in {"huge": 2**20, "digits": int(DIGITS[:4000]), "text": "x", "none": None, "negative": -1,
                        "nan": float("nan"), "list": [1]}.items():  # fmt: skip
        facts(f"dcgan-channels-{name}", "dcgan", config__g_channels=value)
        facts(f"dcgan-size-{name}", "dcgan", size=value)
        facts(f"stylegan-size-{name}", "stylegan2-ada", g_architecture__size=value)
        facts(f"stylegan-width-{name}", "stylegan2-ada", g_architecture__w_dim=value)
        facts(f"stylegan-layers-{name}", "stylegan2-ada", g_architecture__mapping_layers=value)
        facts(f"stylegan-base-{name}", "stylegan2-ada", g_architecture__channel_base=value,
              g_architecture__channel_max=value)  # fmt: skip
    facts("stylegan-54-GB", "stylegan2-ada", g_architecture={"size": 1024, "channels": 3, "w_dim": 100_000,
          "z_dim": 100_000, "mapping_layers": 1})  # fmt: skip
    facts("many-classes", "dcgan", classes=["x"] * 120_000, conditional=True)
    facts("unknown-gan", "dcgan", gan="x")
    facts("unknown-field", "stylegan2-ada", g_architecture={"x": 1})
    facts("facts-of-none", "dcgan", config=None)
    for name, told in {"list": "[]", "text": '"x"', "deep": "[" * 100_000, "digits": DIGITS, "null": "null"}.items():
        found[f"metadata-{name}"] = valid.safetensors(one, {"ersatz": told})
    found["long-header"] = struct.pack("<Q", 2**62) + b"{}"
    found["stylegan-valid"] = valid.snapshot("stylegan2-ada")
    return found


def _zip() -> dict[str, bytes]:
    good = valid.picture("PNG")
    names = ["../../evil.png", "/abs/evil.png", "C:\\evil.png", "a/../../b.png", "a\\..\\b.png", "a/\x1b[31m.png",
             f"a/{DIGITS}.png", f"{'a/' * 2000}b.png", "a/\u202egnp.png", "bleed/CON", "a/=1+1.png",
             f"a/{PICTURE.replace('/', '-')}.png", f"bleed/{'(1)' * 20000}.png", "a/b\nc.png"]  # fmt: skip
    found = {
        f"name-{i}": valid.zipped({name: good, "bleed/1.png": good, "no/1.png": valid.picture("PNG", 1)})
        for i, name in enumerate(names)
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("bleed/1.png", "no/1.png"):
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
    found["links"] = content.getvalue()
    bomb = valid.zipped({"bleed/1.png": b"\0" * 2**26, "no/1.png": good})
    found["bomb"] = bomb
    found["bombs"] = valid.zipped({f"bleed/{i}.zip": bomb for i in range(8)})
    found["many"] = valid.zipped({f"bleed/{i}.txt": b"" for i in range(20_000)})
    found["lies"] = bomb.replace(struct.pack("<I", 2**26), struct.pack("<I", 100))
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        for _ in range(3):
            archive.writestr("bleed/1.png", good)
    found["same-name"] = content.getvalue()
    for i, bad in enumerate(("[" * 50_000, '{"labels": 1}', f'{{"labels": [["a.png", {DIGITS}]]}}', "null")):
        found[f"index-{i}"] = valid.zipped({"dataset.json": bad.encode(), "a.png": good, "b.png": good})
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        nameless = zipfile.ZipInfo("a")
        nameless.filename = ""
        with archive.open(nameless, "w") as entry:
            entry.write(good)
    found["nameless"] = content.getvalue()
    named = valid.zipped({"bleed/\u00e9.png": good, "no/1.png": valid.picture("PNG", 1)})
    every = named.replace("\u00e9".encode(), b"\xf9\xf9")  # the flag says UTF-8
    found["no-utf-8"], found["no-utf-8-inside"] = (
        every,
        every[: named.index(b"PK\1\2")] + named[named.index(b"PK\1\2") :],
    )
    return found


def _png() -> dict[str, bytes]:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    def png(width: int, height: int, *more: bytes, depth: int = 8, kind: int = 0, rows: bytes = b"") -> bytes:
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * 2**26))
    return {
        "claims": png(2**31 - 1, 2**31 - 1),
        "large": png(20_000, 20_000),
        "bomb": png(9_000, 9_000, rows=b"\0" * 9_001 * 9_000),
        "zero": png(0, 0),
        "text-bomb": png(SIZE, SIZE, text, rows=b"\0" * 33 * 32),
        "profile-bomb": png(SIZE, SIZE, chunk(b"iCCP", b"k\0\0" + zlib.compress(b"x" * 2**26)), rows=b"\0" * 33 * 32),
        "depth": png(SIZE, SIZE, depth=3),
        "palette": png(SIZE, SIZE, kind=3, rows=b"\0" * 33 * 32),
        "frames": png(SIZE, SIZE, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), rows=b"\0" * 33 * 32),
        "deep": png(SIZE, SIZE, depth=16, rows=b"\0" * 10),
    }


def _tiff() -> dict[str, bytes]:
    def tiff(entries: list[tuple[int, int, int, int]], after: int = 0, tail: bytes = b"") -> bytes:
        body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return (
            b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + struct.pack("<I", after) + tail
        )

    plain = [(256, 4, 1, SIZE), (257, 4, 1, SIZE), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1),
             (278, 4, 1, SIZE), (273, 4, 1, 200), (279, 4, 1, SIZE * SIZE)]  # fmt: skip
    change = lambda tag, value: [(t, k, n, value if t == tag else v) for t, k, n, v in plain]  # noqa: E731
    return {
        "circle": tiff(plain, 8, b"\0" * 2000),
        "endless-from-fuzzing": bytes.fromhex(
            "49492a0008000000090000010400010000002000000001010400010000002000000002010300010000000800"
            "000003010300010026000003000000020103000100000001000085001501030001000000ffff000016010400"
            "010000002000001101040001d107040000000000010400010000000004000000"
        ),
        "circle-from-fuzzing": bytes.fromhex(
            "49492a00080000000900000104000100000020000000010104000100000020000000020103002b0000000800"
            "000003010300010000000149492a828282828282828282828282828282828282828282828282828282828282"
            "8282828282828282828282828282828282828282828282828282828282000800000000000006010300010000"
            "00"
        ),
        "wide": tiff(change(256, 2**31), 0, b"\0" * 2000),
        "tall": tiff(change(257, 2**31), 0, b"\0" * 2000),
        "samples": tiff(change(277, 65_535), 0, b"\0" * 2000),
        "strips": tiff([*plain[:-2], (273, 4, 2**30, 200), (279, 4, 2**30, 200)], 0, b"\0" * 2000),
        "far": tiff(change(273, 2**32 - 1), 0, b"\0" * 2000),
        "compression": tiff(change(259, 34_712), 0, b"\0" * 2000),
        "pages": tiff(plain, 2**32 - 2, b"\0" * 2000),
    }


def _npz() -> dict[str, bytes]:
    def array(header: str, body: bytes = b"") -> bytes:
        told = header.encode() + b" " * 8 + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told + body

    def of(**arrays: bytes) -> bytes:
        return valid.zipped({f"{name}.npy": content for name, content in arrays.items()})

    shape = "{'descr': '|u1', 'fortran_order': False, 'shape': %s}"
    labels = array(shape % "(4, 1)", b"\0\1\0\1")
    return {
        "terabytes": of(train_images=array(shape % "(1000000, 1000, 1000)"), train_labels=labels),
        "scalar": of(train_images=array(shape % "()", b"\0"), train_labels=labels),
        "negative": of(train_images=array(shape % "(-1, 32, 32)"), train_labels=labels),
        "digits": of(train_images=array(shape % f"({DIGITS}, 1)"), train_labels=labels),
        "objects": of(train_images=array("{'descr': '|O', 'fortran_order': False, 'shape': (4,)}",
                      valid.pickled([1, 2])), train_labels=labels),
        "code": of(train_images=array("__import__('os').system('touch pwned')"), train_labels=labels),
        "deep": of(train_images=array("(" * 20_000), train_labels=labels),
        "text-labels": of(train_images=array(shape % "(1, 32, 32)", b"\0" * 1024),
                          train_labels=array("{'descr': '<U9', 'fortran_order': False, 'shape': (1,)}", b"\xff" * 36)),
        "no-zip": b"PK\x03\x04 no",
        "npy": array(shape % "(4, 32, 32)", b"\0" * 4096),
    }  # fmt: skip


def _csv() -> dict[str, bytes]:
    rows = [f"{name}/{i}.png" for name in ("bleed", "no") for i in range(3)]
    found = {}
    for i, word in enumerate(WORDS):
        text = f"image,label,{word}\n" + "".join(f'{row},{row[0]},"{word}"\n' for row in rows)
        found[f"word-{i}"] = text.encode("utf-8", "surrogatepass")
    found["columns"] = (",".join(f"c{i}" for i in range(3000)) + "\n" + ",".join(["1"] * 3000) + "\n").encode()
    found["line"] = f"image,label\n{rows[0]},{LONG_LINE}\n".encode()
    found["quote"] = b'image,label\n"' + b"x\n" * 50_000
    found["quotes"] = b'"' * 200_000
    found["separators"] = b"," * 500_000
    found["ragged"] = b"image,label\n" + b"".join(b"a," * (i % 50) + b"\n" for i in range(2000))
    found["utf-16"] = b"\xff\xfe" + b"\x00\xd8" * 100
    found["nul"] = b"image,label\n" + b"\0" * 10_000
    return found


def _json() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    bad: dict[str, Any] = {"null": None, "list": [], "text": PICTURE, "number": -1, "object": {"x": {}}}
    bad |= {"nan": float("nan"), "large": 10**400}
    for file, content in valid.JSON.items():
        for i, field in enumerate(content):
            name, value = list(bad.items())[i % len(bad)]
            found[f"{file}@{field}-{name}"] = json.dumps({**content, field: value}).encode()
        found[f"{file}@deep"] = b'{"x":' * 100_000
        found[f"{file}@digits"] = f'{{"version": {DIGITS}}}'.encode()
        found[f"{file}@list"] = b"[]"
        found[f"{file}@bytes"] = b"\xff\xfe\x00"
    return found


def _jsonl() -> dict[str, bytes]:
    return {"list": b"[]\n", "number": b"3\n", "deep": b"[" * 100_000 + b"\n", "digits": DIGITS.encode() + b"\n",
            "line": b'{"x": "' + LONG_LINE.encode() + b'"}\n', "nul": b"\0" * 5000 + b"\n"}  # fmt: skip


def _toml() -> dict[str, bytes]:
    return {"deep": b"x = " + b"[" * 100_000, "digits": b"default = " + DIGITS.encode(),
            "dots": b"a." * 20_000 + b"b = 1", "dots-at": b"a." * 20_000 + b'b = "@"',
            "types": b"default = []", "roles": b"roles = 3",
            "object": b"[default]\nx = 1", "time": b"default = 07:32:00",
            "names": b'[roles]\neditor = [["a@b"]]', "control": b'default = "\\u0000\\u001b[31m"',
            "surrogate": b'default = "\\ud800"'}  # fmt: skip


def _parquet() -> dict[str, bytes]:
    content = io.BytesIO()
    pd.DataFrame({"arm": pd.Categorical(["real"] * 20_000_000)}).to_parquet(content, index=False)
    other = io.BytesIO()
    pd.DataFrame({"x": [{"a": [1]}]}).to_parquet(other)
    return {"bomb": content.getvalue(), "other": other.getvalue(), "magic": b"PAR1" + b"\xff" * 100 + b"PAR1"}


def _latents() -> dict[str, bytes]:
    return {"objects": _npz()["objects"], "large": valid.latents((1, 64, 512)), "scalar": valid.latents(()),
            "terabytes": valid.zipped({"w.npy": b"\x93NUMPY\x01\x00v\x00" + (
                b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8)}".ljust(117) + b"\n")})}  # fmt: skip


def _pickle() -> dict[str, bytes]:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            import os

            return os.system, ("touch pwned",)

    nested = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    memo = b"\x80\x02" + b"X\x00\x00\x10\x00" + b"x" * 2**20 + b"q\x00" + b"(" + b"h\x00" * 200_000 + b"t."
    return {"code": valid.pickled(Evil()), "nested": nested, "memo": memo,
            "long": b"\x80\x02\x8b\xff\xff\xff\x7f" + b"9" * 99,
            "digits": b"I" + DIGITS.encode() + b"\n.", "frame": b"\x80\x04\x95" + b"\xff" * 8 + b"N."}  # fmt: skip


def _weights() -> dict[str, bytes]:
    return {"code": _pickle()["code"], "list": valid.pickled([1]), "from-fuzzing": b"s\x02=K",
            "safetensors": valid.snapshot(),
            "zip": valid.zip_of_classes()}  # fmt: skip


def _dicom() -> dict[str, bytes]:
    whole = valid.dicom()

    def changed(tag: bytes, value: bytes) -> bytes:
        place = whole.index(tag)
        return whole[: place + 8] + value + whole[place + 8 + len(value) :]

    rows, columns, bits = (b"\x28\x00" + low.ljust(2, b"\x00") + b"US" for low in (b"\x10", b"\x11", b"\x00\x01"))
    return {"rows": changed(rows, b"\xff\xff"), "columns": changed(columns, b"\xff\xff"),
            "bits": changed(bits, b"\xff\x00"),
            "no-bits": changed(bits, b"\x00\x00"), "preamble": b"\0" * 128 + b"DICM", "no-rows": changed(rows, b"\0\0"),
            "sequence": whole + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" * 3000}  # fmt: skip


def _text() -> dict[str, bytes]:
    return {f"word-{i}": word.encode("utf-8", "surrogatepass") for i, word in enumerate(WORDS)} | {
        "line": LONG_LINE.encode(),
        "deep": ("[" * 20_000 + "]" * 20_000).encode(),
    }


ATTACKS = {
    "onnx": _onnx, "safetensors": _safetensors, "zip": _zip, "png": _png, "tiff": _tiff, "npz": _npz, "csv": _csv,
    "json": _json, "jsonl": _jsonl, "toml": _toml, "parquet": _parquet, "latents": _latents, "pickle": _pickle,
    "weights": _weights, "dicom": _dicom, "text": _text,
}  # fmt: skip
