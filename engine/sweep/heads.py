"""Linear heads on cached features: those of all trials of a seed train together, in one product a step."""

from __future__ import annotations

import time

import numpy as np
import torch
import torch.nn.functional as F

from engine.configs import SweepConfig
from engine.sweep.arms import Stream, Trial, batches, evaluation_steps, steps_of, torch_seed, training_set
from engine.sweep.classifiers import Heads
from engine.sweep.dense_head import head_layers
from engine.sweep.optimisation import Schedule, make_optimiser
from engine.sweep.selection import choose, evaluations_taken
from engine.sweep.trial_data import Inputs, Result, reproducibly, with_views


@reproducibly
def train_heads(trials: list[Trial], inputs: Inputs, config: SweepConfig) -> list[Result]:
    """Train the heads of all trials of one seed together on cached features, all for the same number of steps.

    Each head has its own rows, weights and loss, so a trial's numbers do not depend on which others train beside it.
    """
    began = time.monotonic()
    (seed,) = {trial.seed for trial in trials}
    device, dim, n_valid = inputs.train.device, inputs.train.shape[1], len(inputs.valid_labels)
    drawing, groups = inputs.drawing, inputs.real_groups
    sets = [training_set(trial, inputs.real_labels, inputs.pool_labels, config, drawing, groups) for trial in trials]
    (steps,) = {steps_of(config, len(s.rows)) for s in sets}
    order = np.stack([s.rows[batches(len(s.rows), config.batch, steps, seed)] for s in sets], axis=1)
    labels = torch.from_numpy(inputs.train_labels[order]).to(device)  # [steps, T, B]
    table, rows = with_views(inputs, order, [s.classical for s in sets], seed)
    valid_labels = torch.from_numpy(inputs.valid_labels).to(device).expand(len(trials), -1)

    init = torch.Generator().manual_seed(torch_seed(seed, Stream.WEIGHTS))
    dropout = torch.Generator().manual_seed(torch_seed(seed, Stream.DROPOUT))
    heads = Heads(len(trials), dim, inputs.classes, head_layers(config).dropout, init).to(device)
    optimiser = make_optimiser(heads.parameters(), config)
    schedule = Schedule(optimiser, config, steps)

    accuracies, losses, kept = [], [], []
    evaluated_at = evaluation_steps(config, len(sets[0].rows))
    for step in range(1, steps + 1):
        found = heads(table[rows[step - 1]], dropout)
        loss = F.cross_entropy(found.flatten(0, 1), labels[step - 1].flatten(), reduction="sum") / config.batch
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.after_step()
        if step in evaluated_at:
            with torch.inference_mode():
                found = heads(inputs.valid)
                accuracies.append((found.argmax(2) == valid_labels).float().mean(1))
                each = F.cross_entropy(found.flatten(0, 1), valid_labels.flatten(), reduction="none")
                losses.append(each.view(len(trials), n_valid).mean(1))
                kept.append((heads.weight.clone(), heads.bias.clone()))
    accuracy = torch.stack(accuracies, 1).cpu().numpy()  # [T, evaluations]; waits for the device
    valid_loss = torch.stack(losses, 1).cpu().numpy()
    # No head hears of another one's end: those that are out of patience train on, unseen.
    taken = [evaluations_taken(of_trial, config.patience) for of_trial in valid_loss.tolist()]
    best = [choose(accuracy[t, :n].tolist(), valid_loss[t, :n].tolist(), n_valid, config) for t, n in enumerate(taken)]
    with torch.inference_mode():
        for t, number in enumerate(best):
            heads.weight[t], heads.bias[t] = kept[number][0][t], kept[number][1][t]
        scores = heads(inputs.test).softmax(2).cpu().numpy()
        valid_scores = heads(inputs.valid).softmax(2).cpu().numpy()
    seconds = (time.monotonic() - began) / len(trials)
    return [
        Result(
            trial, sets[t].n_real, sets[t].n_synthetic, evaluated_at[best[t]], float(accuracy[t, best[t]]),
            float(valid_loss[t, best[t]]), seconds, scores[t], valid_scores[t],
        )
        for t, trial in enumerate(trials)
    ]  # fmt: skip
