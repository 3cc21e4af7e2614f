"""Files that are no StyleGAN2 of NVIDIA's form: each is named for what it is, in one sentence."""

from __future__ import annotations

import argparse
import ast
import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as safetensors_bytes

from engine.gans.nvidia_pkl.nvidia import read_networks
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY
from tests.gans.nvidia_pkl.writing import (
    Persistent,
    content,
    discriminator_kwargs,
    dumped,
    generator_kwargs,
    named_modules,
    persistent,
    small_networks,
)


def saved(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, w=np.zeros(3))
    return buffer.getvalue()


def scripted() -> bytes:
    """What torch.jit.save writes, as far as its names tell."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py", "version"):
            archive.writestr(f"network/{name}", b"3")
    return buffer.getvalue()


WEIGHTS = {"weight": torch.zeros(3)}
FOREIGN = {
    "empty": (b"", "is empty (0 bytes)", "Download or copy the file again"),
    "text": (b"not a network", "is no pickle of protocol 2 to 5", ""),
    "web page": (b"\n<!DOCTYPE html><html>", "is a web page", "Download the file again"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "only a pointer of Git LFS", "git lfs pull"),
    "checkpoint": (saved(WEIGHTS), "a checkpoint that torch.save wrote (a ZIP archive)", "network-snapshot-*.pkl"),
    "old checkpoint": (
        saved(WEIGHTS, _use_new_zipfile_serialization=False),
        "a checkpoint that torch.save wrote (in its old form)",
        "network-snapshot-*.pkl",
    ),
    "archive": (npz(), "is a ZIP archive", ""),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 60, "is compressed", "unpack it first"),
    "damaged archive": (b"PK\x03\x04" + b"\0" * 60, "is a damaged ZIP archive", ""),
    "safetensors": (safetensors_bytes(WEIGHTS), "is a safetensors file of a state dict", "Save the networks whole"),
    "snapshot": (safetensors_bytes(WEIGHTS, {"ersatz": "{}"}), "is a safetensors file;", "start_from"),
    "pickled dict": (pickle.dumps({"a": 1, "b": 2}), "a pickle of a dict with 'a', 'b', and has no averaged", ""),
    "pickled list": (pickle.dumps([1, 2]), "is a pickle of a list, and holds no networks", ""),
    "pickled number": (pickle.dumps(3.5), "is a pickle of 3.5, and holds no networks", ""),
    "pickled object": (pickle.dumps(Fraction(1, 2)), "asks for 'fractions.Fraction'", "Open it with no other program"),
    "pickled array": (pickle.dumps(np.zeros(3)), "_reconstruct'", "Open it with no other program"),
    "torch script": (scripted(), "is a TorchScript program", ""),
    "protocol 0": (pickle.dumps({"a": 1}, 0), "is no pickle of protocol 2 to 5", ""),
}


NVIDIA, ROSINALITY, LUCIDRAINS = "stylegan2-ada-pytorch or", "rosinality's stylegan2-pytorch", "lucidrains' stylegan2"
OTHERS = {"style.1.weight": torch.zeros(2), "to_rgb1.bias": torch.zeros(2)}
STATES: dict[str, tuple[Any, str, str]] = {
    "of one network": (small_networks()[0].state_dict(), "a state dict", NVIDIA),
    "of parallel networks": ({f"module.{name}": torch.zeros(1) for name in OTHERS}, "a state dict", ROSINALITY),
    "of three": (
        {
            "g": OTHERS,
            "d": {"convs.0.0.weight": torch.zeros(2)},
            "g_ema": OTHERS,
            "g_optim": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": []},
            "args": argparse.Namespace(size=256),
            "latent_avg": torch.zeros(2),
        },
        "the state dicts 'g', 'd', 'g_ema'",
        ROSINALITY,
    ),
    "of an average": ({"g_ema": OrderedDict(OTHERS)}, "the state dict 'g_ema'", ROSINALITY),
    "under one name": (
        {"GAN": OrderedDict({"S.net.0.weight": torch.zeros(2)}), "version": "1.8"},
        "the state dict 'GAN'",
        LUCIDRAINS,
    ),
    "of another program": (
        {"epoch": 3, "model": {"net": WEIGHTS}},
        "the state dict 'model.net'",
        "without the options",
    ),
}


@pytest.mark.parametrize("form", ["zip", "old", "pickle", "pickle 2"])
@pytest.mark.parametrize("kind", STATES)
def test_state_dicts_are_named_for_what_they_are(kind: str, form: str, tmp_path: Path) -> None:
    value, found, program = STATES[kind]
    if form.startswith("pickle") and "args" in value:
        value = {name: part for name, part in value.items() if name != "args"}
    writers: dict[str, Callable[[], bytes]] = {
        "zip": lambda: saved(value),
        "old": lambda: saved(value, _use_new_zipfile_serialization=False),
        "pickle": lambda: pickle.dumps(value),
        "pickle 2": lambda: pickle.dumps(value, 2),
    }
    path = tmp_path / "network.pt"
    path.write_bytes(writers[form]())
    with pytest.raises(ErsatzError, match="tensors by name alone") as refusal:
        read_networks(path)
    message = str(refusal.value)
    assert found in message
    assert program in message
    assert "; a StyleGAN2 network (.pkl) in the format of stylegan2-ada-pytorch is expected. " in message
    assert message.endswith(".")
    assert ("torch.save" in message) == (not form.startswith("pickle"))


def test_state_dicts_of_numpy_and_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    arrays = {"mapping.fc0.weight": np.zeros((2, 2)), "mapping.fc0.bias": np.zeros(2)}
    for body in (pickle.dumps(arrays), pickle.dumps({"G_ema": arrays}, 3), safetensors_bytes(WEIGHTS)):
        path.write_bytes(body)
        with pytest.raises(ErsatzError, match=r"of (a|the) state dict.*tensors by name alone"):
            read_networks(path)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (torch.nn.Linear(1, 1), "with objects of the classes 'torch.nn.modules.linear.Linear'"),
        ({"G": torch.nn.Linear(1, 1), "step": 3}, "with objects of the classes 'torch.nn.modules.linear.Linear'"),
        ({"step": 3, "loss": 0.5}, "with 'step', 'loss'; a StyleGAN2"),
        ({"G_ema": Persistent("Generator", {})}, "with networks of stylegan2-ada-pytorch; a StyleGAN2"),
    ],
)
def test_checkpoints_of_other_contents(value: Any, found: str, tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    with named_modules():
        path.write_bytes(saved(value))
    with pytest.raises(ErsatzError) as refusal:
        read_networks(path)
    assert found in str(refusal.value)


class Trap:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


def test_nothing_of_a_checkpoint_is_run(tmp_path: Path) -> None:
    value = {**WEIGHTS, "trap": Trap(tmp_path / "owned")}
    path = tmp_path / "network.pt"
    for body in (saved(value), saved(value, _use_new_zipfile_serialization=False), pickle.dumps(value)):
        path.write_bytes(body)
        with pytest.raises(ErsatzError) as refusal:
            read_networks(path)
        assert not (tmp_path / "owned").exists()
    assert "nothing of it was run" in str(refusal.value)  # a pickle with more than tensors is not called a state dict


@pytest.mark.parametrize("kind", FOREIGN)
def test_files_of_other_kinds(kind: str, tmp_path: Path) -> None:
    body, found, advice = FOREIGN[kind]
    path = tmp_path / "network.pkl"
    path.write_bytes(body)
    with pytest.raises(ErsatzError) as refusal:
        read_networks(path)
    message = str(refusal.value)
    assert found in message
    assert advice in message
    assert message.startswith(f"{path} ")
    assert "; a StyleGAN2 network (.pkl) in the format of stylegan2-ada-pytorch is expected. " in message


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(ErsatzError, match=r"There is no file .*a network file .* is expected. Correct the path"):
            read_networks(path)


@pytest.fixture
def tensorflow_class() -> Iterator[type]:
    """A class with the name of TensorFlow's networks, as long as a file of it is written."""

    class Network:
        pass

    Network.__module__, Network.__qualname__ = "dnnlib.tflib.network", "Network"
    names = ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network")
    sys.modules.update({name: ModuleType(name) for name in names})
    sys.modules[names[-1]].Network = Network  # type: ignore[attr-defined]
    yield Network
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_tensorflow_networks_are_named(tmp_path: Path, tensorflow_class: type, protocol: int) -> None:
    networks = []
    for _ in range(3):
        network = tensorflow_class()
        network.__dict__ = {"version": 4, "static_kwargs": {}, "variables": [("lod", np.zeros([]))]}
        networks.append(network)
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps(tuple(networks), protocol))
    with pytest.raises(ErsatzError, match=r"is a legacy TensorFlow network .* Convert it with legacy.py"):
        read_networks(path)


