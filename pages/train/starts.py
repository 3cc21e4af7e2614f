"""Networks to start from: earlier trainings and imported files, and the import of such a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st
from safetensors import SafetensorError, safe_open

from engine.configs import NetworkConfig
from engine.configs.gans import gan_named
from engine.datasets.uploads import NETWORKS, remove_old_uploads, safe_name, save_upload
from engine.gans.results import NetworkResult
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.components.errors import made, show_error
from pages.components.format import plain
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.people import Role, guarded, require
from pages.components.run_summary import about_of, config_of, state_of, status_of
from pages.components.runs import live, run_row, start

SCRATCH = "From scratch"
G_SHAPE = ("z_dim", "w_dim", "mapping_layers", "mapping_lr", "channel_base", "channel_max")
"""Settings that must be those of the generator that a training starts from; older snapshots lack some of them."""
D_SHAPE = ("d_architecture", "d_mapping_layers", "d_mapping_lr")
"""The same of the discriminator."""
SHOWN_NETWORKS = 5


def newest_snapshot(run: Run) -> Path | None:
    """The newest snapshot of a StyleGAN2-ADA run, trained here or imported; None for other runs."""
    config = config_of(run)
    if config["kind"] != "network" and not (
        config["kind"] == "train" and gan_named(config.get("gan", "dcgan")).transfers
    ):
        return None
    return max((run.path / "snapshots").glob("network-*.safetensors"), default=None)


def choose_start(wanted: str) -> str:
    """The id of the run to start from; "" for random weights. `wanted` is offered first, be it a run or a file."""
    runs = {run.id: run for run in [*list_runs(home(), "network"), *list_runs(home(), "train")] if newest_snapshot(run)}
    kept = {run_id: run for run_id, run in runs.items() if run_id == wanted or not about_of(run).archived}
    words = labels_of(kept.values())
    options = ["", *kept, *([wanted] if wanted and wanted not in kept else [])]
    return st.selectbox(
        "Start from",
        options,
        index=options.index(wanted),
        format_func=lambda run_id: words.get(run_id, run_id or SCRATCH),
        key=f"start-from-{wanted}",
        help="Transfer: begin with the newest networks of another training, or of an imported file.",
    )


def shape_of(run: Run) -> dict[str, Any]:
    """The settings that give a training networks of the same shape as this run's newest snapshot."""
    path = newest_snapshot(run)
    return _shape(path, path.stat().st_mtime) if path else {}


@st.cache_data(max_entries=64, show_spinner=False)
def _shape(path: Path, written: float) -> dict[str, Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})["ersatz"])
    except (OSError, SafetensorError, ValueError, KeyError):  # gone or damaged: the start will say so
        return {}
    shapes = ((facts["g_architecture"], G_SHAPE), (facts["d_architecture"], D_SHAPE))
    return {name: architecture[name] for architecture, names in shapes for name in names if name in architecture}


def import_network() -> None:
    """Import a .pkl as a run of its own, by upload or by path."""
    st.caption(
        "A StyleGAN2 network file (.pkl) of NVIDIA's format becomes a run of its own: a generator, and a start for "
        "trainings. It is read without running anything in it; whatever else it may hold is refused."
    )
    with st.form("import-network"):
        left, right = st.columns(2)
        upload = left.file_uploader("File", [suffix.removeprefix(".") for suffix in NETWORKS], key="network-upload")
        path = right.text_input("or its path on this machine", key="network-path").strip()
        name = right.text_input("Name", key="network-name", help="Empty: that of the file.").strip()
        classes = right.text_input(
            "Names of its classes", key="network-classes", help="In the order of their labels, separated by commas."
        )
        pressed = st.form_submit_button("Import", icon=":material/upload_file:", **guarded(Role.EDITOR))
    if pressed and (config := made(lambda: network_config(upload, path, name, classes))) and start(config):
        st.rerun()
    imported = list_runs(home(), "network")[:SHOWN_NETWORKS]
    states = [state_of(run) for run in imported]
    live(_network_rows, any(state.is_active for state in states))(imported, states)


def _network_rows(runs: list[Run], shown: list[State]) -> None:
    """Imported networks; the whole page is drawn again when one has come or failed."""
    if [state_of(run) for run in runs] != shown:
        st.rerun()
    for run in runs:
        run_row(run)
        status = status_of(run)
        if status.error:
            show_error(status.error)
        elif result := status.result_as(NetworkResult):
            st.caption(plain(result.sentence))


def network_config(upload: Any, path: str, name: str, classes: str) -> NetworkConfig:
    """The import of an uploaded file, which is kept in the home until then, or of the one at `path`."""
    require(Role.EDITOR)
    remove_old_uploads(home())
    if upload is not None:
        source = save_upload(home(), [upload], NETWORKS) / safe_name(upload.name)
    elif path:
        source = Path(path)
    else:
        raise ErsatzError("No file was chosen; a .pkl is expected. Upload one, or give its path on this machine.")
    class_names = [part.strip() for part in classes.split(",") if part.strip()]
    return NetworkConfig.build({"name": name or source.stem, "source": str(source), "class_names": class_names})
