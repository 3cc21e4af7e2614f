"""What a kind of run is: everything that the rest of the program asks of one.

The table of all kinds is `engine.jobs.kinds`. It is read by every process, the dashboard's and a hundred waiting
supervisors among them, so that what is heavy stands here by name only and is imported where it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict

from engine.configs import Config
from engine.store.home import Home
from engine.store.runs import Status
from engine.store.versioned import Result

Settings = dict[str, Any]
"""The content of a run's `config.json`."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """The command line that starts a run: `python -m engine`, `words`, an option for each setting, `last`."""

    words: tuple[str, ...]
    settings: Config
    """An option is given for each of these that differs from its default,"""
    named: frozenset[str] = frozenset()
    """but for these, which the words say already."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Defaults other than those of the config."""
    last: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImpactTexts:
    """What a deletion means, in sentences."""

    lost: str = "Everything in the folder of the run."
    """What goes with a run of the kind."""
    stays: str = ""
    """What stays of it; empty: nothing worth a sentence."""
    without_dataset: str = ""
    """What runs of the kind lose with their data set; follows their number, as in "3 pools cannot be checked"."""


class AnyResult(Result):
    """The result of a kind that names no model of its own: whatever there is."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True, kw_only=True)
class RunKind:
    """One kind of run.

    Functions are named as "module:function" where they import much: `execute` torch, `prepare` the data sets.
    """

    name: str
    """`kind` in `config.json`. Run folders are kept for years, so that it never changes."""
    config: type[Config]
    """Its settings; their field `kind` is a `Literal` of the name."""
    parse: Callable[[Settings], Config] | None = None
    """Makes the typed settings where `config` has several forms; else `config.build` does."""
    label: str
    """What one run is called in a choice: `Quality check`."""
    noun: str = ""
    """What one is called in a sentence; empty: the label in small letters."""

    # What is done, and where.
    execute: str
    """Does the work in the worker: `(run, config, report, should_stop) -> Outcome`."""
    execute_part: str = ""
    """Does a part of what its worker can leave to others: `(run, config, fold, seed, report, should_stop) -> Outcome`.
    `execute` then takes `spread` too. Empty: its worker does all itself."""
    prepare: str = ""
    """Completes the settings before a run is made: `(home, config) -> Config`; raises `ErsatzError` when a parent is
    missing or does not fit. Empty: they are complete."""
    before_start: Callable[[Home, Any], None] | None = None
    """Called with the settings when no other run can start; raises `ErsatzError` when a new run must not."""
    before_delete: str = ""
    """Called when a run of the kind is about to be deleted, to keep what must outlive it: `(run) -> None`."""
    damaged_result: str = ""
    """What of a finished run's result cannot be read and is made again when it is resumed: `(run, thorough) ->
    str`, a sentence; empty: nothing. The dashboard asks too, not `thorough`: it is quick then, and imports no torch."""
    result_exists: Callable[[Home, Any], bool] | None = None
    """Whether what a finished run wrote outside of its folder is still there; one without is made again."""
    needs_device: bool = True
    """Whether it waits for a GPU or the processor, as its settings `device` and `gpus` say."""
    can_go: bool = True
    """Whether a cluster may do it; what reads files of this machine stays here."""
    training: Callable[[Settings], Settings | None] = lambda config: None
    """The settings of the GAN's training in the settings of the run; None where it trains none."""
    stages: tuple[str, ...] = ()
    """The stages that it reports, in their order: each is a step of the run, whose progress is that of the whole. What
    else it reports in between moves it no further. Empty: it has but one step, whatever it is called."""
    small_steps: bool = False
    """Whether its threads meet so often that it leaves a core to its neighbours (see `engine.jobs.cores`)."""
    made_of_runs: bool = False
    """Whether it starts other runs, one step after the other, and counts the steps."""

    # What it is about.
    about_run: str = ""
    """The setting that names the run that it is about: its data set is that run's."""
    dataset: Callable[[Settings], str] | None = None
    """The data set that it is about, "" for none; else its setting `dataset`, or its training's."""
    dataset_of_result: Callable[[Any], str] | None = None
    """Its data set, where only the result tells it."""
    needs_datasets: Callable[[Settings], tuple[str, ...]] | None = None
    """The data sets without which it cannot be repeated; else `dataset` and its folds."""
    deletion_impact: ImpactTexts = ImpactTexts()

    # How it is shown.
    title: Callable[[Settings, str], str] | None = None
    """What it is in a few words, from the settings and the title of the run that it is about ("" without one)."""
    result: type[Result] = AnyResult
    """What a run found, as its `status.json` holds it; code that knows the kind reads it by `Status.result_as`."""
    outcome: Callable[[Status], str] = lambda status: ""
    """What came out of a finished run, in a few words."""
    curve: tuple[str, ...] = ()
    """The fields of `metrics.jsonl` that tell most of it; the first that there is, is drawn in lists."""
    curve_of: Callable[[list[dict[str, Any]]], list[float]] | None = None
    """Draws the rows of `metrics.jsonl` instead, where no field alone tells enough."""
    page: str = "runs"
    """The address of the page that shows it."""
    form: Mapping[str, str] | None = None
    """The query of the form on its page that takes the settings of `?again=`; None: it has none."""
    repeatable: bool = True
    """Whether the same settings once more can make another run."""
    command: Callable[[Any, int], Command] | None = None
    """The command that starts such a run, from the settings and the data set's size in pixels (0: not known); else
    `submit` is, which takes any kind."""

    def parsed(self, values: Settings) -> Config:
        """The typed settings of a `config.json` of this kind."""
        return (self.parse or self.config.build)(values)

    @property
    def in_a_sentence(self) -> str:
        """What one run is called in a sentence."""
        return self.noun or self.label.lower()

    def result_of(self, status: Status) -> Any:
        """What a run of the kind found, as `result`; None before there is anything."""
        return status.result_as(self.result)

    def usual_title(self, config: Settings, other: str = "") -> str:
        """What a run is, in a few words; `other` is the title of the run that it is about."""
        if self.title is not None:
            return self.title(config, other)
        return f"{self.label} {config.get('name', '')}".strip()

    def dataset_of(self, config: Settings) -> str:
        """The data set in the settings of a run; empty where they name none."""
        if self.dataset is not None:
            return self.dataset(config)
        return str((self.training(config) or config).get("dataset") or "")

    def datasets_needed(self, config: Settings) -> tuple[str, ...]:
        """The data sets in the settings without which the run cannot be repeated."""
        if self.needs_datasets is not None:
            return self.needs_datasets(config)
        return (self.dataset_of(config), *(fold["dataset"] for fold in config.get("folds") or ()))
