"""A valid small file of each kind, made here, from which the hostile ones are made."""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

SIZE = 32


def pixels(number: int = 0) -> np.ndarray:
    """uint8 [32, 32]: a different one for each number."""
    return np.random.default_rng(number).integers(0, 255, (SIZE, SIZE), dtype=np.uint8)


def picture(form: str, number: int = 0, **options: Any) -> bytes:
    """A small picture in one of Pillow's forms."""
    content = io.BytesIO()
    Image.fromarray(pixels(number)).save(content, form, **options)
    return content.getvalue()


@cache
def dicom() -> bytes:
    """One grey frame of 8 bits with a patient."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan = Dataset()
    scan.file_meta = meta
    scan.SOPClassUID, scan.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    scan.PatientID, scan.Modality = "p1", "CT"
    scan.Rows = scan.Columns = SIZE
    scan.SamplesPerPixel, scan.PhotometricInterpretation = 1, "MONOCHROME2"
    scan.BitsAllocated = scan.BitsStored = 8
    scan.HighBit, scan.PixelRepresentation = 7, 0
    scan.PixelData = pixels().tobytes()
    content = io.BytesIO()
    scan.save_as(content, enforce_file_format=True)
    return content.getvalue()


def zipped(entries: dict[str, bytes]) -> bytes:
    """A ZIP of these entries."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return content.getvalue()


@cache
def zip_of_classes() -> bytes:
    """Two classes of three pictures each, and a CSV beside them."""
    entries = {f"{name}/{i}.png": picture("PNG", i + 7 * len(name)) for name in ("bleed", "no") for i in range(3)}
    rows = "".join(f"{name},p{i},5{i}\n" for i, name in enumerate(entries))
    return zipped({**entries, "about.csv": f"image,patient,age\n{rows}".encode()})


@cache
def npz() -> bytes:
    """Images and labels of the three splits, as MedMNIST's files have them."""
    content = io.BytesIO()
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.stack([pixels(i) for i in range(4)])
        arrays[f"{split}_labels"] = np.array([[0], [1], [0], [1]], np.uint8)
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def csv() -> bytes:
    """A table that names the pictures a/0.png, ... of a folder."""
    rows = [f"{name}/{i}.png,{name},p{i},{20 + i}" for name in ("bleed", "no") for i in range(3)]
    return ("image,label,patient,age\n" + "\n".join(rows) + "\n").encode()


def safetensors(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """A safetensors file: the length of its header, the header, the numbers."""
    header: dict[str, Any] = {"__metadata__": metadata}
    body = b""
    for name, values in tensors.items():
        raw = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    written = json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + body


def snapshot_facts(gan: str) -> dict[str, Any]:
    """What a snapshot says of its networks, small ones."""
    common = {
        "format": "ersatz-snapshot-1",
        "gan": gan,
        "size": SIZE,
        "channels": 1,
        "classes": ["bleed"],
        "conditional": False,
        "class_name": "bleed",
        "images_seen": 100,
        "seconds": 1.0,
        "config_sha256": "0" * 64,
        "dataset": "d",
        "dataset_fingerprint": "0" * 64,
        "z_dim": 8,
    }
    if gan == "dcgan":
        config = {"gan": "dcgan", "kind": "train", "dataset": "d", "g_channels": 8, "d_channels": 8, "z_dim": 8}
        return common | {"architecture": "recipe", "config": config}
    shape = {"size": SIZE, "channels": 1, "z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_base": 256,
             "channel_max": 8}  # fmt: skip
    return common | {"g_architecture": shape, "d_architecture": shape, "w_dim": 8, "num_ws": 8}


@cache
def snapshot(gan: str = "dcgan") -> bytes:
    """A whole snapshot with the generator of its facts."""
    from engine.configs.gans import gan_named
    from engine.store.plugins import named

    facts = snapshot_facts(gan)
    network = named(gan_named(gan).load_generator)(facts)
    tensors = {f"G_ema.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    return safetensors(tensors, {"ersatz": json.dumps(facts)})


def onnx_model(nodes: list[Any], tensors: list[Any], outputs: list[Any] | None = None, **options: Any) -> bytes:
    """A model from z [batch, 8] to images."""
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 8])]
    outputs = outputs or [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, SIZE, SIZE])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], **options)
    model.ir_version = 10
    return model.SerializeToString()


