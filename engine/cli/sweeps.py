"""What a sweep is planned with, registered plans (`plan ...`), and the second judgement of a finished one (`judge`)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine.cli.options import with_options
from engine.cli.output import Json, show, table
from engine.cli.runs import named_run
from engine.configs import Fold, SweepConfig
from engine.datasets.folds import parent_of_folds
from engine.jobs.kinds import parse_config
from engine.jobs.prepare import prepare_plan
from engine.publications.presets import PRESETS, preset
from engine.report.pool_verdict import FAR, WORDS, WORSE, verdict_of_pool
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.roles import machine_user
from engine.store.runs import Run
from engine.sweep.plans import NO_PART, Plan, frozen, open_plan, plans, register
from engine.sweep.splits import named_splits
from engine.sweep.standing import day, read_by

plan_app = typer.Typer(no_args_is_help=True, help="Register sweeps before they read the test images, and list them.")

FILLED_IN = (
    "name",
    "dataset",
    "dataset_fingerprint",
    "pool",
    "pool_sha256",
    "folds",
    "external_fingerprint",
    "extends",
)
"""Settings of a sweep that follow from its pools."""
Pools = Annotated[
    list[str], typer.Argument(metavar="POOL...", help="The run id of a pool; of one for each fold to cross-validate.")
]
SweepName = Annotated[str, typer.Option(help="Name of the sweep; empty: the data set's.")]
PresetName = Annotated[str, typer.Option("--preset", help=f"Start from the settings of {', '.join(PRESETS)}.")]
Published = Annotated[
    bool, typer.Option("--published", help="With --preset: the protocol as it was published, which claims nothing.")
]


def sweep_config(
    home: Home, pools: list[str], name: str, preset_name: str, published: bool, settings: dict[str, Any]
) -> SweepConfig:
    """The sweep of these pools with a preset's settings and those that were given."""
    base = sweep_settings(preset_name, published)
    datasets = [named_run(pool, "pool").config()["dataset"] for pool in pools]
    if len(pools) == 1:
        images: dict[str, Any] = {"dataset": datasets[0], "pool": pools[0]}
    else:
        folds = tuple(Fold(dataset=dataset, pool=pool) for dataset, pool in zip(datasets, pools, strict=True))
        images = {"dataset": parent_of_folds(home, datasets), "folds": folds}
    return SweepConfig.build({**base, **settings, "name": name or images["dataset"], **images})


def told_of_pools(home: Home, config: SweepConfig) -> list[str]:
    """What the newest checks have against the pools of a sweep, which were not checked, and which are controls."""
    said = []
    for split in named_splits(config):
        control = Pool.open(Run(home, split.pool)).info.control
        verdict = verdict_of_pool(home, split.pool, control)
        if verdict is None:
            what = f"is a control ({control}) and " if control else ""
            how = f"`python -m engine quality {split.pool}` checks it."
            said.append(f"The pool {split.pool} {what}was not checked: how its images look nobody has measured. {how}")
        elif verdict.level in (WORSE, FAR) or control:
            said.append(f"The check of the pool {split.pool} is {WORDS[verdict.level]}. {verdict.sentence}")
    return said


def sweep_settings(preset_name: str, published: bool) -> dict[str, Any]:
    """The sweep of a preset: the sound one, or the one that was published."""
    if not published:
        return preset(preset_name).sweep if preset_name else {}
    settings = preset(preset_name).published if preset_name else {}
    if not settings:
        raise ErsatzError(
            "--published needs a --preset that repeats a published classifier; expected one of "
            f"{', '.join(name for name, chosen in PRESETS.items() if chosen.published)}. Name it, or leave it out."
        )
    return settings


