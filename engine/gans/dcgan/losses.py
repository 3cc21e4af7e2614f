"""Losses of both networks: pure functions of logits, always in fp32."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def adversarial_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy between the discriminator's logits [N] and targets [N] in [0, 1]; a scalar."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets)


def clean_targets(logits: Tensor, real: bool, inverted: bool) -> Tensor:
    """Targets [N] of 1 for real and 0 for fake, or the other way round if `inverted`."""
    return torch.full_like(logits, float(real != inverted), dtype=torch.float32)


def noisy_targets(logits: Tensor, real: bool, inverted: bool, soft: float, flip: float) -> Tensor:
    """Targets [N] for the discriminator's own loss: moved U(0, soft) off 0 and 1, then flipped with probability `flip`.

    The flips are a Bernoulli draw for each image; a rounded-down count would never flip in a small batch.
    """
    targets = clean_targets(logits, real, inverted)
    if soft:
        targets = targets + (1 - 2 * targets) * soft * torch.rand_like(targets)
    if flip:
        flipped = (torch.rand_like(targets) < flip).float()
        targets = targets + flipped * (1 - 2 * targets)
    return targets


def generator_loss(logits_of_fakes: Tensor, inverted: bool) -> Tensor:
    """The non-saturating loss -log D(G(z)) (arXiv 1406.2661, section 3): fakes [N] should pass for real."""
    return adversarial_loss(logits_of_fakes, clean_targets(logits_of_fakes, real=True, inverted=inverted))


def probability_real(logits: Tensor, inverted: bool) -> Tensor:
    """Mean probability that the discriminator gives to the pictures being real; a scalar without gradient."""
    logits = logits.detach().float()
    return torch.sigmoid(-logits if inverted else logits).mean()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], reals: Tensor, fakes: Tensor) -> Tensor:
    """Mean of (|d logit / d image| - 1)^2 at random points between real and fake images [N, C, H, W]; a scalar.

    The second term of equation 3 of arXiv 1704.00028, without its weight.
    """
    share = torch.rand(len(reals), 1, 1, 1, device=reals.device)
    between = torch.lerp(fakes.detach().float(), reals, share).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).float().sum(), between, create_graph=True)
    # The small constant keeps the derivative of the root finite where the gradient is zero.
    norms = (gradient.float().square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()
    return (norms - 1).square().mean()
