"""Plan a sweep: images, question, classifier and arms; what it can show and cost; start."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.configs import SweepConfig
from engine.configs.evaluation import BACKBONES, TIMM, Metric
from engine.datasets.dataset import Dataset
from engine.datasets.patients import known_of
from engine.datasets.positive_class import positive_of, sentence_on
from engine.features.sources import available
from engine.report.pool_verdict import FAR
from engine.report.tables import measure_of
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from engine.sweep.foresight import foreseen
from pages.components.ahead import compute_ahead
from pages.components.command import command_line, show_command
from pages.components.format import plain, plain_sentence
from pages.components.forms import grouped_form
from pages.components.home import home
from pages.components.navigation import script
from pages.components.phantom import phantom_badge
from pages.components.place import choose_place
from pages.components.pool_standing import sampled
from pages.components.pools import open_pool
from pages.components.run_summary import config_of, state_of
from pages.components.runs import start
from pages.components.views import go
from pages.evaluate.arms import choose_arms, missing_controls
from pages.evaluate.chosen_pools import show_pools
from pages.evaluate.expectations import cost, in_numbers, in_plain_words, known_pace, time_needed, too_few
from pages.evaluate.plans import register, show_plans, told_before_start
from pages.evaluate.sweep_defaults import (
    EXPECTED,
    QUICK,
    QUICKLY,
    SMALL,
    choose_images,
    choose_settings,
    choose_thoroughness,
    offered_settings,
    sweep_again,
    unchanged,
    usual_arms,
    weights_here,
)
from pages.evaluate.views import READ

CHANGED = "sweep-settings-opened"
"""In the session, once somebody opened the settings."""
START, REGISTER = "Start sweep", "Register this plan"
MAIN = ("name",)
GROUPS = {
    "What the claim is about": ("primary_ratio", "margin", "spending", "stop_at_claim"),
    "A second test set": ("external",),
    "Training of the classifier": (
        *("steps", "batch", "lr", "optimizer", "schedule", "weight_decay", "dropout", "weights"),
        *("validations", "select", "patience"),
    ),
    "Classical augmentation": ("augmentation", "views"),
    "To repeat a publication": ("epochs", "flaws", "beside"),
    "Others": ("real_shares", "first_seed", "quality", "device"),
}
HEADS = {
    "linear": "Linear",
    "probe": "Logistic regression (probe)",
    "head-ct": "As published for head CT",
    "chest-ct": "As published for chest CT",
    "skin-lesions": "As published for skin lesions",
}
COUNTS = {"class": "the real images of the class", "gap": "what the class lacks to the largest"}


def new_sweep(datasets: dict[str, Dataset], pools: list[Run]) -> None:
    """Everything that is decided before a sweep, with what it can show at best beside it.

    Whoever has no wishes chooses the images and how thorough it shall be, and starts; everything else can be changed.
    """
    earlier = sweep_again()
    images = choose_images(datasets, pools, earlier)
    if images is None:
        return
    dataset = datasets[images["dataset"]]
    phantom_badge(dataset.name)
    worst = show_pools(images)
    thorough = choose_thoroughness(dataset, earlier)
    options, origin = offered_settings(dataset, earlier)
    quickly = QUICKLY if thorough == QUICK else {}
    fold = st.expander(
        "Change the settings",
        icon=":material/tune:",
        expanded=earlier is not None,
        key=f"change-settings-{earlier.id if earlier else ''}",
        on_change="rerun",
    )
    # its many fields are made for who opens it; closed again, they keep what was chosen
    if fold.open or CHANGED in st.session_state:
        st.session_state[CHANGED] = True
        with fold:
            origin = choose_settings(dataset, options, origin)
            key = f"{dataset.name}-{origin}-{thorough}"
            values = change(dataset, {**options[origin], **quickly}, images, key)
    else:
        key = f"{dataset.name}-{origin}-{thorough}"
        values = unchanged(dataset, {**options[origin], **quickly}, images)
    try:
        config = SweepConfig.build(values)
    except ErsatzError as error:
        st.error(f"{plain_sentence(error)} Open **Change the settings** to mend it.", icon=":material/error:")
        return
    tested = [datasets[fold.dataset] for fold in config.folds] or [dataset]
    limits = foreseen(home(), tested, config)
    with st.container(border=True):
        st.markdown("**What this can show, and what it takes**")
        st.markdown(in_plain_words(limits, config))
        remarks(config)
        told_before_start(config)
    place = choose_place("sweep", "sweep")
    submit(dataset, config, list(datasets), key, place, primary=worst != FAR)
    in_numbers(limits, config)
    show_command(command_line(config, place=place))
    show_plans()


def change(dataset: Dataset, settings: dict[str, Any], images: dict[str, Any], key: str) -> dict[str, Any]:
    """Everything that can be changed of these settings, with what the reader chose."""
    base = unchanged(dataset, settings, images)
    st.markdown("**The question**")
    values = {**base, **choose_question(dataset, base, key)}
    show_positive(dataset)
    st.markdown("**The classifier, and what it is trained on**")
    values |= choose_classifier(base, key)
    arms = usual_arms(settings, values["training"])
    values["arms"] = choose_arms(arms, key if arms == base["arms"] else f"{key}-{values['training']}")
    return values | choose_shares(dataset, base, key)


def foresee_ahead(datasets: dict[str, Dataset], pools: list[Run]) -> None:
    """What the form of a new sweep computes before anybody changes it: of the newest pool, with the usual settings."""
    if not pools:
        return
    pool = pools[0]
    dataset = datasets[config_of(pool)["dataset"]]

    def foresee() -> None:
        options, first = offered_settings(dataset, None)
        images = {"dataset": dataset.name, "pool": pool.id}
        foreseen(at, [dataset], SweepConfig.build(unchanged(dataset, options[first], images)))

    at = home()
    compute_ahead(("new sweep", pool.path, dataset.fingerprint), [lambda: sampled(open_pool(pool)), foresee])


def choose_question(dataset: Dataset, base: dict[str, Any], key: str) -> dict[str, Any]:
    """What the verdict is about, decided before anybody sees a result."""
    metric, level, subgroups = st.columns([2, 2, 3], vertical_alignment="bottom")
    positive = positive_of(dataset)
    has_patients = known_of([dataset], "test").any
    levels = ["image", *(["patient"] if has_patients else [])]
    columns = dataset.metadata
    return {
        "metric": _one_of(
            {name: measure_of(name, positive.name if positive else "").title for name in get_args(Metric)},
            metric,
            "Judge by",
            "metric",
            base,
            key,
            help="The verdict is about this metric; the others are shown, and claim nothing.",
        ),
        "level": level.selectbox(
            "For each",
            levels,
            index=levels.index(base["level"]),
            key=f"level-{key}",
            help=f"{SweepConfig.model_fields['level'].description} Patients need a group column in the data set.",
        ),
        "subgroups": subgroups.multiselect(
            "Show apart by",
            columns,
            base["subgroups"],
            key=f"subgroups-{key}",
            placeholder="Choose columns" if columns else "This data set has no metadata columns",
            disabled=not columns,
            help=SweepConfig.model_fields["subgroups"].description,
        ),
    }


def show_positive(dataset: Dataset) -> None:
    """Which class the sweep will take as positive, and where to change that."""
    found = positive_of(dataset)
    if found is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{plain(sentence_on(found))} The sweep keeps it, whatever is changed later.", width="content")
        st.page_link(
            script("datasets"),
            label="Change it" if found.origin != "guessed" else "Confirm it",
            icon=":material/swap_horiz:",
            query_params={"dataset": dataset.name},
            width="content",
        )


def choose_classifier(base: dict[str, Any], key: str) -> dict[str, Any]:
    """The network, how much of it is trained, and its head."""
    classifier, training, head = st.columns([3, 2, 2], vertical_alignment="bottom")
    here = weights_here()
    names = [SMALL, *BACKBONES]
    if base["classifier"] not in names:
        names.append(base["classifier"])
    name = classifier.selectbox(
        "Classifier",
        names,
        index=names.index(base["classifier"]),
        format_func=lambda name: f"{name} · {_weights(name, here)}",
        key=f"classifier-{key}",
        accept_new_options=True,
        help="small-cnn is trained from scratch. The others start from pretrained weights: found on this machine, or "
        "downloaded once. With the package timm, any of its networks can be typed in as timm:NAME.",
    )
    if name == SMALL:
        training.selectbox("Train", ["All of it"], disabled=True, key=f"training-small-{key}")
        head.selectbox("Head", ["Its own"], disabled=True, key=f"head-small-{key}")
        return {"classifier": name, "training": "frozen", "head": "linear"}
    ways = {"frozen": "A head on frozen features", "fine-tuned": "The whole network"}
    return {
        "classifier": name,
        "training": _one_of(
            ways,
            training,
            "Train",
            "training",
            base,
            key,
            help="On frozen features a whole sweep costs little more than one pass over the images.",
        ),
        "head": _one_of(HEADS, head, "Head", "head", base, key),
    }


def choose_shares(dataset: Dataset, base: dict[str, Any], key: str) -> dict[str, Any]:
    """How many images, of which classes, and how often it is repeated."""
    shares, counted = st.columns(2, vertical_alignment="bottom")
    classes, seeds, looks, expected = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
    text = shares.text_input(
        "Shares of synthetic images",
        ", ".join(f"{ratio:g}" for ratio in base["ratios"]),
        key=f"ratios-{key}",
        help=SweepConfig.model_fields["ratios"].description,
    )
    repetitions = seeds.number_input(
        "Repetitions (seeds)",
        1,
        1000,
        base["seeds"],
        key=f"seeds-{key}",
        help=SweepConfig.model_fields["seeds"].description,
    )
    on_the_way = looks.text_input(
        "Looks on the way",
        ", ".join(map(str, base["looks"][:-1])),
        key=f"looks-{key}",
        placeholder="such as 8, 16",
        help="Numbers of repetitions at which the verdict may be read before the last one, planned now: the sweep "
        "ends at the first that claims something, and alpha is shared among them and the last. Empty: read once.",
    )
    before = [part.strip() for part in on_the_way.split(",") if part.strip()]
    return {
        "looks": [*(part for part in before if part != str(repetitions)), repetitions] if before else (),
        "ratios": [part.strip() for part in text.split(",") if part.strip()],
        "ratio_of": _one_of(COUNTS, counted, "Shares of", "ratio_of", base, key),
        "extra_classes": classes.multiselect(
            "Only for the classes",
            dataset.classes,
            base["extra_classes"],
            key=f"extra-{key}",
            placeholder="All classes",
            help=SweepConfig.model_fields["extra_classes"].description,
        ),
        "seeds": repetitions,
        "expected_accuracy": expected.number_input(
            "Expected to be right",
            *EXPECTED,
            base["expected_accuracy"],
            key=f"expected-{key}",
            help=SweepConfig.model_fields["expected_accuracy"].description,
        ),
    }


def remarks(config: SweepConfig) -> None:
    """What the plan costs, what it lacks, and what it may not claim; all of it before the start."""
    if time := time_needed(config):
        st.markdown(time)
    st.caption(cost(config) + ("" if time else f" {known_pace(config)}"))
    if config.classifier != SMALL and not config.weights and not available(config.classifier):
        st.caption(
            f"The pretrained weights of {plain(config.classifier)} are not on this machine: they are downloaded once, "
            f"when the sweep begins. Without a network, choose {SMALL} above, which needs none."
        )
    if sentence := too_few(config):
        st.warning(sentence, icon=":material/hourglass_disabled:")
    for sentence in missing_controls(config):
        st.warning(sentence, icon=":material/balance:")
    if not config.claims:
        st.warning(
            "This repeats a published protocol with its flaws (unequal steps, or what is named under its flaws): it is "
            "labelled as such everywhere and claims nothing.",
            icon=":material/gavel:",
        )


def submit(
    dataset: Dataset, config: SweepConfig, dataset_names: Sequence[str], key: str, place: str = "", primary: bool = True
) -> None:
    """The name, the start or the registration, and the settings that seldom matter; the start is the main button
    unless it is not `primary`."""
    sweeps = [run.id for run in list_runs(home(), "sweep") if config_of(run)["dataset"] == dataset.name]
    own = {dataset.name, *(fold.dataset for fold in config.folds)}
    others = [name for name in dataset_names if name not in own]
    checks = [run.id for run in list_runs(home(), "quality") if state_of(run) is State.FINISHED]
    pressed = grouped_form(
        SweepConfig,
        MAIN,
        config.plain(),
        key=f"sweep-{key}",
        groups=GROUPS,
        choices={"beside": ["", *sweeps], "quality": ["", *checks], "external": ["", *others]},
        labels={"steps": "Training steps (epochs count instead)"} if config.epochs else None,
        buttons={START: ":material/play_arrow:", REGISTER: ":material/event_available:"},
        primary=primary,
    )
    if pressed is None:
        return
    button, values = pressed
    if button == REGISTER:
        register(SweepConfig.build(values))
    elif (run := start(SweepConfig.build(values), place=place)) is not None:
        go(READ, run=run.id)


def _weights(name: str, here: set[str]) -> str:
    if name == SMALL:
        return "from scratch"
    if name.startswith(TIMM):
        return "by timm" if find_spec("timm") else "timm is not installed"
    return "weights are here" if name in here else "weights to be downloaded"


def _one_of(
    words: dict[str, str],
    column: DeltaGenerator,
    label: str,
    field: str,
    base: dict[str, Any],
    key: str,
    help: str | None = None,
) -> str:
    """A choice among the values of a field, each by its word; without `help` the field explains itself."""
    return column.selectbox(
        label,
        list(words),
        index=list(words).index(base[field]),
        format_func=words.__getitem__,
        key=f"{field}-{key}",
        help=help or SweepConfig.model_fields[field].description,
    )
