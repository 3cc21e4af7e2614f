"""`dataset import | audit | map | split | move | freeze | positive | delete | list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from engine.cli.follow import follow_to_end
from engine.cli.options import with_options
from engine.cli.output import Detach, Json, Place, console, notices, show, table
from engine.configs import FeatureMapConfig, ImportConfig
from engine.datasets import editing, seal
from engine.datasets.dataset import SPLITS, Dataset, damaged_datasets, how_to_freeze, list_datasets
from engine.datasets.folds import make_folds
from engine.datasets.positive_class import positive_of, sentence_on
from engine.datasets.previewing import preview
from engine.jobs import submit as jobs
from engine.jobs.dataset_removal import remove, remove_damaged, uses_of
from engine.jobs.submit import submit
from engine.quality.results import FeatureMapResult
from engine.quality.stored_map import MAP_FILE
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.roles import machine_user
from engine.sweep.standing import day, plans_of, readers, seal_sentence

app = typer.Typer(no_args_is_help=True, help="Import, audit, split and freeze data sets.")


def import_settings(source: str, settings: dict[str, Any]) -> ImportConfig:
    """The import's config; an `ErsatzError` when the data set is given no name."""
    values = {"source": source, **settings}
    if not values.get("name"):
        raise ErsatzError("The data set has no name; one is expected. Give it with --name.")
    return ImportConfig.build(values)


