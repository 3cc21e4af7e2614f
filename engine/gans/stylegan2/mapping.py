"""The mapping network of StyleGAN2, from z to w; a conditional discriminator has one too, of the condition alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.gans.stylegan2.layers import FullyConnected, norm2

LR = 0.01
"""Learning rate of the mapping layers relative to the others' (arXiv 1812.04948, appendix C)."""
W_AVG_BETA = 0.995
"""How much of the running mean of w stays at each update."""


def one_hot(labels: Tensor | None, classes: int) -> Tensor | None:
    """Condition vectors float [N, classes] of `labels` int64 [N]; None for an unconditional network."""
    if labels is None or not classes:
        return None
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float()


class Trunk(nn.Module):
    """Embedding of the condition, and the fully-connected layers, under the names that the file format has.

    z [N, z_dim] (None if z_dim is 0) and c [N, classes] (None if classes is 0) -> [N, w_dim].
    """

    def __init__(self, z_dim: int, classes: int, w_dim: int, layers: int):
        super().__init__()
        self.z_dim, self.classes, self.layers = z_dim, classes, layers
        if classes:
            self.embed = FullyConnected(classes, w_dim)
        width = z_dim + (w_dim if classes else 0)
        for i in range(layers):
            self.add_module(f"fc{i}", FullyConnected(width, w_dim, "lrelu", lr=LR))
            width = w_dim

    def through_layers(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        dtype = next(self.parameters()).dtype  # latents drawn by NumPy come as float64
        inputs = []
        if self.z_dim:
            assert z is not None
            inputs.append(norm2(z.to(dtype)))
        if self.classes:
            if c is None:
                raise ValueError(f"the network is conditional on {self.classes} classes, and no condition is given")
            inputs.append(norm2(self.embed(c.to(dtype))))
        x = torch.cat(inputs, dim=1)
        for i in range(self.layers):
            x = getattr(self, f"fc{i}")(x)
        return x


class ConditionMapping(Trunk):
    """The discriminator's: c [N, classes] -> [N, width]."""

    def __init__(self, classes: int, width: int, layers: int):
        super().__init__(0, classes, width, layers)

    def forward(self, c: Tensor | None) -> Tensor:
        return self.through_layers(None, c)


class Mapping(Trunk):
    """The generator's: z [N, z_dim] and c [N, classes] -> ws [N, num_ws, w_dim], truncated towards the mean w."""

    w_avg: Tensor

    def __init__(self, z_dim: int, classes: int, w_dim: int, num_ws: int, layers: int):
        super().__init__(z_dim, classes, w_dim, layers)
        self.num_ws = num_ws
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, c: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Truncation moves w to `w_avg + psi (w - w_avg)` in the first `cutoff` layers, by default in all."""
        ws = self.through_layers(z, c)[:, None].expand(-1, self.num_ws, -1)
        if psi == 1:
            return ws
        truncated = self.w_avg.lerp(ws, psi)
        return truncated if cutoff is None else torch.cat([truncated[:, :cutoff], ws[:, cutoff:]], dim=1)

    @torch.no_grad()
    def track(self, ws: Tensor) -> None:
        """Move the running mean of w towards that of ws [N, num_ws, w_dim], as one training pass does."""
        self.w_avg.lerp_(ws[:, 0].mean(0), 1 - W_AVG_BETA)