@pytest.mark.parametrize("with_arrays", [False, True])
def test_stylegan3_networks_are_named(tmp_path: Path, with_arrays: bool) -> None:
    """Also where something before its layers' names is refused already."""
    layer = Persistent("SynthesisLayer", {"_parameters": {}, "_buffers": {}, "_modules": {}})
    layers = {"input": layer, "L0_36_16": layer, "L14_16_3": layer}
    state: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": layers}
    if with_arrays:
        state = {"size": np.array([16, 16]), **state}
    synthesis = Persistent("SynthesisNetwork", state)
    generator = Persistent("Generator", {"_modules": {"synthesis": synthesis}, "_init_kwargs": {}})
    path = tmp_path / "network.pkl"
    path.write_bytes(dumped({"G": generator, "G_ema": generator}))
    with pytest.raises(ErsatzError, match=r"is a StyleGAN3 network; .* Choose a StyleGAN2 one"):
        read_networks(path)


def unlike(change: str) -> dict[str, Any]:
    """The content of a file that is almost right."""
    g, d = small_networks()
    kwargs, d_kwargs = generator_kwargs(g.architecture), discriminator_kwargs(d.architecture)
    made = persistent(g, kwargs)
    match change:
        case "another class":
            made.class_name = "Encoder"
        case "no tensors":
            del made.state["_buffers"]
        case "missing":
            made.state["_modules"]["synthesis"].state["_modules"]["b8"].state["_modules"].pop("torgb")
        case "surplus":
            made.state["_parameters"] = {"scale": torch.ones(3)}
        case "shape":
            made.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = torch.zeros(1)
        case "whole numbers":
            made.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = torch.zeros(8, dtype=torch.int64)
        case "a part that is no tensor":
            made.state["_buffers"] = {"w_avg": [1, 2]}
        case "positional":
            made.state["_init_args"] = (8,)
        case "no options":
            made = persistent(g, None)
        case "three":
            made = persistent(g, {**kwargs, "img_channels": 4})
        case "odd":
            made = persistent(g, {**kwargs, "img_resolution": 24})
        case "huge":
            made = persistent(g, {**kwargs, "img_resolution": 8192})
        case "wide":
            made = persistent(g, generator_kwargs(g.architecture, channel_max=2**30))
        case "narrow":
            made = persistent(g, generator_kwargs(g.architecture, channel_base=8))
        case "deep":
            made = persistent(g, {**kwargs, "mapping_kwargs": {"num_layers": 1000}})
        case "unknown option":
            made = persistent(g, generator_kwargs(g.architecture, attention=True))
        case "another activation":
            made = persistent(g, {**kwargs, "mapping_kwargs": {"num_layers": 2, "activation": "relu"}})
        case "another clamp":
            made = persistent(g, generator_kwargs(g.architecture, conv_clamp="none"))
        case "another form":
            made = persistent(g, generator_kwargs(g.architecture, architecture=["skip"]))
        case "another G":
            return content(g, d, G=persistent(g, generator_kwargs(g.architecture, conv_clamp=128)))
        case "another D":
            other = small_networks(size=32)[1]
            return content(g, d, D=persistent(other, discriminator_kwargs(other.architecture)))
        case "another D's form":
            return content(g, d, D=persistent(d, {**d_kwargs, "architecture": "skip"}))
        case "no noise":
            made = persistent(g, generator_kwargs(g.architecture, use_noise=False))
        case "a rate of 0" | "an infinite rate":
            rate = 0 if change == "a rate of 0" else float("inf")
            made = persistent(g, {**kwargs, "mapping_kwargs": {"num_layers": 2, "lr_multiplier": rate}})
        case "weights for a network":
            return content(g, d, G_ema=dict(g.state_dict()))
        case "no average":
            return content(g, d, G_ema=None)
        case "a number for a network":
            return content(g, d, D=3)
    return content(g, d, G_ema=made, G=None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("another class", "has 'Encoder' as its network G_ema, where a Generator belongs"),
        ("no tensors", "without its parameters, buffers and modules"),
        ("missing", "lacks the tensor synthesis.b8.torgb.weight"),
        ("surplus", "has a tensor 'scale', which its Generator has not"),
        ("shape", "has the tensor mapping.w_avg of the shape 1, which is 8 by the options"),
        ("whole numbers", "has the tensor mapping.w_avg in int64 numbers"),
        ("a part that is no tensor", "has a list as 'w_avg' among the parts"),
        ("positional", "made with arguments without names"),
        ("no options", "whose option img_resolution is None"),
        ("three", "makes images of 4 channels, where 1 (grey) or 3 (RGB) are known"),
        ("odd", "makes images of 24 px, where a power of two"),
        ("huge", "makes images of 8192 px, where a power of two"),
        ("wide", "whose option channel_max is 1073741824"),
        ("narrow", "whose option channel_base is 8, too few"),
        ("deep", "a mapping network of 1000 layers"),
        ("unknown option", "with the option 'attention' = True, which is not known"),
        ("another activation", "with the option 'activation' = 'relu', and only 'lrelu' is known"),
        ("no noise", "with the option 'use_noise' = False, and only True is known"),
        ("a rate of 0", "whose option lr_multiplier is 0"),
        ("an infinite rate", "whose option lr_multiplier is inf"),
        ("weights for a network", "has a dict as its network G_ema, where a Generator belongs"),
        ("another clamp", "whose option conv_clamp is 'none'"),
        ("another form", "whose option architecture is a list"),
        ("another G", "networks G and G_ema of different architectures"),
        ("another D", "a generator and a discriminator that differ in size"),
        ("another D's form", "lacks the tensor b8.fromrgb.weight"),
        ("no average", "has no averaged generator G_ema"),
        ("a number for a network", "has 3 as its network D, where a Discriminator belongs"),
    ],
)
def test_networks_of_another_kind(change: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(dumped(unlike(change)))
    with pytest.raises(ErsatzError) as refusal:
        read_networks(path)
    assert sentence in str(refusal.value)


def test_a_module_of_another_version(tmp_path: Path) -> None:
    g, d = small_networks()
    body = dumped(content(g, d), protocol=3)
    at = body.index(b"version")
    six = body.index(b"K\x06", at)
    path = tmp_path / "network.pkl"
    path.write_bytes(body[:six] + b"K\x05" + body[six + 2 :])
    with pytest.raises(ErsatzError, match="a module of the format's version 5, and only version 6 is known"):
        read_networks(path)


FORBIDDEN = {("pickle", "load"), ("pickle", "loads"), ("pickle", "Unpickler"), ("pd", "read_pickle")}
FORBIDDEN |= {("marshal", "loads"), ("shelve", "open"), ("joblib", "load"), ("dill", "load"), ("dill", "loads")}


def test_nothing_else_in_the_program_reads_pickles() -> None:
    """No unpickling, no torch.load but for weights alone, no arrays of objects, no text run as code."""
    wrong = []
    paths = [*REPOSITORY.glob("engine/**/*.py"), *REPOSITORY.glob("pages/**/*.py"), REPOSITORY / "app.py"]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            function = tuple(ast.unparse(node.func).split("."))
            bad = function[-2:] in FORBIDDEN or function in (("exec",), ("eval",), ("Unpickler",))
            bad |= function == ("torch", "load") and options.get("weights_only") != "True"
            bad |= function == ("np", "load") and options.get("allow_pickle", "False") != "False"
            if bad:
                wrong.append(f"{path.relative_to(REPOSITORY)}:{node.lineno} {ast.unparse(node)[:80]}")
    assert len(paths) > 50
    assert not wrong
