"""All gradients of a network in one flat tensor: zeroed, measured and made finite by one kernel each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.gans.optimizers import start_adam

LIMIT = 1e5
"""What an infinite gradient becomes; one that is not a number becomes 0."""
ALIGNMENT = 4  # numbers, that is 16 bytes: what vectorised kernels ask of the beginning of a tensor


class FlatGradients:
    """The gradients of a network's parameters, as views of `flat`, for as long as the parameters live.

    A phase that does not touch a parameter leaves zeros, not None: Adam then counts a step for it and its averages
    decay. Of the two published repositories stylegan2-ada does so too, and stylegan3 skips such parameters; after
    some iterations their losses differ by a per cent or two.
    """

    def __init__(self, network: nn.Module):
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        room = [-(-parameter.numel() // ALIGNMENT) * ALIGNMENT for parameter in parameters]
        self.flat = torch.zeros(sum(room), device=parameters[0].device)
        for parameter, piece in zip(parameters, self.flat.split(room), strict=True):
            # Laid out like the parameter (channels last), as the fused optimiser wants it.
            parameter.grad = piece.as_strided(parameter.shape, parameter.stride())

    def zero(self) -> None:
        self.flat.zero_()

    def norm(self) -> Tensor:
        """Length of the whole gradient, a scalar on the device."""
        return torch.linalg.vector_norm(self.flat)

    def mend(self) -> None:
        """Replace what is not a number by 0 and what is infinite by +-`LIMIT`."""
        torch.nan_to_num(self.flat, nan=0.0, posinf=LIMIT, neginf=-LIMIT, out=self.flat)


def lazy_adam(network: nn.Module, lr: float, interval: int, device: torch.device) -> torch.optim.Adam:
    """Adam for a loss every iteration and a penalty every `interval` (arXiv 1912.04958, appendix B).

    Its rate and betas are those of k / (k + 1) of an iteration. The rate is a tensor on the device, so that it can be
    changed under a CUDA graph.
    """
    share = interval / (interval + 1)
    rate = torch.tensor(lr * share, device=device)
    optimizer = torch.optim.Adam(
        network.parameters(), rate, (0.0, 0.99**share), 1e-8, fused=True, capturable=device.type == "cuda"
    )
    start_adam(optimizer)
    return optimizer