def planned_config(
    home: Home, plan_id: str, pools: list[str], preset_name: str, settings: dict[str, Any]
) -> SweepConfig:
    """The sweep of a registered plan, exactly; an `ErsatzError` names what would depart from it."""
    config = open_plan(home, plan_id).sweep()
    if pools or preset_name:
        raise ErsatzError(
            f"--plan {plan_id} says which pools and settings the sweep has; none beside it are expected. Leave "
            f"{'the pools' if pools else '--preset'} out, or start a sweep of its own without --plan."
        )
    changed = SweepConfig.build({**config.plain(), **settings})
    if frozen(changed) != frozen(config):
        other = next(name for name in settings if name not in NO_PART)
        raise ErsatzError(
            f"--{other.replace('_', '-')} departs from the plan {plan_id}, which is frozen; nothing but its name, "
            "device and what its report shows can be set. Leave it out, or start a sweep without --plan, whose report "
            "names what differs."
        )
    return changed


@plan_app.command("register")
@with_options(SweepConfig, omit=FILLED_IN)
def register_(
    pools: Pools,
    name: SweepName = "",
    preset_name: PresetName = "",
    published: Published = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Freeze a sweep's complete settings, hashed and dated; `sweep --plan` starts exactly that."""
    home = Home.from_environment()
    config = prepare_plan(home, sweep_config(home, pools, name, preset_name, published, settings))
    plan = register(home, config, machine_user())
    told = f"{plan.id} is registered ({plan.sha256[:16]}, {day(plan.time)}): {plan.images} test images, which "
    told += f"{plan.read_before or 'no'} sweep{'s' * (plan.read_before > 1)} had read by then.\n"
    show(plan.plain(), as_json, f"{told}Start it with `python -m engine sweep --plan {plan.id}`.")


@plan_app.command("list")
def list_(as_json: Json = False) -> None:
    """List the registered plans and the sweeps that were made of them."""
    home = Home.from_environment()
    listed = [{**plan.plain(), "sweeps": [reading.run for reading in read_by(home, plan)]} for plan in plans(home)]
    rows = [[v["id"], v["name"], day(v["time"]), v["config"]["dataset"], ", ".join(v["sweeps"])] for v in listed]
    empty = "There is no plan yet; `python -m engine plan register POOL` makes one."
    show(listed, as_json, table("", ["plan", "name", "registered", "data set", "sweeps"], rows) if rows else empty)


@plan_app.command("show")
def show_(plan_id: Annotated[str, typer.Argument(metavar="PLAN")], as_json: Json = False) -> None:
    """Show what a plan has frozen."""
    plan = open_plan(Home.from_environment(), plan_id)
    show(plan.plain(), as_json, "\n".join(f"{name}: {value}" for name, value in _facts(plan).items()))


def _facts(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.id,
        "name": plan.name,
        "registered": day(plan.time) + (f" by {plan.by}" if plan.by else ""),
        "sha256": plan.sha256,
        "test images": plan.images,
        "sweeps that had read them": plan.read_before,
        "weights": plan.weights_sha256 or "none",
        **{name: value for name, value in plan.sweep().plain().items() if name not in NO_PART},
    }


def judge(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A finished sweep.")], as_json: Json = False
) -> None:
    """Judge a finished sweep again by the present rule, from its stored trials; the first verdict stays beside it."""
    from engine.report.ledger_facts import judged_sentence
    from engine.sweep.rejudging import rejudge
    from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary

    run = named_run(run_id, "sweep")
    config = parse_config(run.config())
    assert isinstance(config, SweepConfig)
    again, first = rejudge(run, config), SweepSummary.read(run.path / SUMMARY_FILE)
    told = {
        "run": run.id,
        "first": {"verdict": first.verdict.verdict, "sentence": first.verdict.sentence, "rule": first.rule},
        "again": {"verdict": again.verdict.verdict, "sentence": again.verdict.sentence, "rule": again.rule},
        "judged": judged_sentence(again),
    }
    text = (
        f"First: {first.verdict.verdict}. {first.verdict.sentence}\n  Rule: {first.rule}.\n"
        f"Again: {again.verdict.verdict}. {again.verdict.sentence}\n  Rule: {again.rule}.\n{told['judged']}"
    )
    show(told, as_json, text)
