"""Low precision is where it was asked for, and the numbers of a training stay near those of fp32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.losses import (
    generator_loss,
    gradient_penalty,
    loss_of_fakes,
    loss_of_reals,
    path_lengths,
)
from engine.gans.stylegan2.networks import (
    Convolution,
    Discriminator,
    FullyConnected,
    Generator,
    SynthesisLayer,
    ToRGB,
    set_precision,
)

ARCHITECTURE = Architecture(
    size=32,
    channels=3,
    z_dim=32,
    w_dim=32,
    mapping_layers=2,
    channel_base=512,
    channel_max=32,
    num_fp16_res=2,
    conv_clamp=256,
)
BATCH = 8


def networks(architecture: Architecture, dtype: torch.dtype) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    g, d = Generator(architecture), Discriminator(architecture)
    for network in (g, d):
        network.to(memory_format=torch.channels_last)
        set_precision(network, dtype)
    return g, d


def types_seen(network: nn.Module, x: Tensor) -> tuple[dict[str, set[torch.dtype]], Tensor]:
    """Of what goes into each layer and comes out of it, by the layer's name; and the network's output."""
    seen: dict[str, set[torch.dtype]] = {}
    handles = [
        module.register_forward_hook(
            lambda _, inputs, output, name=name: seen.__setitem__(name, {inputs[0].dtype, output.dtype})
        )
        for name, module in network.named_modules()
        if isinstance(module, (Convolution, SynthesisLayer, ToRGB, FullyConnected))
    ]
    output = network(x)
    for handle in handles:
        handle.remove()
    return seen, output


@pytest.mark.parametrize("num_fp16_res", [0, 2, 4])
@torch.no_grad()
def test_only_the_highest_resolutions_are_lowered(num_fp16_res: int) -> None:
    g, d = networks(replace(ARCHITECTURE, num_fp16_res=num_fp16_res), torch.bfloat16)
    seen, images = types_seen(g, torch.randn(BATCH, 32))
    more, logits = types_seen(d, images)
    assert images.dtype == logits.dtype == torch.float32
    lowest = {0: 64, 2: 16, 4: 8}[num_fp16_res]  # at 4 pixels nothing is ever lowered
    for name, types in (seen | more).items():
        block = next((part for part in name.split(".") if part[0] == "b" and part[1:].isdigit()), "b0")
        low = int(block[1:]) >= lowest and "affine" not in name
        assert types == {torch.bfloat16 if low else torch.float32}, name


def test_fp32_undoes_it() -> None:
    g, d = networks(ARCHITECTURE, torch.float32)
    z = torch.randn(BATCH, 32)
    before = d(g(z))
    set_precision(g, torch.bfloat16)
    set_precision(d, torch.bfloat16)
    assert not torch.equal(d(g(z)), before)
    set_precision(g, torch.float32)
    set_precision(d, torch.float32)
    assert torch.equal(d(g(z)), before)


def losses(g: Generator, d: Discriminator) -> dict[str, Tensor]:
    torch.manual_seed(1)
    reals, z = torch.nn.functional.interpolate(torch.randn(BATCH, 3, 8, 8), 32, mode="bilinear"), torch.randn(BATCH, 32)
    return {
        "g_main": generator_loss(d(g(z))).mean(),
        "g_reg": path_lengths(g.synthesis, g.mapping(z), torch.randn(BATCH, 3, 32, 32)).square().mean(),
        "d_main": (loss_of_fakes(d(g(z).detach())) + loss_of_reals(d(reals))).mean(),
        "d_reg": gradient_penalty(d, reals)[0].mean(),
    }


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_and_gradients_of_all_phases_stay_near_those_of_fp32(dtype: torch.dtype) -> None:
    """Weights and their gradients are fp32; a loss is within 2 %, a gradient points the same way and is as long."""
    exact, lowered = networks(ARCHITECTURE, torch.float32), networks(ARCHITECTURE, dtype)
    pairs = zip(losses(*exact).items(), losses(*lowered).values(), strict=True)
    for (phase, expected), found in pairs:
        assert found.dtype == torch.float32
        assert found.item() != expected.item()
        assert found.item() == pytest.approx(expected.item(), rel=0.02), phase
        which = 0 if phase.startswith("g") else 1
        direction, reference = flat_gradient(found, lowered[which]), flat_gradient(expected, exact[which])
        assert torch.nn.functional.cosine_similarity(direction, reference, dim=0) > 0.99, phase
        assert direction.norm().item() == pytest.approx(reference.norm().item(), rel=0.05), phase


def flat_gradient(loss: Tensor, network: nn.Module) -> Tensor:
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=True)
    assert {gradient.dtype for gradient in found if gradient is not None} == {torch.float32}
    return torch.cat([gradient.flatten() for gradient in found if gradient is not None])


@torch.no_grad()
def test_fp16_survives_large_weights_and_styles() -> None:
    """Without normalisation the sums would leave fp16's range; demodulation cancels the scale of weights anyway."""
    g, _ = networks(ARCHITECTURE, torch.float32)
    for module in g.modules():
        if isinstance(module, SynthesisLayer):
            module.weight *= 3000
            module.affine.weight *= 10
            module.affine.bias *= 10
    z = torch.randn(4, 32)
    expected = g(z)
    set_precision(g, torch.float16)
    found = g(z)
    assert found.isfinite().all()
    assert (found - expected).std() < 0.02 * expected.std()
