"""Trials with a network of their own: published heads, whole backbones, early stopping, the linear probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from engine.configs import SweepConfig
from engine.features.backbones import Backbone, imagenet
from engine.publications.table import HEADS
from engine.store.errors import ErsatzError
from engine.sweep import networks
from engine.sweep.arms import Trial
from engine.sweep.classifiers import Largest
from engine.sweep.heads import train_heads
from engine.sweep.probe import fit_probe
from engine.sweep.training import train_network
from engine.sweep.trial_data import Inputs, Result, reproducible
from engine.sweep.trials import train_group, trains_together
from tests.float32 import EXACT, Arithmetic, arithmetic, fast  # noqa: F401  (fixture)

TRIAL = Trial("real+synthetic", 0.5, 3)
Train = Callable[[Trial, Inputs, SweepConfig], Result]


def config(**changes: object) -> SweepConfig:
    values = {"name": "s", "dataset": "d", "pool": "p", "classifier": "resnet18", "ratios": (0.5, 1.0), "steps": 20}
    return SweepConfig.build({**values, "batch": 8, "validations": 5, "lr": 0.01, **changes}).completed()


def labels(n: int, classes: int = 2) -> np.ndarray:
    return np.arange(n) % classes


def feature_inputs(classes: int = 2, dim: int = 12, apart: float = 1.0) -> Inputs:
    """20 real and 40 synthetic images, some validation and test images, as features of classes that overlap."""
    g = torch.Generator().manual_seed(0)
    centres = apart * torch.randn(classes, dim, generator=g)

    def draw(n: int) -> torch.Tensor:
        return centres[torch.from_numpy(labels(n, classes))] + torch.randn(n, dim, generator=g)

    train = torch.cat((draw(20), draw(40)))
    views = train[:, None] + 0.3 * torch.randn(60, 3, dim, generator=g)
    return Inputs(
        train, draw(30), draw(60), labels(20, classes), labels(40, classes), labels(30, classes), classes, views
    )  # fmt: skip


def image_inputs(size: int = 16) -> Inputs:
    g = torch.Generator().manual_seed(0)

    def images(n: int) -> torch.Tensor:
        found = torch.randint(0, 120, (n, 1, size, size), generator=g, dtype=torch.uint8)
        found[1::2, :, 3:9, 3:9] += 110
        return found

    return Inputs(images(60), images(12), images(16), labels(20), labels(40), labels(12), 2)


def tiny_backbone() -> Backbone:
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    torch.seed()  # as after some library's random weights: it must not matter
    preparation = imagenet(32)
    module.eval().requires_grad_(False)
    return Backbone("tiny", module, 8, preparation, "tiny.pth", "a" * 64, torch.device("cpu"), torch.float32)


@pytest.fixture
def small_published_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HEADS, "chest-ct", replace(HEADS["chest-ct"], widths=(64, 20, 10, 5)))


@pytest.fixture
def fine_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of a few weights in place of the pretrained ones, for what does not depend on which it is."""
    monkeypatch.setattr(networks, "resolve_weights", lambda *_: Path("tiny.pth"))
    monkeypatch.setattr(networks, "_pretrained", lambda *_: tiny_backbone())


def one_head(trial: Trial, inputs: Inputs, config: SweepConfig) -> Result:
    return train_heads([trial], inputs, config)[0]


@pytest.mark.parametrize("head", ["chest-ct", "skin-lesions", "linear"])
@pytest.mark.parametrize("classes", [2, 3])
def test_heads_learn_and_come_out_the_same_again(head: str, classes: int, small_published_heads: None) -> None:
    inputs, settings = feature_inputs(classes), config(head=head, epochs=15, schedule="plateau", optimizer="adam")
    first, again = (train_network(TRIAL, inputs, settings) for _ in range(2))
    assert np.array_equal(first.scores, again.scores)
    assert first.scores.shape == (60, classes)
    assert first.scores.sum(1) == pytest.approx(1, abs=1e-5)
    assert (first.scores.argmax(1) == labels(60, classes)).mean() > 0.8
    other = train_network(replace(TRIAL, seed=4), inputs, settings)
    assert not np.array_equal(first.scores, other.scores)


@pytest.mark.parametrize("train", [one_head, train_network])
@pytest.mark.parametrize("select", ["best-loss", "best-accuracy", "within-error"])
def test_the_weights_are_those_of_the_chosen_step(train: Train, select: str) -> None:
    """A trial that ends at the step which another one chose, and takes the last weights, gives the same scores."""
    inputs = feature_inputs(apart=0.3)
    settings = config(select=select, steps=60, validations=20, lr=0.05)
    steps = []
    for seed in range(4):
        trial = replace(TRIAL, seed=seed)
        chosen = train(trial, inputs, settings)
        ended = train(trial, inputs, config(select="last", steps=chosen.best_step, validations=1, lr=0.05))
        np.testing.assert_allclose(ended.scores, chosen.scores, rtol=1e-6)
        assert ended.valid_loss == pytest.approx(chosen.valid_loss, rel=1e-5)
        assert ended.valid_accuracy == pytest.approx(chosen.valid_accuracy)
        steps.append(chosen.best_step)
    assert min(steps) < 60


