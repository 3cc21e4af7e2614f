"""Losses of StyleGAN2-ADA as pure functions of logits, images and w, one number a sample, always in fp32.

Every image that the discriminator sees, real or generated, goes through `see`: the augmentation, then D. The weights
of the penalties and the intervals of their lazy use are the trainer's business.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.gans.stylegan2.operations.convolutions import gradients_of_images_only

See = Callable[[Tensor], Tensor]
"""Images [N, C, H, W] in [-1, 1] -> logits [N, 1]."""
Synthesise = Callable[[Tensor], Tensor]
"""ws [N, num_ws, w_dim] -> images [N, C, H, W]."""

PL_DECAY = 0.01
"""How far the running mean of path lengths moves at each penalty (arXiv 1912.04958, appendix B)."""


def generator_loss(logits_of_fakes: Tensor) -> Tensor:
    """Non-saturating logistic loss -log sigmoid(D(G(z))) (arXiv 1406.2661, section 3): fakes should pass for real."""
    return F.softplus(-logits_of_fakes)


def loss_of_reals(logits: Tensor) -> Tensor:
    """The discriminator's logistic loss on real images, -log sigmoid(D(x))."""
    return F.softplus(-logits)


def loss_of_fakes(logits: Tensor) -> Tensor:
    """The discriminator's logistic loss on generated images, -log(1 - sigmoid(D(G(z))))."""
    return F.softplus(logits)


def gradient_penalty(discriminate_augmented: See, reals: Tensor) -> tuple[Tensor, Tensor]:
    """R1 (arXiv 1801.04406, equation 9) without gamma / 2, [N], and the logits of the reals, [N, 1].

    The squared length of the gradient of D(see(x)) with respect to the image as it was before its augmentation.
    """
    reals = reals.detach().requires_grad_()
    logits = discriminate_augmented(reals)
    with gradients_of_images_only():
        (gradient,) = torch.autograd.grad(logits.sum(), reals, create_graph=True)
    return gradient.square().sum((1, 2, 3)), logits


def path_lengths(synthesise: Synthesise, ws: Tensor, noise: Tensor) -> Tensor:
    """Path lengths |J^T y| for random images y, [N]: how far the image moves with w (arXiv 1912.04958, section 3.2).

    ws [N, num_ws, w_dim] with a graph behind it; `noise` N(0, 1) of the images' shape.
    """
    images = synthesise(ws)
    y = noise / sqrt(images.shape[2] * images.shape[3])
    with gradients_of_images_only():
        (gradient,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance of path lengths [N] from their running mean, [N], and that mean moved, a scalar.

    The penalty measures from the moved mean, and its gradient goes through it; only what is kept is detached.
    """
    mean = mean.lerp(lengths.mean(), PL_DECAY)
    return (lengths - mean).square(), mean


def mixed(ws: Tensor, others: Tensor, cutoff: Tensor) -> Tensor:
    """Style mixing (arXiv 1812.04948, section 3.1): ws [N, num_ws, w_dim], and `others` from layer `cutoff` on."""
    layers = torch.arange(ws.shape[1], device=ws.device)[:, None]
    return torch.where(layers < cutoff, ws, others)


def draw_cutoff(num_ws: int, probability: float, device: torch.device) -> Tensor:
    """Where a batch's styles change: with `probability` a layer of 1 to num_ws - 1, else num_ws, which mixes nothing.

    A scalar on the device, so that the host does not wait for it and a CUDA graph can draw it.
    """
    cutoff = torch.randint(1, num_ws, (), device=device)
    return torch.where(torch.rand((), device=device) < probability, cutoff, num_ws)
