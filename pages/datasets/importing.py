"""A new data set: where the images are, what was matched, the settings, and the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.previewing import Preview
from engine.datasets.reading.header import SETTINGS, Header
from engine.datasets.reading.questions import Question
from engine.datasets.uploads import FOLDER as UPLOADS
from engine.publications.presets import PRESETS
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State
from pages.components.command import command_line, show_command
from pages.components.errors import show_error
from pages.components.format import plain
from pages.components.forms import grouped_form
from pages.components.home import home
from pages.components.machine import machine
from pages.components.people import Role, guarded, may, refusal, require
from pages.components.run_summary import config_of, run_named, title
from pages.components.runs import run_header, start
from pages.components.views import go, way_to
from pages.datasets.browsing import FIELD
from pages.datasets.class_names import named_here, show_classes
from pages.datasets.columns import show_columns
from pages.datasets.preview import header_seen, look_ahead, look_at, matched_by, show_details, show_preview
from pages.datasets.questions import Answers, ask, show_answers, show_offers
from pages.datasets.sources import PATH, PHANTOM, PHANTOM_SOURCE, free_name, source_of, way_of_arrival
from pages.datasets.values import show_values
from pages.datasets.views import IMPORT

OWN = "No preset"
START, LOOK = "Start import", "Preview"
FIELDS = ["name", "size", "positive", "class_names"]
LISTED = ("only_classes", "metadata_columns")
"""Fields of the form that are lists to choose from where the source says what may be chosen."""
MORE = {
    "How the images are stored": ["mode", "resize", "window"],
    "Volumes and files with several frames": ["frames", "every", "axis", "slice_values", "mask_suffix"],
    "How the source is read": [
        *(
            "group_column",
            "layout",
            "folders",
            "csv",
            "csv_encoding",
            "csv_header",
            "image_column",
            "label_column",
            "split_column",
            "metadata_columns",
            "only_classes",
        ),
        *("keep_ids", "ignore_ids", "max_pixels", "skip_unreadable"),
    ],
    "How it is split": [
        *("split", "train_share", "valid_share", "split_counts", "train_per_class", "seed", "remedies", "freeze"),
    ],
}
WORDS = {
    "mode": {"auto": "as the pictures are", "L": "grey", "RGB": "colour"},
    "resize": {"pad": "black borders", "crop": "cutting the longer side", "stretch": "stretching"},
    "frames": {"ask": "asked about", "first": "the first", "middle": "the middle one", "all": "all"},
    "csv_header": {"auto": "found out", "yes": "yes", "no": "no"},
    "layout": {"auto": "found out", "folder": "folders", "csv": "CSV", "zip": "ZIP", "npz": "NumPy file"}
    | {"dicom": "DICOM", "phantom": "phantom"},
    "split": {"auto": "as the source says, else drawn", "given": "as the source says", "random": "drawn"},
}
"""What the options of a setting are called on the page."""
CPU_SIZE, GPU_SIZE = 64, 256
"""Largest size suggested: what a generator learns within an hour or so on such a machine."""


def followed_import(run: Run) -> None:
    """An import that is on its way or has failed."""
    state = run.state()
    with st.container(border=True):
        st.markdown(f"**{plain(title(run))}**")
        run_header(run, more=None)
        if state.is_final and state is not State.FINISHED:
            way_to(
                "Change its settings and try again", ":material/restart_alt:", "try-again", IMPORT, run="", again=run.id
            )
    if state.is_active:
        st.caption("It goes on when this tab is closed. What was imported opens here when it has finished.")


def new_import(datasets: dict[str, Dataset], defaults: dict[str, Any]) -> None:
    """Source, what was found, settings and start, then the pictures; `defaults` are those of an import done again."""
    if not may(Role.EDITOR):
        st.info(refusal(Role.EDITOR), icon=":material/lock:")
        return
    remembered(defaults)
    st.subheader("1 · Where are the images?")
    look_ahead(ImportConfig.build({**PHANTOM_SOURCE, **preset_of(PHANTOM_SOURCE, {})}))
    base = source_of(way_of_arrival(way_of(defaults)), last_source(datasets))
    if base is None:
        return
    again = {**defaults, "name": free_name(defaults["name"], datasets)} if defaults else {}
    if again.get("source") != base["source"] or again.get("layout") != base.get("layout", again.get("layout")):
        again = {}
    base["name"] = free_name(base["name"], datasets)
    st.subheader("2 · What was found")
    found = st.container()
    st.subheader("3 · How to store and split them")
    form = st.container()
    preset = preset_of(base, again)
    below = st.container()
    settings = {"freeze": False, **base, **preset, **again, "source": base["source"]}
    settings["name"] = free_name(settings["name"], datasets)
    key = f"import-{base['source']}-{preset.get('name')}-{len(datasets)}-{bool(again)}"
    shown_key = f"shown-{key}"
    answers, chosen = Answers(key, shown_key), Answers(key, shown_key, "chosen")
    unanswered, settings = settings, {**settings, **answers.settings, **chosen.settings}
    reason = ""
    if "size" not in {**preset, **again}:
        settings["size"], reason = suggested(settings)
        answers.follow_size(settings["size"])
    before = st.session_state.get(shown_key, settings)
    seen, asked = first_look(before)
    header = header_of_source(before)
    # where the last settings find nothing, such as a single class chosen, what may be chosen is as it was before
    choices = {**st.session_state.get(f"choices-{key}", {}), **known_choices(seen, header, before)}
    st.session_state[f"choices-{key}"] = choices
    answers.listed = chosen.listed = [name for name in LISTED if name in choices]
    said: list[DeltaGenerator] = []
    with form:
        told = f"These settings suit most images: nothing has to be changed. {reason}"
        st.caption("The question above comes first; its answer can be changed here later." if asked else told)
        pressed = grouped_form(
            ImportConfig,
            [name for name in FIELDS if name not in asked_above(seen, header)],
            settings,
            key=key,
            groups={title: [n for n in names if n not in asked_above(seen, header)] for title, names in MORE.items()},
            choices=choices,
            buttons={START: ":material/play_arrow:", LOOK: ":material/visibility:"},
            disabled=guarded(Role.EDITOR)["disabled"],
            primary=not asked,
            below=said.append,
            words=WORDS | ({"positive": {"": f"{seen.positive} (proposed)"}} if seen and seen.positive else {}),
        )
    if pressed:
        st.session_state[shown_key] = pressed[1]
    starting = pressed is not None and pressed[0] == START
    try:
        with found:
            if header is not None:
                by_folders = seen is not None and not seen.layout.startswith("CSV")
                show_columns(header, st.session_state.get(shown_key, settings), by_folders, key, chosen.add)
        config = ImportConfig.build(st.session_state.get(shown_key, settings))
        with found:
            show_answers(answers, unanswered)
            usable = shown(config, f"{key}-skip_unreadable", shown_key, answers)
            show_classes(look_at(config), config, header, key, chosen.add)
            show_values(
                config, look_at(config), f"{key}-values", lambda name: choose_window(config, name, key, shown_key)
            )
        with below:
            show_details(look_at(config))
    except Question as question:
        with found:
            ask(question, f"question-{key}", answers.add)
        if starting:
            said[0].info("Not started: the question above comes first.", icon=":material/help:")
        return
    except ErsatzError as error:
        with found:
            show_error(error)
        if starting:
            said[0].error("Not started: what stands in the way is said above.", icon=":material/error:")
        return
    show_command(command_line(config))
    if not starting:
        return
    if not usable:
        said[0].error("Some files cannot be used: see above. Mend them, or leave them out.", icon=":material/error:")
    elif matched_by(config) != matched_by(ImportConfig.build(before)):
        said[0].warning(
            f"These settings change what is matched. Look at what was found now, then press {START} again.",
            icon=":material/visibility:",
        )
    else:
        with said[0]:
            begin(config)


def first_look(settings: dict[str, Any]) -> tuple[Preview | None, bool]:
    """What these settings find, None where nothing is clear; and whether the next step is to answer a question."""
    try:
        return look_at(ImportConfig.build(settings)), False
    except Question:
        return None, True
    except ErsatzError:  # it is said where the rest of what was found is
        return None, False


def header_of_source(settings: dict[str, Any]) -> Header | None:
    """The columns of the source's CSV, whatever else is wrong with these settings."""
    try:
        return header_seen(ImportConfig.build(settings))
    except ErsatzError:
        return None


