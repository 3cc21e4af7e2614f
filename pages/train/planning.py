"""Set up trainings: data, settings to begin from, GAN and details; what to expect and what it costs; start."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from engine.configs import DryRunConfig, TrainConfig, parse_training
from engine.configs.gans import gan_named, gan_title, gans
from engine.datasets.dataset import Dataset
from engine.jobs.submit import MOST_GENERATORS, trainings_by_class
from engine.publications.presets import PRESETS
from engine.store.runs import Run
from pages.components.command import command_line, show_command
from pages.components.errors import made
from pages.components.forms import grouped_form
from pages.components.home import home
from pages.components.people import Role, require
from pages.components.phantom import phantom_badge
from pages.components.place import choose_place
from pages.components.run_summary import run_named
from pages.components.runs import start
from pages.components.views import go
from pages.train.dry_runs import show_dry_run
from pages.train.gans import FOR_TRANSFER, groups_of
from pages.train.guidance import (
    QUICK_STORY,
    QUICK_TITLE,
    expectations,
    has_gpu,
    quick_settings,
    suits_quick,
    training_counts,
)
from pages.train.source_run import SourceRun, show_source, source_in_url
from pages.train.starts import choose_start, import_network, shape_of

ONE_EACH, TOGETHER = "One for each class", "One for all classes (conditional)"
MIXED = "One for all classes, not told apart"
OWN, QUICK, SAME = "own", "quick", "same"
OWN_STORY = "Every setting begins at the default of the GAN, as its authors chose it."
START, TRY = "Start training", "Dry run"


def plan(frozen: list[Dataset], measured: Run | None) -> None:
    """Choose data, settings and GAN; one press starts a run for each generator, or measures the first."""
    if measured is not None:
        show_dry_run(measured)
    origin = source_in_url()
    with st.container(border=True):
        dataset, preset, gan, way, of_each = _choices(frozen, origin)
        base = {**_settings(preset, gan, origin), "gan": gan, "dataset": dataset.name, "conditional": way == TOGETHER}
        if gan_named(gan).transfers:
            base = _with_configuration(base, origin)
    only = {f"Only {class_name}": class_name for class_name in dataset.classes}
    class_names = dataset.classes if way == ONE_EACH else [only.get(way, "")]
    shown = made(lambda: _completed(base, dataset))
    if shown is None:
        return
    expectations(dataset, shown, class_names)
    family = gan_named(gan)
    layout = family.layout
    main = [*layout.main, *(FOR_TRANSFER if base.get("start_from") else ())]
    key = ["train", dataset.name, preset, gan, way, base.get("cfg", ""), base.get("start_from", "")]
    place = choose_place("train", "train")
    pressed = grouped_form(
        type(shown),
        main,
        shown.plain(),
        key="-".join([*key, origin.tag if origin else ""]),
        groups=groups_of(family, main),
        labels=dict(layout.labels),
        buttons={START: ":material/play_arrow:", TRY: ":material/speed:"},
        given=base,
    )
    st.caption("A dry run tries some iterations and tells memory, time and disk; nothing of it is kept.")
    if pressed is not None:
        _submit(*pressed, class_names, of_each, place)
    commands, _ = trainings_by_class({**shown.plain(), "class_name": ""}, lambda: class_names, of_each)
    show_command("\n".join(command_line(one, dataset.size, place) for one in commands))
    if family.transfers:
        with st.expander("Import a network (.pkl)", icon=":material/upload_file:"):
            import_network()


def _choices(frozen: list[Dataset], origin: SourceRun | None) -> tuple[Dataset, str, str, str, int]:
    """Data set, where the settings begin, GAN, which generators and how many of each; those of `origin` first."""
    source = origin.config if origin else {}
    tag = origin.tag if origin else ""
    datasets = {dataset.name: dataset for dataset in frozen}
    wanted = source.get("dataset") or st.query_params.get("dataset")
    if origin is not None:
        show_source(origin)
    data, beginning = st.columns([2, 3])
    name = data.selectbox(
        "Data set",
        list(datasets),
        index=_position(list(datasets), wanted),
        key=f"data-{tag}-{wanted}",
        help="Frozen data sets; only the training split is used.",
    )
    dataset = datasets[name]
    with data:
        _facts(dataset)
    with beginning:
        preset = _preset(dataset, origin)
    published = {"gan": "dcgan"} if preset in (OWN, QUICK, SAME) else PRESETS[preset].train_settings()
    known = source.get("gan", "stylegan2-ada" if origin and origin.tune else "dcgan")  # networks to tune name none
    left, ways, numbers = st.columns([4, 4, 2])
    gan = left.selectbox(
        "GAN",
        list(gans()) if preset != QUICK else ["dcgan"],
        index=0 if preset == QUICK else _position(list(gans()), known if preset == SAME else published["gan"]),
        format_func=gan_title,
        key=f"gan-{name}-{preset}-{tag}",
        help="DCGAN: small and quick, up to 128 px. StyleGAN2-ADA: for small sets of any size, and much slower.",
    )
    options = [ONE_EACH, TOGETHER, *(f"Only {class_name}" for class_name in dataset.classes)]
    before = _way_of(source)
    if before == MIXED:
        options.append(MIXED)
    together = published.get("conditional") and gan == published["gan"]
    way = ways.selectbox(
        "Generators",
        options,
        index=_position(options, before if origin else TOGETHER if together else ONE_EACH),
        key=f"way-{name}-{preset}-{gan}-{tag}",
        help="One each: the classes are trained as runs of their own, DCGANs on a processor side by side.",
    )
    of_each = numbers.number_input(
        "Of each",
        min_value=1,
        max_value=MOST_GENERATORS,
        value=1,
        key=f"of-each-{tag}",
        help="Several are trained with seeds of their own; a sweep of a pool of all can tell their luck from a result.",
    )
    if preset not in (OWN, QUICK, SAME) and gan not in PRESETS[preset].train:
        st.caption(f"The preset says nothing about {gan_title(gan)}: the settings below are the defaults.")
    return dataset, preset, gan, way, of_each


def _preset(dataset: Dataset, origin: SourceRun | None) -> str:
    """Where the settings begin: each choice with a sentence on what it is for."""
    options = [*([SAME] if origin else []), *([QUICK] if suits_quick(dataset) else []), *PRESETS, OWN]
    own = next((key for key, preset in PRESETS.items() if preset.importing.get("name") == dataset.name), None)
    # A published network of full width takes hours without a GPU: not what somebody new should meet first.
    if origin is not None:
        first = SAME
    elif own and (own == "demo" or has_gpu()):
        first = own
    else:
        first = own or OWN if has_gpu() or not suits_quick(dataset) else QUICK
    names = {QUICK: QUICK_TITLE, OWN: "The GAN's defaults", SAME: "As in that training"}
    chosen = st.selectbox(
        "Preset",
        options,
        index=_position(options, first),
        format_func=lambda key: names[key] if key in names else PRESETS[key].title,
        key=f"preset-{dataset.name}-{origin.tag if origin else ''}",
        help="Where the settings below begin; every one of them can be changed.",
    )
    stories = {QUICK: QUICK_STORY, OWN: OWN_STORY, SAME: "Every setting begins as it was there."}
    st.caption(stories[chosen] if chosen in stories else PRESETS[chosen].story)
    return chosen


def _facts(dataset: Dataset) -> None:
    phantom_badge(dataset.name)
    counts = training_counts(dataset)
    each = ", ".join(f"{count:,} {class_name}" for class_name, count in counts.items())
    colours = "grey" if dataset.mode == "L" else "colour"
    st.caption(f"{sum(counts.values()):,} training images of {dataset.size}×{dataset.size} px, {colours}: {each}.")


def _way_of(config: dict[str, Any]) -> str:
    if config.get("class_name"):
        return f"Only {config['class_name']}"
    return MIXED if config.get("kind") == "train" and not config.get("conditional") else TOGETHER


def _settings(preset: str, gan: str, origin: SourceRun | None) -> dict[str, Any]:
    """The settings that the preset has for this GAN; fields of another GAN are left out."""
    if preset == SAME and origin is not None:
        return {name: value for name, value in origin.settings().items() if name in gan_named(gan).config.model_fields}
    if preset == QUICK:
        return quick_settings()
    return {} if preset == OWN else PRESETS[preset].train_settings(gan)


def _with_configuration(base: dict[str, Any], origin: SourceRun | None) -> dict[str, Any]:
    """`base` with the configuration and the start that are chosen, and with what these decide."""
    left, right = st.columns([2, 3])
    settings = gan_named(base["gan"]).config
    configuration = settings.model_fields.get("cfg")
    own = base.get("cfg", "auto")
    cfg = own
    if configuration is not None:
        choices = get_args(configuration.annotation)
        cfg = left.selectbox(
            "Configuration", choices, index=choices.index(own), key=f"cfg-{own}", help=configuration.description
        )
    with right:
        wanted = "" if origin is None else origin.run.id if origin.tune else origin.config.get("start_from", "")
        chosen = choose_start(wanted)
    if cfg != own:  # another configuration's values take the place of the preset's
        base = {name: value for name, value in base.items() if name not in settings.by_size - {"kimg"}}
    if configuration is not None:
        base["cfg"] = cfg
    if chosen:
        run = run_named(home(), chosen)
        base |= {"start_from": chosen, **(shape_of(run) if run else {})}
    return base


def _completed(base: dict[str, Any], dataset: Dataset) -> TrainConfig:
    """The training with everything that the form shows, filled in for images of this size."""
    config = parse_training(base)
    return config.completed(dataset.size)


def _submit(pressed: str, values: dict[str, Any], class_names: list[str], of_each: int, place: str) -> None:
    require(Role.EDITOR)
    if pressed == TRY:
        if start(DryRunConfig.build({"training": {**values, "class_name": class_names[0]}}), place=place):
            st.rerun()
        return
    configs, beside = trainings_by_class({**values, "class_name": ""}, lambda: class_names, of_each)
    started = [start(config, beside, place) for config in configs]
    if started and all(started):
        go(run=started[0].id)  # type: ignore[union-attr]


def _position(options: list[str], wanted: str | None) -> int:
    return options.index(wanted) if wanted in options else 0
