"""`train --dry-run`: what a training would cost, before it is started."""

from __future__ import annotations

from collections.abc import Sequence

from engine.cli.follow import follow_to_end
from engine.cli.output import show
from engine.configs import DryRunConfig, TrainConfig
from engine.gans.results import DryRunResult
from engine.jobs import submit as jobs
from engine.store.home import Home
from engine.store.runs import Run


def dry_run_command(home: Home, configs: Sequence[TrainConfig], as_json: bool, place: str = "") -> None:
    """Try each training, as a run of its own, and print what it would cost.

    The configs are as the user gave them: what they leave unset is completed as it is for the training itself.
    """
    runs = [try_out(home, config, place) for config in configs]
    lines, values = [], []
    for config, run in zip(configs, runs, strict=True):
        found = run.status().result_as(DryRunResult)
        assert found is not None
        what = " ".join(filter(None, (config.gan, config.dataset, config.class_name)))
        parameters = f"{found.g_parameters:,} parameters in G and {found.d_parameters:,} in D"
        lines.append(f"{what}, {found.images} images, {parameters}: {found.sentence}")
        values.append({"run": run.id, **found.plain()})
    show(values if len(values) > 1 else values[0], as_json, "\n".join(lines))


def try_out(home: Home, config: TrainConfig, place: str = "") -> Run:
    """A finished dry run of this training."""
    given = {"gan": config.gan, **config.model_dump(mode="json", exclude_unset=True)}
    what = " ".join(filter(None, ("dry run", config.dataset, config.class_name)))
    run = jobs.submit(home, DryRunConfig(training=given), label=what, place=place)
    follow_to_end([run], [what])
    return run