@cache
def onnx_generator() -> bytes:
    """The smallest generator: a matrix and a shape."""
    weight = np.full((8, SIZE * SIZE), 0.01, np.float32)
    tensors = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array([-1, 1, SIZE, SIZE]), "shape")]
    nodes = [
        helper.make_node("MatMul", ["z", "w"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["images"]),
    ]
    return onnx_model(nodes, tensors)


def external_tensor(place: str, shape: tuple[int, ...], length: int) -> Any:
    """A tensor whose numbers lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def weights() -> bytes:
    """A state dict as torch.save writes it."""
    import torch

    content = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(2, 3), "fc.bias": torch.ones(4)}, content)
    return content.getvalue()


@cache
def network_pickle() -> bytes:
    """A small network file in NVIDIA's form."""
    from tests.gans.nvidia_pkl.writing import content, dumped, small_networks

    return dumped(content(*small_networks()))


def parquet(rows: int = 4) -> bytes:
    """A table of trials."""
    content = io.BytesIO()
    table = {"arm": ["real"] * rows, "ratio": [0.0] * rows, "seed": list(range(rows)), "fold": [0] * rows}
    pd.DataFrame(table).to_parquet(content, index=False)
    return content.getvalue()


@cache
def database() -> bytes:
    """An SQLite file with a table of runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        connection = sqlite3.connect(path)
        connection.execute("create table runs (id text primary key, kind text, created real, config_digest text)")
        connection.execute("insert into runs values ('20260101-000000-x-0', 'train', 1.0, '')")
        connection.commit()
        connection.close()
        return path.read_bytes()


DATASET = {"version": 1, "name": "d", "label": "d", "classes": ["bleed", "no"], "size": SIZE, "mode": "L",
           "provenance": {"source": "x", "layout": "folder", "time": 1.0, "notes": []}, "findings": [],
           "config": {}, "frozen": None}  # fmt: skip
STATUS = {"version": 1, "label": "x", "state": "finished", "created": 1.0, "alarms": [], "result": {}}
GENERATOR = {"version": 1, "gan": "dcgan", "run": "r", "sha256": "0", "z_dim": 8, "size": SIZE, "channels": 1,
             "mode": "L", "classes": ["bleed"], "conditional": False, "class_name": "bleed", "dataset": "d",
             "dataset_fingerprint": "0" * 64, "files": {"generator.onnx": "0"}}  # fmt: skip
ABOUT = {"title": "t", "tags": ["a"], "archived": False, "owner": "o"}
CONFIG = {"kind": "train", "gan": "dcgan", "dataset": "d"}
JSON: dict[str, dict[str, Any]] = {
    "dataset": DATASET,
    "status": STATUS,
    "generator": GENERATOR,
    "about": ABOUT,
    "config": CONFIG,
    "pool": {"version": 1, "classes": ["bleed"], "generators": []},
    "scores": {"version": 1},
    "summary": {"version": 1},
}
TEAM = b'default = "viewer"\n[roles]\neditor = ["anna@clinic.example"]\n'
METRICS = b'{"kimg": 1.0, "time": 1.0, "seconds": 1.0}\n{"kimg": 2.0, "time": 2.0, "seconds": 2.0}\n'

VALID: dict[str, Callable[[], bytes]] = {
    "pickle": network_pickle,
    "onnx": onnx_generator,
    "safetensors": snapshot,
    "weights": weights,
    "zip": zip_of_classes,
    "png": lambda: picture("PNG"),
    "jpeg": lambda: picture("JPEG"),
    "tiff": lambda: picture("TIFF"),
    "dicom": dicom,
    "npz": npz,
    "csv": csv,
    "json": lambda: json.dumps(DATASET).encode(),
    "jsonl": lambda: METRICS,
    "toml": lambda: TEAM,
    "parquet": parquet,
    "sqlite": database,
    "latents": lambda: latents(),
    "text": lambda: b"A title",
}
"""A valid file of each kind."""


def latents(shape: tuple[int, ...] = (1, 8, 8)) -> bytes:
    """w of a generator."""
    content = io.BytesIO()
    np.savez(content, w=np.zeros(shape, np.float32))
    return content.getvalue()


def pickled(value: Any) -> bytes:
    """Python's own pickle of a value."""
    return pickle.dumps(value, 2)
