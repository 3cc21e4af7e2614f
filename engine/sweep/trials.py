"""One trial: train for a fixed number of steps, let the validation set pick the step, read the test set once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from engine.configs import SweepConfig
from engine.features.classical import apply_maps, random_maps
from engine.gans.devices import choose_precision
from engine.sweep.arms import Stream, Trial, batches, random_stream, torch_seed, training_set, validation_steps
from engine.sweep.classifiers import Heads, SmallCnn


@dataclass(frozen=True)
class Inputs:
    """What all trials of a sweep read: images uint8 `[N, C, S, S]`, or features float32 `[N, D]`, and class indices.

    `train` holds the real training images first, then the pool's; `views` their features under K recorded random
    views `[n_real, K, D]`, for frozen backbones only.
    """

    train: torch.Tensor
    valid: torch.Tensor
    test: torch.Tensor
    real_labels: np.ndarray
    pool_labels: np.ndarray
    valid_labels: np.ndarray
    classes: int
    views: torch.Tensor | None = None

    def to(self, device: torch.device) -> Inputs:
        views = None if self.views is None else self.views.to(device)
        return replace(
            self, train=self.train.to(device), valid=self.valid.to(device), test=self.test.to(device), views=views
        )

    @property
    def train_labels(self) -> np.ndarray:
        return np.concatenate((self.real_labels, self.pool_labels))


@dataclass(frozen=True)
class Result:
    """What one trial gave; `scores` are probabilities float32 `[n_test, classes]`."""

    trial: Trial
    n_real: int
    n_synthetic: int
    best_step: int
    valid_accuracy: float
    seconds: float
    scores: np.ndarray = field(repr=False)
    valid_loss: float = float("nan")


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic convolutions: a trial gives the same numbers alone, beside others and again.

    Two threads would gain nothing: the products are small, and other trials can use the second core.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(threads)


def trains_together(config: SweepConfig) -> bool:
    """Whether all trials of a seed (and fold) train at once: heads on cached features do."""
    return config.classifier != "small-cnn"


def train_group(trials: list[Trial], inputs: Inputs, config: SweepConfig) -> list[Result]:
    """Train trials that go together: one of the small network, or heads of one seed."""
    if trains_together(config):
        return train_heads(trials, inputs, config)
    return [train_small_cnn(trial, inputs, config) for trial in trials]


@reproducible()
def train_small_cnn(trial: Trial, inputs: Inputs, config: SweepConfig) -> Result:
    """Train the small network from scratch (AdamW, cosine decay) on the device that holds `inputs`.

    The result depends on nothing but its arguments.
    """
    began = time.monotonic()
    device = inputs.train.device
    chosen = training_set(trial, inputs.real_labels, inputs.pool_labels, config)
    order = chosen.rows[batches(len(chosen.rows), config.batch, config.steps, trial.seed)]
    labels = torch.from_numpy(inputs.train_labels[order]).to(device)
    rows = torch.from_numpy(order).to(device)
    valid_labels = torch.from_numpy(inputs.valid_labels).to(device)

    torch.manual_seed(torch_seed(trial.seed, Stream.WEIGHTS))
    net = SmallCnn(inputs.train.shape[1], inputs.classes, config.dropout)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.manual_seed(torch_seed(trial.seed, Stream.DROPOUT))
    augment = torch.Generator().manual_seed(torch_seed(trial.seed, Stream.AUGMENT))
    optimiser = torch.optim.AdamW(net.parameters(), config.lr, weight_decay=config.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    # On a GPU so small a network waits for launches, not for products.
    bf16 = device.type == "cpu" and choose_precision("auto", device) == torch.bfloat16

    def logits(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            return net(images.contiguous(memory_format=torch.channels_last)).float()

    @torch.inference_mode()
    def evaluate(images: torch.Tensor) -> torch.Tensor:
        net.eval()
        found = torch.cat([logits(_scaled(part)) for part in images.split(256)])
        net.train()
        return found

    accuracies, kept = [], []
    check_at = validation_steps(config.steps, config.validations)
    for step in range(1, config.steps + 1):
        images = _scaled(inputs.train[rows[step - 1]])
        if chosen.classical:
            images = apply_maps(images, random_maps(config.batch, augment))
        loss = F.cross_entropy(logits(images), labels[step - 1])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step in check_at:
            right = evaluate(inputs.valid).argmax(1) == valid_labels
            accuracies.append(float(right.float().mean()))  # waits for the device
            kept.append({name: value.clone() for name, value in net.state_dict().items()})
    best = pick(np.array(accuracies), len(valid_labels))
    net.load_state_dict(kept[best])
    scores = evaluate(inputs.test).softmax(1).cpu().numpy()
    seconds = time.monotonic() - began
    return Result(trial, chosen.n_real, chosen.n_synthetic, check_at[best], accuracies[best], seconds, scores)


@reproducible()
def train_heads(trials: list[Trial], inputs: Inputs, config: SweepConfig) -> list[Result]:
    """Train the heads of all trials of one seed together on cached features (AdamW, constant rate).

    Each head has its own rows, weights and loss, so a trial's numbers do not depend on which others train beside it.
    """
    began = time.monotonic()
    (seed,) = {trial.seed for trial in trials}
    device, dim = inputs.train.device, inputs.train.shape[1]
    sets = [training_set(trial, inputs.real_labels, inputs.pool_labels, config) for trial in trials]
    order = np.stack([s.rows[batches(len(s.rows), config.batch, config.steps, seed)] for s in sets], axis=1)
    labels = torch.from_numpy(inputs.train_labels[order]).to(device)  # [steps, T, B]
    table, rows = _with_views(inputs, order, [s.classical for s in sets], seed)
    valid_labels = torch.from_numpy(inputs.valid_labels).to(device).expand(len(trials), -1)

    init = torch.Generator().manual_seed(torch_seed(seed, Stream.WEIGHTS))
    dropout = torch.Generator().manual_seed(torch_seed(seed, Stream.DROPOUT))
    heads = Heads(len(trials), dim, inputs.classes, config.dropout, init).to(device)
    optimiser = torch.optim.AdamW(heads.parameters(), config.lr, weight_decay=config.weight_decay, fused=True)

    accuracies, kept = [], []
    check_at = validation_steps(config.steps, config.validations)
    for step in range(1, config.steps + 1):
        found = heads(table[rows[step - 1]], dropout)
        loss = F.cross_entropy(found.flatten(0, 1), labels[step - 1].flatten(), reduction="sum") / config.batch
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step in check_at:
            with torch.inference_mode():
                accuracies.append((heads(inputs.valid).argmax(2) == valid_labels).float().mean(1))
                kept.append((heads.weight.clone(), heads.bias.clone()))
    history = torch.stack(accuracies, 1).cpu().numpy()  # [T, validations]
    best = [pick(of_trial, len(inputs.valid_labels)) for of_trial in history]
    with torch.inference_mode():
        for trial, check in enumerate(best):
            heads.weight[trial], heads.bias[trial] = kept[check][0][trial], kept[check][1][trial]
        scores = heads(inputs.test).softmax(2).cpu().numpy()
    seconds = (time.monotonic() - began) / len(trials)
    return [
        Result(
            trials[t],
            sets[t].n_real,
            sets[t].n_synthetic,
            check_at[best[t]],
            float(history[t, best[t]]),
            seconds,
            scores[t],
        )
        for t in range(len(trials))
    ]


def pick(accuracies: np.ndarray, n_valid: int) -> int:
    """Which validation gives the trial's weights: the latest within one standard error of the best accuracy.

    The one-standard-error rule (Breiman et al. 1984): the highest of ten accuracies on a few dozen images is mostly
    luck, and taking it as it is stops early for no reason; on a large validation set the rule takes the best.
    """
    best = float(accuracies.max())
    error = (best * (1 - best) / n_valid) ** 0.5
    return int(np.flatnonzero(accuracies >= best - error - 1e-9)[-1])


def _with_views(
    inputs: Inputs, order: np.ndarray, classical: list[bool], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The table of features with the views' appended, and the rows `[steps, T, B]` to take from it."""
    if not any(classical):
        return inputs.train, torch.from_numpy(order).to(inputs.train.device)
    assert inputs.views is not None, "classical augmentation of a frozen backbone needs cached views"
    views = inputs.views.shape[1]
    draw = random_stream(seed, Stream.AUGMENT).integers(views, size=(len(order), 1, order.shape[2]))
    augmented = len(inputs.train) + order * views + draw
    rows = np.where(np.array(classical)[None, :, None], augmented, order)
    table = torch.cat((inputs.train, inputs.views.flatten(0, 1)))
    return table, torch.from_numpy(rows).to(table.device)


def _scaled(images: torch.Tensor) -> torch.Tensor:
    """uint8 pixels to [-1, 1]."""
    return images.float() / 127.5 - 1
