"""Set up trainings: data, preset, GAN and settings; what they would cost; start."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from engine.configs import DryRunConfig, StyleganConfig, TrainingConfig, parse_training
from engine.configs.stylegan2 import BY_CONFIGURATION, Configuration
from engine.datasets.dataset import Dataset
from engine.presets import PRESETS
from engine.store.errors import ErsatzError
from engine.store.runs import Run, list_runs
from pages.parts.command import command_line
from pages.parts.forms import grouped_form
from pages.parts.home import home
from pages.parts.phantom import phantom_badge
from pages.parts.runs import config_of, start
from pages.parts.words import amount
from pages.training.dry_runs import show_dry_run
from pages.training.gans import CHOSEN_ABOVE, FOR_TRANSFER, LAYOUTS, NAMES
from pages.training.starts import choose_start, import_network, shape_of

ONE_EACH, TOGETHER = "One for each class", "One for all classes (conditional)"
OWN = "No preset"
START, TRY = "Start training", "Dry run"
REASONABLE_KIMG = 5000


def plan(frozen: list[Dataset], linked: Run | None) -> None:
    """Choose data, preset, GAN and settings; one press starts a run for each generator, or measures the first."""
    origin = _origin()
    dataset, preset_name, gan, way = _choices(frozen, origin)
    settings = _of_origin(origin) if preset_name == OWN else PRESETS[preset_name].train_settings(gan)
    base = {**settings, "gan": gan, "dataset": dataset.name, "conditional": way == TOGETHER}
    only = {f"Only {class_name}": class_name for class_name in dataset.classes}
    class_names = dataset.classes if way == ONE_EACH else [only.get(way, "")]
    if gan == "stylegan2-ada":
        base = _with_configuration(base, origin)
    _remarks(dataset, preset_name, gan)
    try:
        shown = _completed(base, dataset)
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return
    layout = LAYOUTS[gan]
    main = [*layout.main, *(FOR_TRANSFER if base.get("start_from") else ())]
    pressed = grouped_form(
        type(shown),
        main,
        shown.plain(),
        key="-".join(["train", dataset.name, preset_name, gan, way, base.get("cfg", ""), base.get("start_from", "")]),
        groups=layout.rest(gan, main),
        labels=layout.labels,
        buttons={START: ":material/play_arrow:", TRY: ":material/speed:"},
        given=base,
    )
    if pressed is not None:
        _submit(*pressed, class_names)
    if linked is not None:
        show_dry_run(linked)
    st.caption(_budget(dataset, class_names, shown.kimg))
    st.caption("The same from the command line (settings changed above show after the start):")
    one = parse_training({**shown.plain(), "class_name": only.get(way, "")})
    st.code(command_line(one, dataset.size), "bash", wrap_lines=True)
    if gan == "stylegan2-ada":
        with st.expander("Import a network (.pkl)", icon=":material/upload_file:"):
            import_network()


def _origin() -> Run | None:
    """The run that `?from=` asks to fine-tune."""
    wanted = st.query_params.get("from", "")
    runs = [*list_runs(home(), "train"), *list_runs(home(), "network")]
    return next((run for run in runs if run.id == wanted), None)


def _of_origin(origin: Run | None) -> dict[str, Any]:
    """The settings of a training that is to be fine-tuned, but for those that a transfer has of its own."""
    if origin is None or config_of(origin)["kind"] != "train":
        return {}
    omitted = (CHOSEN_ABOVE - {"cfg"}) | {"ada_kimg", "ema_ramp"}
    return {name: value for name, value in config_of(origin).items() if name not in omitted}


def _choices(frozen: list[Dataset], origin: Run | None) -> tuple[Dataset, str, str, str]:
    """Data set, preset, GAN and which generators; those of `origin` first when it is to be fine-tuned."""
    source = config_of(origin) if origin else {}
    tag = origin.id if origin else ""
    datasets = {dataset.name: dataset for dataset in frozen}
    data, presets, gans, ways = st.columns([3, 3, 2, 3])
    name = data.selectbox(
        "Data set",
        list(datasets),
        index=_position(list(datasets), source.get("dataset")),
        key=f"data-{tag}",
        help="Frozen data sets; only the training split is used.",
    )
    dataset = datasets[name]
    own = [key for key, preset in PRESETS.items() if preset.importing.get("name") == name]
    preset_name = presets.selectbox(
        "Preset",
        [OWN, *PRESETS],
        index=_position([OWN, *PRESETS], own[0] if own and not origin else OWN),
        format_func=lambda key: OWN if key == OWN else PRESETS[key].title,
        key=f"preset-{name}-{tag}",
        help="Where the settings below start from.",
    )
    published = {"gan": "dcgan"} if preset_name == OWN else PRESETS[preset_name].train_settings()
    gan = gans.selectbox(
        "GAN",
        list(NAMES),
        index=_position(list(NAMES), "stylegan2-ada" if origin else published["gan"]),
        format_func=NAMES.__getitem__,
        key=f"gan-{name}-{preset_name}-{tag}",
        help="DCGAN: small and quick, up to 64 px. StyleGAN2-ADA: for small sets of any size, and much slower.",
    )
    options = [ONE_EACH, TOGETHER, *(f"Only {class_name}" for class_name in dataset.classes)]
    trained = f"Only {source['class_name']}" if source.get("class_name") else TOGETHER
    together = published.get("conditional") and gan == published["gan"]
    way = ways.selectbox(
        "Generators",
        options,
        index=_position(options, trained if origin else TOGETHER if together else ONE_EACH),
        key=f"way-{name}-{preset_name}-{gan}-{tag}",
        help="One each: the classes are trained one after the other, as runs of their own.",
    )
    return dataset, preset_name, gan, way


def _with_configuration(base: dict[str, Any], origin: Run | None) -> dict[str, Any]:
    """`base` with the configuration and the start that are chosen, and with what these decide."""
    left, right = st.columns([3, 8])
    configurations = get_args(Configuration)
    own = base.get("cfg", "auto")
    with left:
        cfg = st.selectbox(
            "Configuration",
            configurations,
            index=configurations.index(own),
            key=f"cfg-{own}",
            help=StyleganConfig.model_fields["cfg"].description,
        )
    with right:
        chosen = choose_start(origin.id if origin else "")
    if cfg != own:  # another configuration's values take the place of the preset's
        base = {name: value for name, value in base.items() if name not in BY_CONFIGURATION - {"kimg"}}
    base["cfg"] = cfg
    if chosen is not None:
        base |= {"start_from": chosen.id, **shape_of(chosen)}
    return base


def _completed(base: dict[str, Any], dataset: Dataset) -> TrainingConfig:
    """The training with everything that the form shows, filled in for images of this size."""
    config = parse_training(base)
    return config.completed(dataset.size) if isinstance(config, StyleganConfig) else config


def _remarks(dataset: Dataset, preset_name: str, gan: str) -> None:
    phantom_badge(dataset.name)
    if preset_name == OWN:
        return
    st.caption(PRESETS[preset_name].story)
    if gan not in PRESETS[preset_name].train:
        st.caption(f"It says nothing about {NAMES[gan]}: the settings below are the defaults.")


def _submit(pressed: str, values: dict[str, Any], class_names: list[str]) -> None:
    if pressed == TRY:
        if start(DryRunConfig.build({"training": {**values, "class_name": class_names[0]}})):
            st.rerun()
        return
    started = [start(parse_training({**values, "class_name": class_name})) for class_name in class_names]
    if started and all(started):
        st.query_params.pop("from", None)
        st.query_params["run"] = started[0].id  # type: ignore[union-attr]
        st.session_state["train-started"] = True
        st.rerun()


def _budget(dataset: Dataset, class_names: list[str], kimg: float) -> str:
    """What the budget means for these classes, in passes over their training images."""
    parts = []
    for class_name in class_names:
        count = len(dataset.rows("train", class_name or None))
        passes = amount(round(1000 * kimg / max(count, 1)))
        parts.append(f"{class_name or 'all classes'}: {count} training images, {passes} passes in {amount(kimg)} kimg")
    text = "1 kimg is a thousand real images shown. " + "; ".join(parts) + "."
    if kimg > REASONABLE_KIMG:
        text += (
            f" {amount(kimg)} kimg is the published length. Samples become reasonable at about "
            f"{amount(REASONABLE_KIMG)} kimg from scratch and 1,000 from another network; a training can be stopped at "
            "any time and resumed later."
        )
    return text


def _position(options: list[str], wanted: str | None) -> int:
    return options.index(wanted) if wanted in options else 0
