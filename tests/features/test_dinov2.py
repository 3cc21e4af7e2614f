"""DINOv2 inside torchvision's transformer against a plain one with LayerScale, and from both files that carry it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor

from engine.features.backbones import open_backbone
from engine.features.dinov2 import DIM, GRID, HEADS, LAYERS, PATCH, dinov2_network, read_state, shrunk_positions
from engine.features.sources import available, resolve_weights
from engine.store.errors import ErsatzError


def random_state(side: int = 37) -> dict[str, Tensor]:
    """A state dict as the authors save it, with factors of LayerScale that are far from 1."""
    g = torch.Generator().manual_seed(0)

    def draw(*shape: int, around: float = 0.0, spread: float = 0.02) -> Tensor:
        return around + spread * torch.randn(*shape, generator=g)

    state = {
        "cls_token": draw(1, 1, DIM),
        "pos_embed": draw(1, 1 + side * side, DIM, spread=0.2),
        "patch_embed.proj.weight": draw(DIM, 3, PATCH, PATCH),
        "patch_embed.proj.bias": draw(DIM),
        "norm.weight": draw(DIM, around=1),
        "norm.bias": draw(DIM),
    }
    for layer in range(LAYERS):
        prefix = f"blocks.{layer}"
        shapes = {
            "attn.qkv": (3 * DIM, DIM),
            "attn.proj": (DIM, DIM),
            "mlp.fc1": (4 * DIM, DIM),
            "mlp.fc2": (DIM, 4 * DIM),
        }
        for name, shape in shapes.items():
            state |= {f"{prefix}.{name}.weight": draw(*shape, spread=0.08), f"{prefix}.{name}.bias": draw(shape[0])}
        for n in (1, 2):
            state |= {f"{prefix}.norm{n}.weight": draw(DIM, around=1), f"{prefix}.norm{n}.bias": draw(DIM)}
            state[f"{prefix}.ls{n}.gamma"] = draw(DIM, around=0.3, spread=0.2)
    return state


def plain_features(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """The network written out from the paper: pre-norm blocks, LayerScale on both branches, class token at the end."""
    n = len(images)
    patches = F.conv2d(images, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=PATCH)
    x = torch.cat((state["cls_token"].expand(n, -1, -1), patches.flatten(2).mT), 1) + state["pos_embed"]

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (DIM,), state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)

    def dense(x: Tensor, name: str) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    for layer in range(LAYERS):
        prefix = f"blocks.{layer}"
        query, key, value = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in dense(norm(x, f"{prefix}.norm1"), f"{prefix}.attn.qkv").chunk(3, 2)
        )
        seen = (query @ key.mT / (DIM / HEADS) ** 0.5).softmax(3) @ value
        x = x + state[f"{prefix}.ls1.gamma"] * dense(seen.transpose(1, 2).flatten(2), f"{prefix}.attn.proj")
        hidden = F.gelu(dense(norm(x, f"{prefix}.norm2"), f"{prefix}.mlp.fc1"))
        x = x + state[f"{prefix}.ls2.gamma"] * dense(hidden, f"{prefix}.mlp.fc2")
    return norm(x, "norm")[:, 0]


def as_hugging_face_onnx(state: dict[str, Tensor], path: Path) -> None:
    """An ONNX file with the tensors and the products that an exported Hugging Face DINOv2 has; it computes nothing."""
    tensors = {
        "backbone.embeddings.cls_token": state["cls_token"],
        "backbone.embeddings.patch_embeddings.projection.weight": state["patch_embed.proj.weight"],
        "backbone.embeddings.patch_embeddings.projection.bias": state["patch_embed.proj.bias"],
        "backbone.layernorm.weight": state["norm.weight"],
        "backbone.layernorm.bias": state["norm.bias"],
        "onnx::Concat_7": state["pos_embed"][:, :1],
        "onnx::Reshape_8": state["pos_embed"][:, 1:],
    }
    nodes = []
    for layer in range(LAYERS):
        ours, theirs = f"blocks.{layer}", f"backbone.encoder.layer.{layer}"
        matrices = dict(zip(
            ("query", "key", "value"),
            zip(state[f"{ours}.attn.qkv.weight"].chunk(3), state[f"{ours}.attn.qkv.bias"].chunk(3), strict=True),
            strict=True,
        ))  # fmt: skip
        modules = {f"attention.attention.{name}": pair for name, pair in matrices.items()}
        for name, other in (("attn.proj", "attention.output.dense"), ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2")):
            modules[other] = state[f"{ours}.{name}.weight"], state[f"{ours}.{name}.bias"]
        for module, (weight, bias) in reversed(modules.items()):
            name = f"onnx::MatMul_{len(tensors)}"
            tensors |= {name: weight.T, f"{theirs}.{module}.bias": bias}
            place = f"/{theirs.replace('.layer.', '/layer.').replace('backbone.encoder', 'backbone/encoder')}/"
            nodes.append(helper.make_node("MatMul", ["x", name], ["x"], f"{place}{module.replace('.', '/')}/MatMul"))
        for n in (1, 2):
            tensors |= {f"{theirs}.norm{n}.{kind}": state[f"{ours}.norm{n}.{kind}"] for kind in ("weight", "bias")}
            tensors[f"{theirs}.layer_scale{n}.lambda1"] = state[f"{ours}.ls{n}.gamma"]
    values = [numpy_helper.from_array(value.contiguous().numpy(), name) for name, value in tensors.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [x], [x], values)), path)


@torch.inference_mode()
def test_features_are_those_of_the_network_written_out(tmp_path: Path) -> None:
    state = random_state(GRID)
    torch.save(state, tmp_path / "dinov2.pth")
    net, _ = dinov2_network(tmp_path / "dinov2.pth")
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    expected = plain_features(state, images)
    torch.testing.assert_close(net.eval()(images), expected, rtol=1e-4, atol=1e-4)
    without_scale = {k: torch.ones_like(v) if "gamma" in k else v for k, v in state.items()}
    assert (plain_features(without_scale, images) - expected).abs().max() > 0.1  # the factors matter


@pytest.mark.slow
@torch.inference_mode()
def test_both_files_give_the_same_network_as_timm(tmp_path: Path) -> None:
    state = random_state()
    torch.save(state, tmp_path / "dinov2.pth")
    as_hugging_face_onnx(state, tmp_path / "other.onnx")
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    official, packaged = (dinov2_network(tmp_path / name)[0].eval()(images) for name in ("dinov2.pth", "other.onnx"))
    assert torch.equal(official, packaged)
    timm = pytest.importorskip("timm", reason="timm, an independent implementation, is not installed")
    net = timm.create_model("vit_small_patch14_dinov2", img_size=224, num_classes=0).eval()
    net.load_state_dict({**state, "pos_embed": shrunk_positions(state["pos_embed"])})
    torch.testing.assert_close(official, net(images), rtol=1e-4, atol=1e-4)


def test_positions_are_shrunk_in_place_and_the_class_token_keeps_its_own() -> None:
    rows, columns = torch.meshgrid(torch.arange(37.0), torch.arange(37.0), indexing="ij")
    positions = torch.zeros(1, 1 + 37 * 37, DIM)
    positions[:, 0] = 5
    positions[0, 1:, 0], positions[0, 1:, 1] = rows.flatten(), columns.flatten()
    small = shrunk_positions(positions)
    assert small.shape == (1, 1 + GRID * GRID, DIM)
    assert (small[:, 0] == 5).all()
    found = small[0, 1:, :2].view(GRID, GRID, 2)
    middle = (torch.arange(GRID) + 0.5) * 37 / 16.1 - 0.5  # where a smaller grid's patches lie in the larger one
    inside = slice(2, -2)  # at the edges the cubic kernel repeats the border
    torch.testing.assert_close(found[inside, 5, 0], middle[inside], rtol=0, atol=0.08)
    torch.testing.assert_close(found[5, inside, 1], middle[inside], rtol=0, atol=0.08)


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ErsatzError, match=r"other\.pth does not hold the weights of dinov2"):
        dinov2_network(tmp_path / "other.pth")
    empty = helper.make_model(helper.make_graph([], "g", [], []))
    onnx.save(empty, tmp_path / "empty.onnx")
    with pytest.raises(ErsatzError, match=r"empty\.onnx holds no DINOv2"):
        dinov2_network(tmp_path / "empty.onnx")
    (tmp_path / "torn.onnx").write_bytes(b"\x08\xff\xffnot a model")
    with pytest.raises(ErsatzError, match=r"torn\.onnx cannot be read as an ONNX file"):
        dinov2_network(tmp_path / "torn.onnx")


@pytest.mark.slow
@torch.inference_mode()
def test_real_weights_agree_with_timm() -> None:
    timm = pytest.importorskip("timm", reason="timm, an independent implementation, is not installed")
    if not available("dinov2"):
        pytest.skip("the weights of dinov2 are not on this machine")
    path = resolve_weights("dinov2")
    state, _ = read_state(path)
    net = timm.create_model("vit_small_patch14_dinov2", img_size=224, num_classes=0).eval()
    kept = {key: value for key, value in state.items() if key != "mask_token"}
    net.load_state_dict({**kept, "pos_embed": shrunk_positions(state["pos_embed"])})
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(dinov2_network(path)[0].eval()(images), net(images), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_real_weights_tell_real_head_scans_apart(real_data: Path) -> None:
    """Weights in the wrong places give numbers too; with these the nearest scan is mostly of the same class."""
    if not available("dinov2"):
        pytest.skip("the weights of dinov2 are not on this machine")
    numbers = [*range(12), *range(100, 112)]  # 100 with a haemorrhage come first
    files = [real_data / "head-ct" / "head_ct" / f"{number:03d}.png" for number in numbers]
    scans = np.stack([np.asarray(Image.open(file).convert("RGB").resize((224, 224))) for file in files])
    found = open_backbone("dinov2", resolve_weights("dinov2"), torch.device("cpu")).features(scans)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    similar = found @ found.T
    np.fill_diagonal(similar, -1)
    bleeds = np.arange(24) < 12
    assert (bleeds[similar.argmax(1)] == bleeds).mean() >= 0.7