@pytest.mark.parametrize("train", [one_head, train_network])
def test_patience_ends_a_trial_and_looks_at_nothing_after_it(train: Train) -> None:
    inputs = feature_inputs(apart=0.1)
    settings = config(select="best-loss", steps=200, validations=100, lr=0.1)
    least = train(TRIAL, inputs, settings)
    patient = train(TRIAL, inputs, settings.model_copy(update={"patience": 2}))
    assert patient.best_step < least.best_step
    last = train(TRIAL, inputs, settings.model_copy(update={"patience": 2, "select": "last"}))
    assert last.best_step == patient.best_step + 2 * 2  # two evaluations, two steps each


def test_patience_saves_the_steps_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    plain = torch.optim.AdamW.step

    def counted(self: torch.optim.AdamW, *args: object) -> object:
        nonlocal steps
        steps += 1
        return plain(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    found = train_network(
        TRIAL, feature_inputs(apart=0.1), config(select="last", steps=200, validations=100, lr=0.1, patience=2)
    )
    assert steps == found.best_step < 200


def test_epochs_pass_over_each_trials_own_images() -> None:
    inputs, settings = feature_inputs(), config(epochs=3, select="last", head="skin-lesions")
    assert train_network(Trial("real", 0.0, 0), inputs, settings).best_step == 9  # 20 images, 3 batches of 8
    assert train_network(Trial("real+synthetic", 1.0, 0), inputs, settings).best_step == 15


def test_augmented_arms_see_the_views_of_synthetic_images_too() -> None:
    inputs = feature_inputs()
    assert inputs.views is not None
    other = replace(inputs, views=torch.cat((inputs.views[:20], -inputs.views[20:])))
    for train, settings in ((one_head, config()), (train_network, config(epochs=2)), (fit_probe, config(head="probe"))):
        plain, augmented = Trial("real+synthetic", 1.0, 0), Trial("real+synthetic+classical", 1.0, 0)
        assert np.array_equal(train(plain, inputs, settings).scores, train(plain, other, settings).scores)
        assert not np.allclose(train(augmented, inputs, settings).scores, train(augmented, other, settings).scores)


def test_a_diverged_trial_is_an_error_and_not_a_row() -> None:
    inputs = feature_inputs()
    inputs.test[0] = torch.nan
    with pytest.raises(ErsatzError, match=r"real\+synthetic, ratio 0.5, seed 3 gave scores that are not finite"):
        one_head(TRIAL, inputs, config())


@pytest.mark.parametrize("head", ["linear", "skin-lesions"])
def test_fine_tuned_backbones_learn_and_come_out_the_same_again(fine_tuned: None, head: str) -> None:
    inputs, trial = image_inputs(), Trial("real+synthetic+classical", 1.0, 2)
    settings = config(training="fine-tuned", head=head, steps=60, lr=0.03, augmentation="mild")
    first = train_network(trial, inputs, settings)
    between = train_network(replace(trial, seed=5), inputs, settings)
    again = train_network(trial, inputs, settings)
    assert np.array_equal(first.scores, again.scores)  # the pretrained weights were left alone
    assert not np.array_equal(first.scores, between.scores)
    assert (first.scores.argmax(1) == labels(16)).mean() >= 0.8


@pytest.mark.parametrize(("head", "frozen"), [("linear", True), ("skin-lesions", False)])
def test_normalisation_keeps_its_statistics_unless_published_otherwise(
    fine_tuned: None, head: str, frozen: bool
) -> None:
    classifier = networks.build(config(training="fine-tuned", head=head), image_inputs())
    norm = next(part for part in classifier.net.modules() if isinstance(part, nn.BatchNorm2d))
    before = norm.running_mean.clone()
    classifier.train()
    classifier.logits(image_inputs().train[:8]).sum().backward()
    assert torch.equal(norm.running_mean, before) == frozen
    assert norm.weight.grad is not None
    assert all(parameter.requires_grad for parameter in classifier.net.parameters())


@pytest.mark.slow
def test_a_real_backbone_is_fine_tuned_from_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "random.pth")
    settings = config(training="fine-tuned", weights=str(tmp_path / "random.pth"), steps=1, validations=1, batch=4)
    inputs = image_inputs()
    inputs = replace(inputs, valid=inputs.valid[:4], valid_labels=inputs.valid_labels[:4], test=inputs.test[:4])
    first, again = (train_network(Trial("real+classical", 0.0, 0), inputs, settings) for _ in range(2))
    assert np.array_equal(first.scores, again.scores)
    assert first.scores.shape == (4, 2)


