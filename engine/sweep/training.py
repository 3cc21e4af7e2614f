"""One trial with a network of its own: train, let the validation set pick the weights, read the test set once."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from engine.configs import SweepConfig
from engine.features.classical import random_maps
from engine.sweep.arms import Stream, Trial, batches, evaluation_steps, steps_of, torch_seed, training_set
from engine.sweep.networks import TrainableClassifier, build
from engine.sweep.optimisation import Schedule, classification_loss, make_optimiser, probabilities
from engine.sweep.selection import candidates, choose, out_of_patience
from engine.sweep.trial_data import Inputs, Result, reproducibly, with_views


@reproducibly
def train_network(trial: Trial, inputs: Inputs, config: SweepConfig) -> Result:
    """Train the small network, a fine-tuned backbone or a head on features, on the device that holds `inputs`.

    The result depends on nothing but its arguments.
    """
    began = time.monotonic()
    device = inputs.train.device
    chosen = training_set(trial, inputs.real_labels, inputs.pool_labels, config, inputs.drawing, inputs.real_groups)
    steps = steps_of(config, len(chosen.rows))
    evaluated_at = evaluation_steps(config, len(chosen.rows))
    order = chosen.rows[batches(len(chosen.rows), config.batch, steps, trial.seed)]
    labels = torch.from_numpy(inputs.train_labels[order]).to(device)
    on_images = inputs.train.dim() == 4
    views = [chosen.classical and not on_images]
    table, rows = with_views(inputs, order[:, None], views, trial.seed)
    valid_labels = torch.from_numpy(inputs.valid_labels).to(device)

    torch.manual_seed(torch_seed(trial.seed, Stream.WEIGHTS))
    classifier = build(config, inputs)
    net = classifier.net
    torch.manual_seed(torch_seed(trial.seed, Stream.DROPOUT))
    augment = torch.Generator().manual_seed(torch_seed(trial.seed, Stream.AUGMENT))
    optimiser = make_optimiser(net.parameters(), config)
    schedule = Schedule(optimiser, config, steps)

    accuracies: list[float] = []
    losses: list[float] = []
    kept: dict[int, dict[str, Tensor]] = {}
    classifier.train()
    for step in range(1, steps + 1):
        maps = random_maps(config.batch, augment, config.augmentation) if chosen.classical and on_images else None
        logits = classifier.logits(table[rows[step - 1, 0]], maps)
        loss = classification_loss(logits, labels[step - 1]) + classifier.penalty()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.after_step()
        if step in evaluated_at:
            accuracy, valid_loss = _validation_metrics(classifier, inputs.valid, valid_labels)  # waits for the device
            accuracies.append(accuracy)
            losses.append(valid_loss)
            wanted = candidates(accuracies, losses, len(valid_labels), config)
            kept = {number: state for number, state in kept.items() if number in wanted}
            if len(losses) - 1 in wanted:
                kept[len(losses) - 1] = {name: value.clone() for name, value in net.state_dict().items()}
            schedule.after_evaluation(valid_loss)
            if out_of_patience(losses, config.patience):
                break
    best = choose(accuracies, losses, len(valid_labels), config)
    net.load_state_dict(kept[best])
    scores = probabilities(_evaluate(classifier, inputs.test)[0]).cpu().numpy()
    valid_scores = probabilities(_evaluate(classifier, inputs.valid)[0]).cpu().numpy()
    return Result(
        trial, chosen.n_real, chosen.n_synthetic, evaluated_at[best], accuracies[best], losses[best],
        time.monotonic() - began, scores, valid_scores,
    )  # fmt: skip


def _validation_metrics(classifier: TrainableClassifier, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy and loss on the validation set; the loss has its penalties, as Keras counts them."""
    logits, penalty = _evaluate(classifier, images)
    accuracy = (probabilities(logits).argmax(1) == labels).float().mean()
    return float(accuracy), float(classification_loss(logits, labels) + penalty)


@torch.inference_mode()
def _evaluate(classifier: TrainableClassifier, rows: Tensor) -> tuple[Tensor, float]:
    """Logits `[N, units]`, and the mean penalty over the images."""
    classifier.net.eval()
    logits, penalty = [], 0.0
    for part in rows.split(classifier.at_once):
        logits.append(classifier.logits(part))
        penalty += float(classifier.penalty()) * len(part) / len(rows)
    classifier.train()
    return torch.cat(logits), penalty
