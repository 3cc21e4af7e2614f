"""Reading files of weights without running anything in them. sources.py says where the files come from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from engine.features.sources import checked_digest, resolve_weights
from engine.store.errors import ErsatzError

__all__ = ["load_weights", "resolve_weights"]


def load_weights(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """The state dict in `path` and the SHA-256 of the file; code inside the file is never run.

    Raises `ErsatzError` when the file is damaged, is not a state dict, or contradicts the hash in its name.
    """
    digest = checked_digest(path, path.name)
    try:
        if path.suffix == ".safetensors":
            return load_file(path), digest
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader fails in any way on what is damaged
        raise ErsatzError(
            f"{path} cannot be read as PyTorch weights; a state dict saved with torch.save was expected. "
            "Fetch the file again, or name another one."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ErsatzError(
            f"{path} holds something other than a plain state dict of tensors, which was expected. "
            "Name a file saved with torch.save(model.state_dict(), path)."
        )
    return state, digest
