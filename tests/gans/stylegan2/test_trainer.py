"""One iteration of StyleGAN2-ADA: pieces add up, penalties are lazy, averages move as published, bf16 stays close."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.configs import StyleganConfig
from engine.gans.data import TrainingImages, rows_shown, to_input
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.trainer import METERS, FlatGradients, StyleganTrainer, ema_decay
from tests.gans.stylegan2.conftest import TINY

CPU = torch.device("cpu")
SIZE = 16


def spec(count: int = 24, size: int = SIZE) -> TrainingImages:
    """Bright discs on dark ground, of two classes by their size."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    labels = np.arange(count) % 2
    centres = rng.uniform(size / 4, 3 * size / 4, (count, 2))
    discs = [np.hypot(y - cy, x - cx) < size / (8 - 4 * label) for (cy, cx), label in zip(centres, labels, strict=True)]
    pixels = (40 + 160 * np.stack(discs) + rng.normal(0, 5, (count, size, size))).clip(0, 255).astype(np.uint8)
    return TrainingImages(pixels[..., None], labels, [], CPU)


class Game:
    """Players and the images that they see; `play(n)` plays so many iterations."""

    def __init__(self, dtype: torch.dtype = torch.float32, size: int = SIZE, kind: Any = None, **changes: Any):
        values = {**TINY, "dataset": "none", "batch": 8, "aug": "noaug", **changes}
        self.config = StyleganConfig.build(values).completed(size)
        self.images = spec(size=size)
        classes = 2 if self.config.conditional else 0
        make: Callable[..., StyleganTrainer] = kind or StyleganTrainer
        self.trainer = make(self.config, ImageSpec(size, 1, classes), self.images.labels, CPU, dtype)
        self.seen = 0

    def train_step(self, iterations: int = 1) -> Game:
        for _ in range(iterations):
            rows = rows_shown(self.config.seed, self.seen, self.config.batch, len(self.images))
            step = self.trainer.microbatch_starts.step
            microbatches = self.images.stream([rows[i : i + step] for i in self.trainer.microbatch_starts])
            self.trainer.train_step(list(microbatches), self.seen)
            self.seen += self.config.batch
        return self


class Given(StyleganTrainer):
    """Players whose latents and path noise are given: those of a whole batch, whatever its pieces."""

    given: dict[tuple[int, ...], Tensor]

    def draw(self, *shape: int) -> Tensor:
        torch.manual_seed(0)
        left = vars(self).setdefault("given", {}).setdefault(shape[1:], torch.randn(64, *shape[1:]))
        self.given[shape[1:]] = left[shape[0] :]
        return left[: shape[0]]


def gradients_of(game: Game, phase: str) -> dict[str, Tensor]:
    """What one phase adds up from the whole first batch, by parameter; the networks stay as they are."""
    trainer = game.trainer
    network = trainer.g if phase.startswith("g") else trainer.d
    rows = torch.from_numpy(rows_shown(0, 0, game.config.batch, len(game.images)))
    trainer.zero_grad(next(p for p in trainer.phases if p.network == phase[0].upper()))
    for start in trainer.microbatch_starts:
        piece = rows[start : start + trainer.microbatch_starts.step]
        getattr(trainer, phase)(to_input(game.images.pixels[piece], mirror=False), game.images.labels[piece])
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("phase", ["g_main", "d_main", "d_reg"])
def test_pieces_add_up_to_the_whole_batch(phase: str) -> None:
    """Where minibatch-std has groups of one; larger groups are made of the images of a piece."""
    changes = {"kind": Given, "style_mixing": 0.0, "mbstd_group": 1}
    whole, microbatches = (gradients_of(Game(**changes, batch_gpu=n), phase) for n in (8, 2))
    assert whole.keys() == microbatches.keys()
    for name, expected in whole.items():
        if "noise_strength" in name:  # noise is drawn for each piece, and at first it has strength 0
            continue
        scale = float(expected.abs().max())
        torch.testing.assert_close(microbatches[name], expected, rtol=1e-4, atol=1e-5 * max(scale, 1e-3), msg=name)


def test_pieces_move_the_mean_path_length_as_one() -> None:
    """Each piece measures from the mean as it was, so that their order, and who computes them, does not matter."""
    moved = []
    for at_once in (8, 4):
        game = Game(kind=Given, style_mixing=0.0, batch_gpu=at_once)
        gradients_of(game, "g_reg")
        assert game.trainer.pl_mean == 0
        moved.append(float(game.trainer.pl_moved))
    assert moved[0] > 0
    assert moved[1] == pytest.approx(moved[0], rel=1e-5)


