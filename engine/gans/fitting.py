"""Networks built only as large as the file that describes them says they are.

The facts of a snapshot are text that anybody can write. A file of 1 kB could claim a generator of 54 GB; so the network
is first made without memory (torch's meta device), and only if its tensors are those of the file is it made in earnest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.store.errors import ErsatzError


class Misfit(Exception):
    """What a file says of its network is not what it holds; the message says how."""


def fitting_network(
    build: Callable[[Any], nn.Module], facts: Mapping[str, Any], state: Mapping[str, Tensor]
) -> nn.Module:
    """`build(facts)` with the tensors of `state`, which must be all of its own. Raises `Misfit`, having taken no memory
    for it."""
    try:
        with torch.device("meta"):
            wanted = {name: tuple(tensor.shape) for name, tensor in build(facts).state_dict().items()}
    except ErsatzError as error:
        raise Misfit(f"it describes no network of this program: {error}") from error
    except Exception as error:  # what is built from wrong facts can fail anywhere
        raise Misfit(f"it describes no network that can be built ({type(error).__name__}: {error})") from error
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise Misfit(
            f"its tensors do not fit its config: {wrong[0]} is {_shape(found.get(wrong[0]))}, and "
            f"{_shape(wanted.get(wrong[0]))} is expected"
        )
    network = build(facts)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise Misfit("its tensors do not fit its config") from error
    return network


def _shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {list(shape)}"