def test_the_probe_is_converged_logistic_regression() -> None:
    """At the minimum of the mean loss plus half the penalty times the squared weights no gradient is left."""
    inputs = feature_inputs(3)
    found = fit_probe(Trial("real", 0.0, 0), inputs, config(head="probe"))
    assert found.scores.sum(1) == pytest.approx(1, abs=1e-6)
    assert (found.scores.argmax(1) == labels(60, 3)).mean() > 0.8

    x = inputs.train[:20].double()
    mean, std = x.mean(0), x.std(0, correction=0)
    y = torch.nn.functional.one_hot(torch.from_numpy(labels(20, 3))).double()
    losses = {}
    for penalty in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0):
        weight, bias = torch.zeros(12, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        parameters = [weight.requires_grad_(), bias.requires_grad_()]
        optimiser = torch.optim.LBFGS(parameters, max_iter=2000, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

        def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return -(((x - mean) / std @ weight + bias).log_softmax(1) * y).sum(1).mean()  # noqa: B023

        def closure() -> torch.Tensor:
            optimiser.zero_grad()  # noqa: B023
            value = loss(x, y) + penalty / 2 * (weight**2).sum()  # noqa: B023
            value.backward()
            return value

        optimiser.step(closure)
        scores = ((inputs.test.double() - mean) / std @ weight + bias).softmax(1)
        valid = torch.nn.functional.one_hot(torch.from_numpy(inputs.valid_labels)).double()
        losses[loss(inputs.valid.double(), valid).item()] = scores.detach().numpy()
    best = min(losses)
    assert found.valid_loss == pytest.approx(best, rel=1e-2)
    np.testing.assert_allclose(found.scores, losses[best], atol=0.01)


def test_duplicates_of_everything_change_no_probe() -> None:
    inputs, settings = feature_inputs(), config(head="probe")
    real, twice = (
        fit_probe(trial, inputs, settings) for trial in (Trial("real", 0, 0), Trial("real+duplicates", 1, 0))
    )
    np.testing.assert_allclose(real.scores, twice.scores, atol=2e-3)
    assert (twice.n_real, twice.n_synthetic) == (40, 0)


@pytest.mark.parametrize(
    ("changes", "together"),
    [
        ({}, True),
        ({"head": "head-ct", "optimizer": "rmsprop"}, True),
        ({"classifier": "small-cnn"}, False),
        ({"epochs": 2}, False),
        ({"schedule": "plateau"}, False),
        ({"head": "chest-ct"}, False),
        ({"head": "probe"}, False),
        ({"training": "fine-tuned"}, False),
    ],
)
def test_what_trains_together(changes: dict[str, object], together: bool) -> None:
    assert trains_together(config(**changes)) == together


@pytest.mark.parametrize("changes", [{}, {"head": "probe"}, {"epochs": 1, "head": "head-ct"}])
def test_a_group_gives_a_result_for_each_trial(changes: dict[str, object]) -> None:
    trials = [Trial("real", 0.0, 1), Trial("real+duplicates", 0.5, 1), TRIAL]
    trials = [replace(trial, seed=1) for trial in trials]
    found = train_group(trials, feature_inputs(), config(**changes))
    assert [result.trial for result in found] == trials
    assert all(np.isfinite(result.valid_loss) and result.seconds > 0 for result in found)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_largest_response_is_torchs(layout: torch.memory_format) -> None:
    """With its gradient, also where several are equally large."""
    images = torch.randn(16, 8, 4, 4, generator=torch.Generator().manual_seed(0)).relu().round()
    found: list[list[torch.Tensor]] = []
    for pool in (Largest(), nn.AdaptiveMaxPool2d(1)):
        x = images.contiguous(memory_format=layout).requires_grad_()
        y = pool(x)
        found.append([y, *torch.autograd.grad((y * torch.arange(8.0).view(8, 1, 1)).sum(), x)])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def order() -> tuple[bool, bool, list[bool]]:
    """Whether torch adds in a fixed order, only warns where it cannot, and which fused attention it may take."""
    cuda = torch.backends.cuda
    fused = [cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.cudnn_sdp_enabled()]
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(), fused


def test_trials_on_a_gpu_add_in_a_fixed_order_and_take_it_back(
    fast: Arithmetic,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before, threads = order(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for device, expected in (("cuda", (True, True, [False] * 3)), ("cpu", before)):
            with reproducible(torch.device(device)):
                assert (order(), arithmetic(), torch.get_num_threads()) == (expected, EXACT, 1)
            with pytest.raises(ZeroDivisionError), reproducible(torch.device(device)):
                raise ZeroDivisionError
            assert (order(), arithmetic(), torch.get_num_threads()) == (before, fast, 2)
    finally:
        torch.set_num_threads(threads)
    assert before == (False, False, [True] * 3)


@pytest.mark.parametrize("kind", ["heads", "head", "fine-tuned"])
def test_every_kind_of_trial_is_trained_that_way(
    kind: str,
    fine_tuned: None,
    fast: Arithmetic,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Arithmetic] = []
    loss = F.cross_entropy

    def look(*arguments: Any, **named: Any) -> torch.Tensor:
        seen.append(arithmetic())
        return loss(*arguments, **named)

    monkeypatch.setattr(F, "cross_entropy", look)
    if kind == "fine-tuned":
        train_network(TRIAL, image_inputs(32), config(training="fine-tuned", steps=2))
    elif kind == "head":
        train_network(TRIAL, feature_inputs(), config(epochs=1))
    else:
        train_heads([TRIAL], feature_inputs(), config(steps=2))
    assert len(seen) > 2
    assert set(seen) == {EXACT}