def test_penalties_are_lazy_and_their_weight_is_not() -> None:
    """Adam counts Gmain each iteration and Greg every second; the penalty's gradient is multiplied by its interval."""
    game = Game(g_reg_interval=2, d_reg_interval=4).train_step(4)
    for network, steps in (("G", 4 + 2), ("D", 4 + 1)):
        optimizer = game.trainer.optimizers[network]  # type: ignore[index]
        assert {int(state["step"]) for state in optimizer.state.values()} == {steps}
    adam = game.trainer.optimizers["G"].param_groups[0]
    assert adam["lr"].item() == pytest.approx(0.0025 * 2 / 3)
    assert adam["betas"] == (0.0, 0.99 ** (2 / 3)) and adam["eps"] == 1e-8
    once, rarely = (gradients_of(Game(kind=Given, style_mixing=0.0, d_reg_interval=n), "d_reg") for n in (1, 16))
    torch.testing.assert_close(rarely["b16.conv0.weight"], 16 * once["b16.conv0.weight"])
    weighted = gradients_of(Game(kind=Given, style_mixing=0.0, d_reg_interval=1, gamma=0.0512), "d_reg")
    ratio = 0.0512 / Game().config.gamma
    torch.testing.assert_close(weighted["b16.conv0.weight"], ratio * once["b16.conv0.weight"])


def test_a_penalty_without_weight_has_no_phase() -> None:
    game = Game(gamma=0.0, pl_weight=0.0).train_step(2)
    assert len(game.trainer.phases) == 2
    assert {"r1", "pl"}.isdisjoint(game.trainer.read_meters())


def test_a_phase_leaves_zeros_where_it_touches_nothing() -> None:
    """So Adam counts its step for every parameter: ToRGB's bias does not matter to path lengths, nor D's last to R1."""
    of_g, of_d = (gradients_of(Game(), phase) for phase in ("g_reg", "d_reg"))
    assert of_g["synthesis.b16.torgb.bias"].abs().max() == 0 == of_d["b4.out.bias"].abs().max()
    assert of_g["synthesis.b16.conv1.weight"].abs().max() > 0 < of_d["b16.conv0.weight"].abs().max()


def test_gradients_that_are_no_numbers_are_mended_after_they_were_measured() -> None:
    layer = torch.nn.Linear(3, 1)
    gradients = FlatGradients(layer)
    assert layer.weight.grad is not None
    layer.weight.grad.copy_(torch.tensor([[math.nan, math.inf, -math.inf]]))
    assert not gradients.norm().isfinite()
    gradients.make_finite()
    assert layer.weight.grad.tolist() == [[0, 1e5, -1e5]]


def test_a_gradient_that_was_never_finite_is_no_number_in_the_meters() -> None:
    game = Game()
    game.trainer.gradients["G"].norm = lambda: torch.tensor(math.inf)  # type: ignore[method-assign]
    meters = game.train_step(2).trainer.read_meters()
    assert math.isnan(meters["g_grad_norm"])
    assert math.isfinite(meters["d_grad_norm"])


@pytest.mark.parametrize(
    ("seen", "ema_kimg", "ramp", "expected"),
    [
        (0, 10.0, 0.05, 0.0),
        (20_000, 10.0, 0.05, 0.5 ** (32 / 1000)),
        (900_000, 10.0, 0.05, 0.5 ** (32 / 10_000)),
        (0, 10.0, 0.0, 0.5 ** (32 / 10_000)),
        (900_000, 0.0, 0.05, 0.0),
    ],
)
def test_share_of_the_average_that_is_kept(seen: int, ema_kimg: float, ramp: float, expected: float) -> None:
    assert ema_decay(32, seen, ema_kimg, ramp) == pytest.approx(expected)


