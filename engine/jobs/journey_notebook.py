"""A journey as a notebook that repeats it: each step a cell that calls `engine.Workspace` with that step's settings.

Written by hand as JSON in the notebook format 4.5 (https://nbformat.readthedocs.io), which is a list of cells. Hashes
of parents are left out, since the repeated parents have others where anything differs; what a person changed by hand in
a data set after its import (moved or left-out images) is not repeated, and a cell compares the split's fingerprint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.configs import Config
from engine.datasets.dataset import Dataset
from engine.datasets.folds import fold_names, fold_of
from engine.jobs.kinds import kind_shown, parse_config
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, each
from engine.version import __version__

WORKSPACE = "repeated"
"""The folder of the notebook's own runs, beside it."""
PARENTS = ("kind", "dataset", "generators", "pool", "pools", "origin", "control", "source", "name", "gan")
"""What the calls name by themselves."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


class _Code(str):
    """An expression in a literal: its `repr` is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass
class _Writer:
    """The cells so far, and the expression by which a cell calls what an earlier one made."""

    cells: list[dict[str, Any]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """By the id of a run."""
    datasets: dict[str, str] = field(default_factory=dict)
    """By the name of a data set."""
    counts: dict[str, int] = field(default_factory=dict)

    def say(self, text: str) -> None:
        self._add("markdown", text)

    def code(self, text: str) -> None:
        self._add("code", text, execution_count=None, outputs=[])

    def _add(self, kind: str, text: str, **more: Any) -> None:
        source = text.splitlines(keepends=True)
        self.cells.append(
            {"cell_type": kind, "id": f"cell-{len(self.cells)}", "metadata": {}, "source": source, **more}
        )

    def new(self, what: str) -> str:
        self.counts[what] = self.counts.get(what, 0) + 1
        return f"{what}_{self.counts[what]}"

    def literal(self, value: Any) -> Any:
        """Plain settings in which the ids of repeated runs are those of the repetition."""
        if isinstance(value, dict):
            return {name: self.literal(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.literal(part) for part in value]
        return _Code(f"{self.names[value]}.id") if isinstance(value, str) and value in self.names else value

    def dataset(self, home: Home, name: str) -> str:
        """The expression of a data set; one that no import of the journey made is a fold, or opened by its name."""
        if name not in self.datasets and (fold := _fold_of(home, name)):
            parent = self.dataset(home, fold["parent"])
            variable = self.new("folds")
            self.say(f"## Divide {fold['parent']} into {fold['folds']} folds")
            self.code(f"{variable} = make_folds({parent}, {fold['folds']}, seed={fold['seed']})")
            for number, one in enumerate(fold_names(fold["parent"], fold["folds"])):
                self.datasets[one] = f"{variable}[{number}]"
        if name not in self.datasets:
            variable = self.datasets[name] = self.new("images")
            self.say(f"The data set `{name}` was not imported by a run of this journey; it has to be there.")
            self.code(f"{variable} = work.dataset({name!r})")
        return self.datasets[name]


def journey_notebook(runs: Sequence[Run], title: str = "A journey, repeated") -> str:
    """The notebook, as JSON, that does again what `runs` (a `lineage`, the oldest first) did."""
    writer = _Writer()
    writer.say(
        f"# {title}\n\nThis notebook repeats a journey of Ersatz {__version__} with the same settings, in a folder of "
        "its own. The same settings on the same images give the same numbers where the machine sums in the same order. "
        "What was changed by hand in a data set after its import is not repeated."
    )
    writer.code(
        "import engine\nfrom engine.datasets.folds import make_folds\nfrom engine.jobs.kinds import parse_config\n"
        "from engine.jobs.submit import submit\n\n"
        f"work = engine.Workspace({WORKSPACE!r})"
    )
    known = [(run, parse_config(values)) for run, values in each(runs, Run.config) if _repeats(values)]
    done: set[str] = set()
    for run, config in known:
        if run.id not in done:
            done |= _step(writer, run, config, known)
    _verdicts(writer, known)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return (
        json.dumps({"cells": writer.cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"
    )


def _repeats(values: dict[str, Any]) -> bool:
    """A journey is its steps, and a dry run leaves nothing."""
    kind = kind_shown(values["kind"])
    return bool(kind.execute) and not kind.made_of_runs and values["kind"] != "dry-run"


def _step(writer: _Writer, run: Run, config: Any, known: Sequence[tuple[Run, Any]]) -> set[str]:
    """The cells of one run, or of trainings that were started together; the ids that they repeat."""
    kind = config.kind
    if kind == "import":
        _import(writer, run, config)
    elif kind == "train":
        return _train(writer, run, config, known)
    elif kind == "pool":
        _pool(writer, run, config)
    elif kind in ("quality", "sweep") and not getattr(config, "folds", ()) and _follows(writer, run, config.pool):
        call = "check" if kind == "quality" else "sweep"
        variable = writer.names[run.id] = writer.new(call)
        settings = _arguments(writer, config, name=config.name)
        writer.say(f"## {kind_shown(kind).label}\n\n{_found(run)}")
        writer.code(f"{variable} = work.{call}({writer.names[config.pool]}{settings})\n{variable}.result()")
    else:
        _other(writer, run, config)
    return {run.id}


def _import(writer: _Writer, run: Run, config: Any) -> None:
    variable = writer.datasets[config.name] = writer.new("images")
    source = f"{config.source!r}, " if config.source else ""
    where = f" The images are expected where they were: `{config.source}`; change that here." if config.source else ""
    writer.say(f"## Import {config.name}\n\nAudited, split and frozen.{where}")
    writer.names[run.id] = variable
    code = f"{variable} = work.import_dataset({source}name={config.name!r}{_arguments(writer, config)})"
    try:
        fingerprint = Dataset.open(run.home, config.name).fingerprint
    except ErsatzError:
        fingerprint = ""
    if fingerprint:
        code += (
            f"\nif {variable}.fingerprint != {fingerprint!r}:\n"
            '    print("The images or their split are not those of the journey: what follows will differ.")'
        )
    writer.code(code)


def _train(writer: _Writer, run: Run, config: Any, known: Sequence[tuple[Run, Any]]) -> set[str]:
    """One generator; or one for each class, where all were trained with the same settings."""
    alike = [(one, its) for one, its in known if _but_for_class(its) == _but_for_class(config)]
    try:
        classes = Dataset.open(run.home, config.dataset).classes
    except ErsatzError:
        classes = []
    together = bool(config.class_name) and len(classes) > 1 and {its.class_name for _, its in alike} == set(classes)
    images = writer.dataset(run.home, config.dataset)
    variable = writer.new("generators")
    settings = _arguments(writer, config, without=("class_name",) if together else ())
    each_ = "One generator for each class." if together else config.class_name or "One generator for all classes."
    writer.say(f"## Train on {config.dataset}\n\n{each_}")
    writer.code(
        f"{variable} = work.train({images}, gan={config.gan!r}{settings})\nfor run in {variable}:\n    run.result()"
    )
    place = {name: f"{variable}[{number}]" for number, name in enumerate(classes if together else [config.class_name])}
    same = {one.id: place[its.class_name] for one, its in alike if its.class_name in place}  # twice is once again
    writer.names |= same
    return set(same)


def _fold_of(home: Home, name: str) -> dict[str, Any]:
    try:
        return fold_of(Dataset.open(home, name))
    except ErsatzError:
        return {}


def _but_for_class(config: Config) -> dict[str, Any]:
    return {**config.plain(), "class_name": ""}


def _pool(writer: _Writer, run: Run, config: Any) -> None:
    origin = getattr(config, "origin", "")
    parents = [reference.run for reference in getattr(config, "generators", getattr(config, "pools", ()))]
    of_pool = getattr(config, "pool", "")
    if not all(_follows(writer, run, parent) for parent in (*parents, of_pool) if parent):
        _other(writer, run, config)
        return
    variable = writer.new("pool")
    listed = f"[{', '.join(writer.names[parent] for parent in parents)}]"
    settings = f"name={config.name!r}{_arguments(writer, config)}"
    if origin == "imported":
        call = f"import_pool({config.source!r}, {writer.dataset(run.home, config.dataset)}, {settings})"
    elif origin == "mixed":
        call = f"mix({listed}, {settings})"
    elif origin == "control":
        pool = f", pool={writer.names[of_pool]}" if of_pool else ""
        call = f"control({config.control!r}, {writer.dataset(run.home, config.dataset)}{pool}, {settings})"
    else:
        call = f"sample({listed}, {settings})"
    writer.names[run.id] = variable
    writer.say(f"## Pool {config.name}")
    writer.code(f"{variable} = work.{call}\n{variable}.result()")


def _follows(writer: _Writer, run: Run, parent: str) -> bool:
    """Whether a run is made from one that was repeated, on the same data set: the calls take it from there."""
    return parent in writer.names and Run(run.home, parent).config().get("dataset") == run.config().get("dataset")


def _other(writer: _Writer, run: Run, config: Config) -> None:
    """A run that `Workspace` has no call for, by its settings."""
    kind = kind_shown(run.kind)
    for name in kind.datasets_needed(run.config()):
        if name:
            writer.dataset(run.home, name)
    variable = writer.new(re.sub(r"\W", "_", kind.name))
    values = writer.literal(_kept(config.model_dump(mode="json", exclude_defaults=True)) | {"kind": kind.name})
    writer.names[run.id] = variable
    writer.say(f"## {kind.label}\n\n{_found(run)}")
    writer.code(
        f"{variable} = engine.Run(work.home, submit(work.home, parse_config({values!r})).id)\n{variable}.result()"
    )


def _verdicts(writer: _Writer, known: Sequence[tuple[Run, Any]]) -> None:
    """What the sweeps found then, beside what they find now."""
    sweeps = [run for run, config in known if run.kind == "sweep" and run.id in writer.names]
    lines = [
        f"print({f'{run.id} found: '!r} + {str(run.status().result.get('verdict', ''))!r})\n"
        f"print('now: ' + {writer.names[run.id]}.result()['verdict'])"
        for run in sweeps
    ]
    if lines:
        writer.say("## The verdict, then and now")
        writer.code("\n".join(lines))


def _arguments(writer: _Writer, config: Config, without: tuple[str, ...] = (), **more: Any) -> str:
    """Settings other than the defaults as keyword arguments, with a comma before them."""
    values = _kept(config.model_dump(mode="json", exclude_defaults=True))
    kept = {name: value for name, value in values.items() if name not in (*PARENTS, *without)}
    return "".join(f", {name}={value!r}" for name, value in writer.literal({**more, **kept}).items())


def _kept(value: Any) -> Any:
    """Plain settings without the hashes of parents, which are filled in anew."""
    if isinstance(value, dict):
        return {name: _kept(part) for name, part in value.items() if not name.endswith(("sha256", "fingerprint"))}
    return [_kept(part) for part in value] if isinstance(value, list) else value


def _found(run: Run) -> str:
    """What the run found, quoted."""
    sentence = str(run.status().result.get("sentence", ""))
    return f"Then: {sentence}" if sentence else ""
