"""The optimisers' state under the names that snapshots hold: `G.optimizer.0.exp_avg` and so on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ENTRIES = ("step", "exp_avg", "exp_avg_sq")


def start_adam(optimizer: torch.optim.Adam) -> None:
    """Give every parameter the state that Adam's first step would make, so that it is there to be saved and loaded."""
    for _, parameter, state in _parameters(optimizer):
        state["step"] = torch.zeros((), device=parameter.device)
        # Adam wants its averages laid out in memory like the parameter (channels last).
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)


def adam_state(name: str, optimizer: torch.optim.Adam) -> dict[str, Tensor]:
    """Step counters and averages of all parameters, in the parameters' order."""
    return {
        f"{name}.optimizer.{i}.{entry}": state[entry] for i, _, state in _parameters(optimizer) for entry in ENTRIES
    }


@torch.no_grad()
def load_adam_state(name: str, optimizer: torch.optim.Adam, tensors: dict[str, Tensor]) -> None:
    """The inverse of `adam_state`. KeyError or RuntimeError if the tensors do not fit."""
    for key, tensor in adam_state(name, optimizer).items():
        tensor.copy_(tensors[key])


@torch.no_grad()
def gradient_norm(network: nn.Module) -> Tensor:
    """Length of the gradient over all parameters; a scalar on the device."""
    return nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


def _parameters(optimizer: torch.optim.Adam) -> list[tuple[int, nn.Parameter, dict[str, Tensor]]]:
    return [
        (i, parameter, optimizer.state[parameter]) for i, parameter in enumerate(optimizer.param_groups[0]["params"])
    ]
