"""Trials by the config: which of them train together, and with what."""

from __future__ import annotations

from engine.configs import SweepConfig
from engine.sweep.arms import Trial
from engine.sweep.dense_head import head_layers
from engine.sweep.heads import train_heads
from engine.sweep.probe import fit_probe
from engine.sweep.training import train_network
from engine.sweep.trial_data import Inputs, Result


def trains_together(config: SweepConfig) -> bool:
    """Whether all trials of a seed (and fold) train at once.

    Linear heads on cached features do, when they take the same steps at the same learning rate; not so with epochs of
    sets of different sizes, nor when each one's own validation loss lowers its rate.
    """
    frozen = config.classifier != "small-cnn" and config.training == "frozen"
    linear = config.head != "probe" and head_layers(config).linear
    return frozen and linear and not config.epochs and config.schedule != "plateau"


def train_group(trials: list[Trial], inputs: Inputs, config: SweepConfig) -> list[Result]:
    """Train trials that go together, on the device that holds `inputs`; `config` is a completed one."""
    if trains_together(config):
        return train_heads(trials, inputs, config)
    train = fit_probe if config.head == "probe" else train_network
    return [train(trial, inputs, config) for trial in trials]
