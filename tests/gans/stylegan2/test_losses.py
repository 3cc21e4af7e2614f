"""The losses agree with the reference's arrays: every number a sample, every gradient, and what a phase leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.gans.augment.pipe import AugmentPipe
from engine.gans.nvidia_pkl.nvidia import read_networks
from engine.gans.stylegan2.losses import (
    draw_cutoff,
    generator_loss,
    gradient_penalty,
    loss_of_fakes,
    loss_of_reals,
    mixed,
    path_lengths,
    path_penalty,
)
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
)
from engine.gans.stylegan2.trainer import FlatGradients
from engine.store.home import REPOSITORY

FIXTURES = REPOSITORY.parent / "shared" / "fixtures" / "stylegan2-ada"
TOLERANCE = 1e-5
"""Relative; of a gradient, to its largest number."""


def losses_files() -> list[Path]:
    return sorted(FIXTURES.glob("*.losses.npz"))


class Phases:
    """The four phases on fixed latents and images, without mixing and noise, as the arrays were made."""

    def __init__(self, file: Path, augmented: bool):
        networks = read_networks(file.with_name(file.name.replace(".losses.npz", ".pkl")))
        assert networks.g is not None and networks.d is not None and networks.d_architecture is not None
        self.g, self.d = Generator(networks.g_architecture), Discriminator(networks.d_architecture)
        self.g.load_state_dict(networks.g)
        self.d.load_state_dict(networks.d)
        self.arrays = {name: torch.from_numpy(array) for name, array in np.load(file).items()}
        self.c = self.arrays["c"] if self.arrays["c"].shape[1] else None
        self.augment: Callable[[Tensor], Tensor] | None = None
        if augmented:
            pipe = AugmentPipe("bgc", self.arrays["real"].shape[1])
            pipe.p.fill_(1)
            self.augment = lambda images: pipe(images, debug_percentile=0.75)
        self.gradients = {"G": FlatGradients(self.g), "D": FlatGradients(self.d)}
        self.pl_mean = torch.zeros([])

    def discriminate_augmented(self, images: Tensor) -> Tensor:
        return self.d(self.augment(images) if self.augment else images, self.c)

    def ws(self, count: int) -> Tensor:
        ws = self.g.mapping(self.arrays["z"][:count], None if self.c is None else self.c[:count])
        self.g.mapping.track(ws.detach())
        return ws

    def g_main(self) -> dict[str, Tensor]:
        logits = self.discriminate_augmented(self.g.synthesis(self.ws(len(self.arrays["z"])), "none"))
        loss = generator_loss(logits)
        loss.mean().backward()
        return {"Loss/scores/fake": logits, "Loss/signs/fake": logits.sign(), "Loss/G/loss": loss}

    def g_reg(self) -> dict[str, Tensor]:
        noise = self.arrays["pl_noise"]
        lengths = path_lengths(lambda ws: self.g.synthesis(ws, "none"), self.ws(len(noise)), noise)
        penalty, mean = path_penalty(lengths, self.pl_mean)
        self.pl_mean = mean.detach()
        loss = penalty * self.arrays["pl_weight"]
        loss.mean().backward()
        return {"Loss/pl_penalty": penalty, "Loss/G/reg": loss}

    def d_main(self) -> dict[str, Tensor]:
        with torch.no_grad():
            fakes = self.g.synthesis(self.ws(len(self.arrays["z"])), "none")
        of_fakes, of_reals = self.discriminate_augmented(fakes), self.discriminate_augmented(self.arrays["real"])
        loss = loss_of_fakes(of_fakes) + loss_of_reals(of_reals)
        loss.mean().backward()
        return {
            "Loss/scores/fake": of_fakes,
            "Loss/signs/fake": of_fakes.sign(),
            "Loss/scores/real": of_reals,
            "Loss/signs/real": of_reals.sign(),
            "Loss/D/loss": loss,
        }

    def d_reg(self) -> dict[str, Tensor]:
        penalty, logits = gradient_penalty(self.discriminate_augmented, self.arrays["real"])
        loss = penalty * self.arrays["r1_gamma"] / 2
        loss.mean().backward()
        return {
            "Loss/scores/real": logits,
            "Loss/signs/real": logits.sign(),
            "Loss/r1_penalty": penalty,
            "Loss/D/reg": loss,
        }


@pytest.mark.parametrize("variant", ["noaug", "augdbg0.75"])
@pytest.mark.parametrize("file", losses_files() or [None], ids=lambda file: file.name if file else "none")
def test_every_phase_agrees_with_the_reference(file: Path | None, variant: str) -> None:
    if file is None:
        pytest.skip(f"the reference's arrays are not at {FIXTURES}")
    phases = Phases(file, augmented=variant != "noaug")
    for name, run, network in (
        ("Gmain", phases.g_main, "G"),
        ("Greg", phases.g_reg, "G"),
        ("Dmain", phases.d_main, "D"),
        ("Dreg", phases.d_reg, "D"),
    ):
        phases.gradients[network].zero()
        phases.g.requires_grad_(network == "G")
        phases.d.requires_grad_(network == "D")
        found = {f"stat|{key}": value.detach() for key, value in run().items()}
        found |= {"pl_mean": phases.pl_mean, "w_avg": phases.g.mapping.w_avg}
        module: nn.Module = phases.g if network == "G" else phases.d
        found |= {f"grad|{key}": value.grad for key, value in module.named_parameters() if value.grad is not None}
        prefix = f"{variant}|{name}|"
        expected = {key.removeprefix(prefix): array for key, array in phases.arrays.items() if key.startswith(prefix)}
        assert found.keys() == expected.keys()
        for key, array in expected.items():
            array = array[0] if key.startswith("stat|") else array
            scale = float(array.abs().max())
            torch.testing.assert_close(
                found[key],
                array,
                rtol=TOLERANCE,
                atol=TOLERANCE * scale,
                msg=prefix + key,
            )


def test_mixing_changes_the_later_layers() -> None:
    ws, others = torch.zeros(2, 5, 3), torch.ones(2, 5, 3)
    assert mixed(ws, others, torch.tensor(2))[0, :, 0].tolist() == [0, 0, 1, 1, 1]
    assert torch.equal(mixed(ws, others, torch.tensor(5)), ws)


@pytest.mark.parametrize(("probability", "untouched"), [(0.0, 1.0), (0.9, 0.1), (1.0, 0.0)])
def test_a_batch_is_mixed_with_the_probability_asked_for_from_any_layer_but_the_first(
    probability: float, untouched: float
) -> None:
    torch.manual_seed(0)
    cutoffs = torch.stack([draw_cutoff(6, probability, torch.device("cpu")) for _ in range(2000)])
    shares = torch.bincount(cutoffs, minlength=7) / len(cutoffs)
    expected = torch.tensor([0, *[(1 - untouched) / 5] * 5, untouched])
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.03)  # 4 standard errors


def test_path_lengths_of_a_linear_generator() -> None:
    """With images A w, |J^T y| is |A^T y| for every w, and one w for all layers takes part of it each."""
    torch.manual_seed(0)
    a = torch.randn(3 * 8 * 8, 5)
    noise = torch.randn(4, 3, 8, 8)
    ws = torch.randn(4, 6, 5).requires_grad_()
    lengths = path_lengths(lambda ws: (ws.mean(1) @ a.T).reshape(-1, 3, 8, 8), ws, noise)
    expected = (noise.flatten(1) @ a).norm(dim=1) / 8 / 6
    torch.testing.assert_close(lengths, expected)


def test_path_penalty_follows_the_mean_with_its_gradient() -> None:
    lengths = torch.tensor([1.0, 3.0], requires_grad=True)
    penalty, mean = path_penalty(lengths, torch.tensor(10.0))
    assert mean.item() == pytest.approx(9.92)
    assert penalty.tolist() == pytest.approx([8.92**2, 6.92**2])
    (gradient,) = torch.autograd.grad(penalty.sum(), lengths)
    # d/dl_i of sum (l_j - m)^2 with dm/dl_i = 0.01 / 2
    shift = -0.005 * 2 * (-8.92 - 6.92)
    assert gradient.tolist() == pytest.approx([2 * -8.92 + shift, 2 * -6.92 + shift], rel=1e-5)


def test_r1_of_a_linear_discriminator_ignores_what_augmentation_adds() -> None:
    torch.manual_seed(0)
    weight, reals = torch.randn(3 * 4 * 4), torch.randn(5, 3, 4, 4)
    penalty, logits = gradient_penalty(lambda images: (2 * images + 1).flatten(1) @ weight[:, None], reals)
    torch.testing.assert_close(penalty, (4 * weight.square().sum()).expand(5))
    assert logits.shape == (5, 1)
    assert not reals.requires_grad