@app.command("import")
@with_options(ImportConfig, omit=("source",))
def import_(
    source: Annotated[
        str, typer.Argument(help="Folder, CSV, ZIP, .npz or DICOM folder; medmnist:NAME; empty: phantom.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be imported; write nothing.")
    ] = False,
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Import images, audit them, split them and freeze the split."""
    config = import_settings(source, settings)
    if dry_run:
        seen = preview(config)
        show(seen.as_values(), as_json, seen.text())
        return
    run = submit(Home.from_environment(), config)
    if detach:
        show({"run": run.id}, as_json, f"Importing in the background as {run.id}.")
        return
    follow_to_end([run], [f"import {config.name}"])
    _show_dataset(Dataset.open(run.home, config.name), as_json)


@app.command("audit")
def audit(
    name: str,
    fix: Annotated[list[str] | None, typer.Option(help="Remedy to apply: drop-copies, drop-conflicts, ...")] = None,
    undo: Annotated[
        list[str] | None, typer.Option(help="Applied remedy to take back, before the split is frozen.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for copies, leaks between splits, label conflicts and odd images; mend them with --fix."""
    dataset = Dataset.open(Home.from_environment(), name)
    if undo:
        editing.undo_remedies(dataset, undo)
    if fix:
        editing.apply_remedies(dataset, fix)
    if not undo and not fix:
        editing.reaudit(dataset)
    _show_dataset(Dataset.open(dataset.home, name), as_json)


@app.command("map")
@with_options(FeatureMapConfig, omit=("dataset", "images_sha256"))
def map_(
    name: str, place: Place = "", detach: Detach = False, as_json: Json = False, *, settings: dict[str, Any]
) -> None:
    """Draw a map of a data set by features, in which images that look alike lie near each other; Datasets shows it."""
    config = FeatureMapConfig.build({**settings, "dataset": name})
    run = jobs.submit(Home.from_environment(), config, place=place)
    if detach:
        show({"run": run.id}, as_json, f"On its way in the background as {run.id}.")
        return
    follow_to_end([run], [f"map {name}"])
    found = run.status().result_as(FeatureMapResult)
    assert found is not None
    sentence = f"{found.images} of {found.of} images are on the map, by {found.extractor}; {run.path / MAP_FILE}"
    show({"run": run.id, **found.plain()}, as_json, sentence)


@app.command("split")
@with_options(
    ImportConfig, omit=set(ImportConfig.model_fields) - {"split", "train_share", "valid_share", "split_counts", "seed"}
)
def split(name: str, as_json: Json = False, *, settings: dict[str, Any]) -> None:
    """Split a data set anew; only before it is frozen."""
    dataset = Dataset.open(Home.from_environment(), name)
    editing.resplit(dataset, settings)
    _show_dataset(Dataset.open(dataset.home, name), as_json)


@app.command("move")
def move(
    name: str,
    to: Annotated[str, typer.Option(help=f"Split to move to: {', '.join(SPLITS)}.")],
    group: Annotated[
        list[str] | None, typer.Option(help="Patient or other group to move, with all its images.")
    ] = None,
    file: Annotated[list[str] | None, typer.Option(help="Image to move, by its name in the source.")] = None,
    as_json: Json = False,
) -> None:
    """Move patients, groups or images to another split; only before it is frozen."""
    dataset = Dataset.open(Home.from_environment(), name)
    paths: list[str] = []
    for column, wanted in (("group", group or []), ("source", file or [])):
        for value in wanted:
            found = dataset.manifest.loc[dataset.manifest[column] == value, "path"]
            if found.empty:
                raise ErsatzError(
                    f"No image of data set {name} has the {column} {value!r}; expected one of the column {column} of "
                    f"{dataset.path / 'manifest.csv'}. Correct it."
                )
            paths.extend(found)
    if not paths:
        raise ErsatzError("It is not said what to move; expected --group NAME or --file NAME, each as often as needed.")
    editing.move(dataset, paths, to)
    _show_dataset(Dataset.open(dataset.home, name), as_json)


@app.command("freeze")
def freeze(
    name: str,
    accept_findings: Annotated[
        bool, typer.Option("--accept-findings", help="Freeze in spite of leaks or label conflicts; it is recorded.")
    ] = False,
    sealed: Annotated[
        bool,
        typer.Option(
            "--seal",
            help="Seal the test part too: no sweep reads it and no page shows it before `dataset reveal`. Also of a "
            "split that is frozen already, as long as no sweep has read it.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Freeze the split with hashes; training and sweeps need that."""
    dataset = Dataset.open(Home.from_environment(), name)
    editing.freeze(dataset, accept_findings, sealed, machine_user())
    _show_dataset(Dataset.open(dataset.home, name), as_json)


@app.command("reveal")
def reveal(
    name: str,
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger, with the date and the registered plans.")],
    as_json: Json = False,
) -> None:
    """Take the seal off a test part, for good: sweeps may read it from then on."""
    dataset = Dataset.open(Home.from_environment(), name)
    plans = seal.reveal(dataset, reason, machine_user())
    named = f"The registered plan{'s' * (len(plans) > 1)} {', '.join(plans)}" if plans else "No registered plan"
    text = f"The test part of {name} is revealed. {named} was made for it before; the ledger says so."
    text = text.replace(" was ", " were ") if len(plans) > 1 else text
    show({"revealed": name, "reason": reason, "plans": plans}, as_json, text)


@app.command("ledger")
def ledger(name: str, as_json: Json = False) -> None:
    """Show who has read the test part: every sweep, with the images it shares, and seals and plans."""
    dataset = Dataset.open(Home.from_environment(), name)
    others, made, seals = readers(dataset), plans_of(dataset), list(seal.history(dataset))
    sealed = seal.is_sealed(dataset)
    values = {
        "dataset": name,
        "sealed": sealed,
        "seals": seals,
        "plans": [{"id": plan.id, "time": plan.time, "sha256": plan.sha256} for plan in made],
        "sweeps": [
            {key: value for key, value in vars(other.reading).items() if key != "images"} | {"shared": other.shared}
            for other in others
        ],
    }
    rows = [[number, other.reading.run, other.words] for number, other in enumerate(others, start=1)]
    if not as_json:
        for sentence in [
            *map(seal_sentence, seals),
            *(f"The plan {plan.id} was registered on {day(plan.time)}." for plan in made),
        ]:
            console.print(sentence, soft_wrap=True, markup=False)
    empty = "It is sealed, and no sweep has read it." if sealed else "No sweep has read its test part yet."
    show(values, as_json, table("", ["", "sweep", "name, date"], rows) if rows else empty)


@app.command("positive")
def positive(
    name: str,
    class_name: Annotated[
        str, typer.Argument(metavar="CLASS", help="The finding that is looked for; empty: only show which it is.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say which of two classes is the positive one; a frozen split stays as it is, and sweeps keep theirs."""
    dataset = Dataset.open(Home.from_environment(), name)
    if class_name:
        dataset = editing.set_positive(dataset, class_name)
    found = positive_of(dataset)
    none = f"The data set {name} has {len(dataset.classes)} classes; only of two classes one is positive."
    show(_positive_values(dataset), as_json, sentence_on(found) if found else none)


@app.command("delete")
def delete(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a data set that no run works on, after saying who uses it."""
    home = Home.from_environment()
    if damage := damaged_datasets(home).get(name):
        notices.print(damage, soft_wrap=True, markup=False)
        if not yes:
            typer.confirm(f"Delete the damaged data set {name}?", abort=True)
        remove_damaged(home, name)
        show({"deleted": name}, as_json, f"Data set {name} is deleted.")
        return
    dataset = Dataset.open(home, name)
    uses = uses_of(dataset)
    if not as_json:
        for sentence in uses.sentences():
            console.print(f"- {sentence}", soft_wrap=True, markup=False)
    if not yes:
        typer.confirm(f"Delete data set {name} ({uses.size / 2**20:.1f} MiB)?", abort=True)
    remove(dataset)
    show({"deleted": name}, as_json, f"Data set {name} is deleted; the files that it was imported from are untouched.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the data sets of the home."""
    home = Home.from_environment()
    values, rows, damaged = [], [], damaged_datasets(home)
    for d in list_datasets(home):
        try:
            colour = "grey" if d.mode == "L" else "colour"
            form = [len(d.rows()), ", ".join(d.classes), f"{d.size}×{d.size} px, {colour}"]
            values.append(_values(d))
        except ErsatzError as error:  # in the middle of its manifest, say
            if d.path.is_dir():  # else it was just deleted
                damaged[d.name] = str(error)
            continue
        rows.append([d.name, *form, "frozen" if d.frozen else "open"])
    for name, sentence in damaged.items():
        values.append({"name": name, "path": str(home.dataset(name)), "damaged": sentence})
        rows.append([name, "", "", "", f"damaged: {escape(sentence)}"])
    empty = "There is no data set yet; `python -m engine dataset import PATH --name NAME` makes one."
    listing = table("", ["name", "images", "classes", "form", "split"], rows) if rows else empty
    show(values, as_json, listing)


def _values(dataset: Dataset) -> dict[str, Any]:
    rows = dataset.rows()
    counts = (rows["split"] + "/" + rows["class"]).value_counts().sort_index()
    return {
        "name": dataset.name,
        "path": str(dataset.path),
        "classes": dataset.classes,
        "positive": _positive_values(dataset),
        "size": dataset.size,
        "mode": dataset.mode,
        "frozen": dataset.frozen,
        "fingerprint": dataset.fingerprint,
        "sealed": dataset.frozen and seal.is_sealed(dataset),
        "phantom": dataset.is_phantom,
        "counts": {str(cell): int(count) for cell, count in counts.items()},
        "notes": list(dataset.info.provenance.notes),
        "offers": list(dataset.info.provenance.offers),
        "findings": dataset.info.audit.findings,
    }


def _positive_values(dataset: Dataset) -> dict[str, str] | None:
    """The positive class, where it came from, and that in a sentence; None unless there are two classes."""
    found = positive_of(dataset)
    return {"class": found.name, "origin": found.origin, "sentence": sentence_on(found)} if found else None


def _show_dataset(dataset: Dataset, as_json: bool) -> None:
    values = _values(dataset)
    counts = dataset.rows().groupby(["class", "split"]).size().unstack(fill_value=0)
    splits = [split for split in ("train", "valid", "test") if split in counts]
    rows = [[name, *(counts.loc[name, split] for split in splits)] for name in counts.index]
    if not as_json:
        phantom = " (a phantom, not real patients)" if dataset.is_phantom else ""
        console.print(
            f"[bold]{dataset.name}[/bold]{phantom}: {len(dataset.rows())} images, {dataset.path}", soft_wrap=True
        )
        console.print(table("", ["class", *splits], rows))
        if (found := positive_of(dataset)) is not None:
            console.print(f"- {sentence_on(found)}", soft_wrap=True, markup=False)
        for note in (*values["notes"], *values["offers"]):
            console.print(f"- import: {note}", soft_wrap=True, markup=False)
        for finding in values["findings"]:
            fix = f" Remedy: --fix {finding['remedy']}." if finding["remedy"] else ""
            console.print(f"- {finding['severity']}: {finding['sentence']}{fix}", soft_wrap=True, markup=False)
        console.print(
            f"The split is frozen.{' Its test part is sealed.' if values['sealed'] else ''}"
            if dataset.frozen
            else f"Not frozen. {how_to_freeze(dataset.name, dataset.info.audit.findings)}",
            soft_wrap=True,
            markup=False,
        )
        return
    show(values, True, "")


def folds(
    name: Annotated[str, typer.Argument(help="A frozen data set; `dataset list` shows them.")],
    folds: Annotated[int, typer.Option(help="How many; every image is a test image in one of them.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the division.")] = 0,
    as_json: Json = False,
) -> None:
    """Divide a data set for cross-validation: one frozen data set a fold, each for generators of its own."""
    made = make_folds(Dataset.open(Home.from_environment(), name), folds, seed)
    counts = [fold.rows()["split"].value_counts() for fold in made]
    values = [
        {"name": fold.name, "path": str(fold.path), "fingerprint": fold.fingerprint}
        | {split: int(count.get(split, 0)) for split in SPLITS}
        for fold, count in zip(made, counts, strict=True)
    ]
    rows = [[value["name"], *(value[split] for split in SPLITS)] for value in values]
    show(values, as_json, table("", ["data set", *SPLITS], rows))
