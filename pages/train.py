"""Train: start generators on the training images alone, watch them learn, stop and resume them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from engine.configs import DcganConfig, parse_config
from engine.datasets.dataset import Dataset, list_datasets
from engine.presets import PRESETS
from engine.report.figures import figure_d_outputs, figure_gradients, figure_losses, figure_throughput
from engine.sampling.exported import has_generator
from engine.store.runs import Run, State, list_runs
from pages.parts.command import command_line
from pages.parts.forms import config_form
from pages.parts.home import home
from pages.parts.images import picture
from pages.parts.phantom import phantom_badge
from pages.parts.runs import config_of, live, run_header, run_picker, start
from pages.parts.words import amount, duration

MAIN_FIELDS = ["kimg", "architecture", "batch"]
ONE_EACH, TOGETHER = "One for each class", "One for all classes (conditional)"
OWN = "No preset"
WATCH, NEW = "Watch", "New training"
WALL_PIXELS = 480
RECENT_TICKS = 5


def plan(frozen: list[Dataset]) -> None:
    """Choose data, preset and settings; one press starts a run for each generator."""
    left, middle, right = st.columns(3)
    datasets = {dataset.name: dataset for dataset in frozen}
    name = left.selectbox("Data set", list(datasets), help="Frozen data sets; only the training split is used.")
    dataset = datasets[name]
    presets = [OWN, *PRESETS]
    own = [key for key, preset in PRESETS.items() if preset.importing.get("name") == name]
    preset_name = middle.selectbox(
        "Preset",
        presets,
        index=presets.index(own[0]) if own else 0,
        format_func=lambda key: OWN if key == OWN else PRESETS[key].title,
        key=f"preset-{name}",
        help="Where the settings below start from.",
    )
    only = {f"Only {class_name}": class_name for class_name in dataset.classes}
    way = right.selectbox(
        "Generators",
        [ONE_EACH, TOGETHER, *only],
        key=f"way-{name}",
        help="One each: the classes are trained one after the other, as runs of their own.",
    )
    phantom_badge(name)
    if preset_name != OWN:
        st.caption(PRESETS[preset_name].story)
    base = {**({} if preset_name == OWN else PRESETS[preset_name].train_settings("dcgan")), "dataset": name}
    base["conditional"] = way == TOGETHER
    omitted = {"kind", "gan", "dataset", "dataset_fingerprint", "class_name", "conditional", *MAIN_FIELDS}
    values = config_form(
        DcganConfig,
        MAIN_FIELDS,
        base,
        key=f"train-{name}-{preset_name}-{way}",
        more=[field for field in DcganConfig.model_fields if field not in omitted],
        labels={"kimg": "Budget, kimg"},
        submit="Start training",
    )
    class_names = dataset.classes if way == ONE_EACH else [only.get(way, "")]
    if values is not None:
        started = [start(DcganConfig.build({**values, "class_name": class_name})) for class_name in class_names]
        if all(started):
            st.query_params["run"] = started[0].id
            st.session_state["train-started"] = True
            st.rerun()
    st.caption(_budget(dataset, class_names, float(base.get("kimg", 100.0))))
    st.caption("The same from the command line (settings changed above show after the start):")
    st.code(command_line(DcganConfig.build({**base, "class_name": only.get(way, "")})), "bash", wrap_lines=True)


def _budget(dataset: Dataset, class_names: list[str], kimg: float) -> str:
    """What the budget means for these classes, in passes over their training images."""
    parts = []
    for class_name in class_names:
        count = len(dataset.rows("train", class_name or None))
        passes = amount(round(1000 * kimg / max(count, 1)))
        parts.append(f"{class_name or 'all classes'}: {count} training images, {passes} passes in {kimg:g} kimg")
    return "1 kimg is a thousand real images shown. " + "; ".join(parts) + "."


def read_rows(run: Run) -> list[dict[str, Any]]:
    """All rows of `metrics.jsonl`; each look reads only the bytes that are new to this browser."""
    rows, offset = st.session_state.get(f"rows-{run.id}", ([], 0))
    try:
        new, offset = run.read_metrics(offset)
    except ValueError:  # a resumed run dropped rows past its snapshot
        rows, (new, offset) = [], run.read_metrics()
    rows = [*rows, *new]
    for key in [key for key in st.session_state if str(key).startswith("rows-")]:
        del st.session_state[key]  # only the run on the page is kept
    st.session_state[f"rows-{run.id}"] = (rows, offset)
    return rows


def watch(run: Run) -> None:
    """Numbers, curves and pictures of one training."""
    rows = read_rows(run)
    if not rows:
        tick = config_of(run)["tick_kimg"]
        st.info(f"The first numbers come after {tick:g} kimg.", icon=":material/hourglass_top:")
    else:
        numbers(run, rows)
        curves(run, rows)
    sample_wall(run)


def numbers(run: Run, rows: list[dict[str, Any]]) -> None:
    """Progress, speed, time left and memory."""
    last, status, state = rows[-1], run.status(), run.state()
    speed = recent_speed(rows)
    left = max(0.0, config_of(run)["kimg"] - last["kimg"]) * 1000 / speed if speed else None
    shown, rate, time_left, memory = st.columns(4)
    shown.metric("Shown", f"{amount(last['kimg'])} of {amount(status.total)} kimg", border=True)
    rate.metric("Speed", f"{speed / 1000:.2g} kimg/s", help=f"{speed:.0f} images a second", border=True)
    if state is State.RUNNING and left is not None:
        time_left.metric("Time left", f"about {duration(left)}", border=True)
    else:
        time_left.metric("Trained for", duration(last["seconds"]), border=True)
    memory.metric("Memory", f"{last['memory_gib']:.1f} GiB", border=True)


def recent_speed(rows: list[dict[str, Any]]) -> float:
    """Images a second over the last ticks; one tick alone would make the time left jump about."""
    recent = rows[-RECENT_TICKS:]
    return sum(row["images_per_second"] for row in recent) / len(recent)


def curves(run: Run, rows: list[dict[str, Any]]) -> None:
    """Losses, D outputs, gradient norms and speed."""
    figures = (figure_losses, figure_d_outputs, figure_gradients, figure_throughput)
    for pair in (figures[:2], figures[2:]):
        for column, build in zip(st.columns(2, gap="medium"), pair, strict=True):
            column.plotly_chart(build(rows), key=f"{build.__name__}-{run.id}")


def sample_wall(run: Run) -> None:
    """Pictures of the fixed latents through time, beside real ones."""
    grids = {int(path.stem.split("-")[1]): path for path in sorted((run.path / "samples").glob("fakes-*.png"))}
    if not grids:
        return
    st.subheader("Samples")
    phantom_badge(config_of(run)["dataset"])
    moments = list(grids)
    key, newest = f"moment-{run.id}", f"newest-{run.id}"
    if st.session_state.get(key) == st.session_state.get(newest):
        st.session_state[key] = moments[-1]  # follows the training until somebody moves the slider back
    st.session_state[newest] = moments[-1]
    chosen = moments[0]
    if len(moments) > 1:
        chosen = st.select_slider(
            "After", moments, key=key, format_func=lambda images: f"{images / 1000:g} kimg", help="The same latents."
        )
    real, fake = st.columns(2, gap="medium")
    with real:
        _grid(run.path / "samples" / "reals.png", "Real training images")
    with fake:
        _grid(grids[chosen], f"Generated after {chosen / 1000:g} kimg")


def _grid(path: Path, caption: str) -> None:
    if path.is_file():
        st.image(picture(path, path.stat().st_mtime, WALL_PIXELS), caption=caption, width="stretch")


def settings(run: Run) -> None:
    """The run's complete config and how to repeat it."""
    with st.expander("Settings and command line", icon=":material/terminal:"):
        config = parse_config(config_of(run))
        st.code(command_line(config), "bash", wrap_lines=True)
        st.json(config.plain(), expanded=False)


st.title("Train")
runs = list_runs(home(), "train")
ready = [dataset for dataset in list_datasets(home()) if dataset.frozen]
if not ready and not runs:
    st.info(
        "There is no frozen data set to train on yet. Import one on the Datasets page, or try the demo on Overview.",
        icon=":material/model_training:",
    )
    st.page_link("pages/datasets.py", label="Go to Datasets", icon=":material/photo_library:")
    st.stop()

view = NEW
if runs:
    if st.session_state.pop("train-started", False) or "train-view" not in st.session_state:
        st.session_state["train-view"] = WATCH
    view = st.segmented_control("View", [WATCH, NEW], required=True, key="train-view", label_visibility="collapsed")
if view == NEW:
    if not ready:
        st.info("There is no frozen data set to train on; import one on the Datasets page.")
        st.stop()
    plan(ready)
elif (run := run_picker("train", "train")) is not None:
    run_header(run)
    live(watch, run.state().is_active)(run)
    if has_generator(run.path):
        st.page_link(
            "pages/generate.py", label="Generate with it", icon=":material/auto_awesome:", query_params={"run": run.id}
        )
    settings(run)