def asked_above(seen: Preview | None, header: Header | None) -> set[str]:
    """Settings that have a field beside what was found, and none in the form."""
    known: set[str] = set(SETTINGS) if header is not None else set()
    if named_here(seen):
        known.add("class_names")
    if seen is not None and seen.labels and len(set(seen.labels.values())) != 2:
        known.add("positive")  # of more classes none is
    return known


def known_choices(seen: Preview | None, header: Header | None, settings: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """What may be entered where the source itself says it: its classes, its columns, its CSVs."""
    choices: dict[str, list[str]] = {}
    if seen is not None and seen.labels:
        choices["positive"] = ["", *sorted(set(seen.labels.values()))]
        choices["only_classes"] = list(seen.every_class)
    if header is not None:
        choices["metadata_columns"] = list(header.columns)
        choices["csv"] = ["", *header.tables]
    for name, options in choices.items():
        now = settings.get(name) or ()
        options += [value for value in ([now] if isinstance(now, str) else now) if value not in options]
    return {name: options for name, options in choices.items()}


def shown(config: ImportConfig, toggle: str, remembered_as: str, answers: Answers) -> bool:
    """Say what was found; whether an import of it can start. `toggle` is the form's input that leaves files out."""

    def leave_out() -> None:
        st.session_state[toggle] = True
        st.session_state[remembered_as] = {**config.plain(), "skip_unreadable": True}

    seen = look_at(config)
    show_preview(config, seen, leave_out)
    show_offers(seen.offers, config, f"offers-{answers.form}", answers.add)
    return config.skip_unreadable or not seen.problems


def choose_window(config: ImportConfig, name: str, form: str, remembered_as: str) -> None:
    """Put a window into the form, and preview with it."""
    chosen = ImportConfig.build({**config.plain(), "window": name})
    st.session_state[f"{form}-window"] = name
    st.session_state[remembered_as] = chosen.plain()


def begin(config: ImportConfig) -> None:
    """Start the import and follow it."""
    require(Role.EDITOR)
    run = start(config)
    if run is not None:
        go(IMPORT, run=run.id)


def suggested(settings: dict[str, Any]) -> tuple[int, str]:
    """The stored size that suits the originals and this machine, and why; 64 when nothing is known."""
    try:
        natural = look_at(ImportConfig.build({**settings, "size": CPU_SIZE})).suggested_size
    except ErsatzError:  # the preview says it
        return CPU_SIZE, ""
    limit = CPU_SIZE if machine().device.startswith("CPU") else GPU_SIZE
    size = min(natural, limit)
    told = f"Suggested size: {size} pixels. "
    if natural > limit:
        told += f"The originals show more, about {natural}, but without a GPU a generator of that size takes days."
    else:
        told += "That is about what the originals have."
    return size, told


def preset_of(base: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """The import settings of a chosen preset; a phantom has its own."""
    phantom = base.get("layout") == "phantom"
    fitting = [name for name, preset in PRESETS.items() if (preset.importing["layout"] == "phantom") == phantom]
    if again:
        return {}
    if phantom:
        return dict(PRESETS[fitting[0]].importing)
    with st.expander("Settings of a published system", icon=":material/menu_book:"):
        chosen = st.selectbox(
            "Preset",
            [OWN, *fitting],
            format_func=lambda name: name if name == OWN else PRESETS[name].title,
            help="The settings of a published system, for its own data. Without one, the settings suit most images.",
            key=f"import-preset-{base['source']}",
        )
        if chosen == OWN:
            return {}
        st.caption(PRESETS[chosen].story)
    return dict(PRESETS[chosen].importing)


def way_of(settings: dict[str, Any]) -> str:
    """How the images of these settings arrived."""
    return PHANTOM if settings.get("layout") == "phantom" else PATH


def last_source(datasets: dict[str, Dataset]) -> str:
    """The folder or file of this machine that was imported last; '' if there was none."""
    newest = sorted(datasets.values(), key=lambda dataset: -(dataset.info.provenance.time or 0))
    sources = [dataset.info.provenance.source for dataset in newest]
    uploads = str(home().root / UPLOADS)
    return next((source for source in sources if source.startswith("/") and not source.startswith(uploads)), "")


def remembered(settings: dict[str, Any]) -> None:
    """Fill the path in, once, when an import is done again."""
    if settings.get("source") and st.session_state.get("import-again") != settings:
        st.session_state["import-again"] = settings
        st.session_state[FIELD] = settings["source"]


def settings_again(datasets: dict[str, Dataset]) -> dict[str, Any]:
    """The settings that `?again=RUN` or `?from=DATASET` names; none when it names nothing."""
    if name := st.query_params.get("from"):
        return dict(datasets[name].info.config) if name in datasets else {}
    run = run_named(home(), st.query_params.get("again", ""))
    return config_of(run) if run is not None and config_of(run)["kind"] == "import" else {}
