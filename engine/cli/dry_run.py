"""`train --dry-run`: what a training would cost, before it is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.cli.follow import follow_to_end
from engine.cli.output import show
from engine.configs import DryRunConfig, TrainConfig
from engine.jobs import submit as jobs
from engine.store.home import Home


def dry_run_command(home: Home, configs: Sequence[TrainConfig], as_json: bool) -> None:
    """Try each training, as a run of its own, and print what it would cost.

    The configs are as the user gave them: what they leave unset is completed as it is for the training itself.
    """
    results = [try_out(home, config) for config in configs]
    lines = [
        f"{' '.join(filter(None, (config.gan, config.dataset, config.class_name)))}, {result['images']} images, "
        f"{result['g_parameters']:,} parameters in G and {result['d_parameters']:,} in D: {result['sentence']}"
        for config, result in zip(configs, results, strict=True)
    ]
    show(results if len(results) > 1 else results[0], as_json, "\n".join(lines))


def try_out(home: Home, config: TrainConfig) -> dict[str, Any]:
    """The result of a finished dry run of this training, with the run's id."""
    given = {"gan": config.gan, **config.model_dump(mode="json", exclude_unset=True)}
    what = " ".join(filter(None, ("dry run", config.dataset, config.class_name)))
    run = jobs.submit(home, DryRunConfig(training=given), label=what)
    follow_to_end([run], [what])
    return {"run": run.id, **run.status().result}