@pytest.mark.parametrize(("ema_kimg", "ramp"), [(0.02, 0.0), (0.02, 0.5), (0.0, 0.0)])
def test_the_average_follows_the_generator(ema_kimg: float, ramp: float) -> None:
    game = Game(ema_kimg=ema_kimg, ema_ramp=ramp)
    expected = {name: value.clone() for name, value in game.trainer.g.named_parameters()}
    for _ in range(3):
        seen = game.seen
        game.train_step()
        half_life = min(ema_kimg * 1000, seen * ramp) if ramp else ema_kimg * 1000
        beta = 0.5 ** (8 / half_life) if half_life else 0
        for name, value in game.trainer.g.named_parameters():
            expected[name] = beta * expected[name] + (1 - beta) * value.detach()
    for name, value in game.trainer.g_ema.named_parameters():
        torch.testing.assert_close(value, expected[name])
    for ours, theirs in zip(game.trainer.g_ema.buffers(), game.trainer.g.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_w_avg_moves_in_every_phase_that_maps() -> None:
    """With a mapping to ever the same w, three phases of the first iteration leave 0.995^3 of the way to it."""
    game = Game(g_lr=1e-12)
    for name, parameter in game.trainer.g.mapping.named_parameters():
        parameter.data.fill_(100.0 if name == "fc1.bias" else 0.0)  # times its learning rate of 0.01
    game.train_step()
    expected = torch.full((8,), math.sqrt(2) * (1 - 0.995**3))
    torch.testing.assert_close(game.trainer.g.mapping.w_avg, expected)


def test_ada_counts_the_reals_of_both_phases_and_steps_every_fourth_iteration() -> None:
    game = Game(aug="ada", ada_kimg=0.064, ada_target=-1.0, d_reg_interval=2)
    game.train_step(3)
    trainer = game.trainer
    assert trainer.ada.observed[1] == 8 * (3 + 2)
    assert trainer.augment.p == 0
    game.train_step()
    assert trainer.ada.observed.tolist() == [0, 0]
    assert trainer.augment.p.item() == pytest.approx(0.5)  # 32 of 64 images, unless every logit was negative
    assert trainer.read_meters()["augment_p"] == pytest.approx(0.5)


@pytest.mark.parametrize("aug", ["noaug", "fixed"])
def test_without_ada_p_stays(aug: str) -> None:
    game = Game(aug=aug, aug_p=0.3 if aug == "fixed" else 0.0).train_step(4)
    meters = game.trainer.read_meters()
    assert meters["augment_p"] == pytest.approx(0.3 if aug == "fixed" else 0)
    assert meters["r_t"] != 0


def test_augmentation_changes_what_the_discriminator_sees() -> None:
    plain, same, strong = (Game(aug="fixed", aug_p=p).train_step().trainer.read_meters() for p in (1e-9, 1e-9, 1.0))
    assert plain == same
    assert plain["real_logits"] != strong["real_logits"]


def test_frozen_layers_stay_and_others_learn() -> None:
    game = Game(freeze_d=2)
    before = {name: value.clone() for name, value in game.trainer.d.state_dict().items()}
    game.train_step(2)
    changed = {name for name, value in game.trainer.d.state_dict().items() if not torch.equal(value, before[name])}
    assert not changed & {"b16.fromrgb.weight", "b16.fromrgb.bias", "b16.conv0.weight", "b16.conv0.bias"}
    assert changed >= {"b16.conv1.weight", "b8.conv0.weight", "b4.out.bias"}


def test_fakes_are_made_for_the_classes_of_random_training_images() -> None:
    """With the images of one class only, the embedding of the other never gets a gradient."""
    game = Game(conditional=True)
    game.trainer.labels = torch.zeros_like(game.images.labels)
    gradient = gradients_of(game, "g_main")["mapping.embed.weight"]
    assert gradient[:, 0].abs().max() > 0 == gradient[:, 1].abs().max()


@pytest.mark.parametrize(("mirror", "vertical"), [(True, False), (False, True)])
def test_reals_are_mirrored_when_asked(mirror: bool, vertical: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    game = Game(mirror=mirror, mirror_vertical=vertical)
    d_main = game.trainer.phases[2].add_gradients
    phase = game.trainer.phases[2]
    object.__setattr__(phase, "add_gradients", lambda reals, labels: (seen.append(reals), d_main(reals, labels))[1])
    game.train_step(4)
    shown = torch.cat(seen)
    originals = to_input(game.images.pixels[rows_shown(0, 0, 32, 24)], mirror=False)
    axes = [a for a, wanted in ((3, mirror), (2, vertical)) if wanted]
    same = (shown == originals).flatten(1).all(1)
    turned = (shown == originals.flip(axes)).flatten(1).all(1)
    assert (same ^ turned).all() and 4 < same.sum() < 28


@pytest.mark.parametrize("conditional", [False, True])
def test_bf16_stays_close_to_fp32(conditional: bool) -> None:
    """The meters of 8 iterations, and the direction and length of every phase's gradient."""
    widths = {"size": 32, "channel_base": 512, "channel_max": 32, "mbstd_group": 4}

    def game(dtype: torch.dtype) -> Game:
        return Game(dtype, **widths, conditional=conditional, precision="bf16")

    for phase in ("g_main", "g_reg", "d_main", "d_reg"):
        exact, rounded = (
            torch.cat([g.flatten() for g in gradients_of(game(dtype), phase).values()])
            for dtype in (torch.float32, torch.bfloat16)
        )
        assert not torch.equal(exact, rounded)
        assert torch.cosine_similarity(exact, rounded, dim=0) > 0.99, phase
        assert float(rounded.norm() / exact.norm()) == pytest.approx(1, abs=0.05), phase
    exact_meters, rounded_meters = (
        game(dtype).train_step(8).trainer.read_meters() for dtype in (torch.float32, torch.bfloat16)
    )
    for name in METERS:
        assert rounded_meters[name] == pytest.approx(exact_meters[name], rel=0.1, abs=0.02), name


def test_everything_kept_is_fp32() -> None:
    game = Game(torch.bfloat16, precision="bf16").train_step(2)
    assert {tensor.dtype for tensor in game.trainer.state().values()} == {torch.float32}
    assert game.trainer.sample(torch.randn(2, 8), torch.zeros(2, dtype=torch.int64)).dtype == torch.float32


GOLDEN = [
    0.6729378,
    1.390212,
    0.5062952,
    0.5079827,
    0.09765842,
    0.09856085,
    3.445072e-4,
    3.435295,
    0.02518638,
    0.03195108,
]
"""In the order of `METERS`."""


def test_golden_losses() -> None:
    """The first meters in fp32, of all phases with augmentation: another number is another algorithm."""
    meters = Game(aug="fixed", aug_p=0.5, conditional=True, batch_gpu=4).train_step(2).trainer.read_meters()
    np.testing.assert_allclose([meters[name] for name in METERS], GOLDEN, rtol=1e-3)
