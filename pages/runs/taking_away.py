"""Everything that belongs to a run, to take away: one ZIP, and the notebook that repeats it."""

from __future__ import annotations

import io

import streamlit as st

from engine.jobs.journey_archive import NOTEBOOK_FILE, size_of_archive, write_archive
from engine.jobs.journey_notebook import journey_notebook
from engine.jobs.lineage import lineage
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.components.command import show_command
from pages.components.format import amount
from pages.components.people import Role, may
from pages.components.run_summary import title

MOST_BYTES = 2**30
"""What a browser is sent; a ZIP of more is written by the command line."""


def take_away(run: Run) -> None:
    """A popover with the ZIP and the notebook; what goes along is chosen in it, and nothing is packed before that."""
    with st.popover("Take away", icon=":material/archive:", key=f"take-{run.id}", on_change="rerun") as opened:
        if opened.open:
            _contents(run)


def _contents(run: Run) -> None:
    runs = lineage(run)
    st.caption(f"The run with the {len(runs) - 1} others that it rests on, their settings, numbers and results.")
    images = st.toggle(
        "Real images too",
        key=f"take-images-{run.id}",
        disabled=not may(Role.EDITOR),
        help="Sealed test images stay here in any case. Keep the file as you keep the images.",
    )
    networks = st.toggle(
        "Snapshots too", key=f"take-networks-{run.id}", help="To resume or fine-tune a training elsewhere."
    )
    images = images and may(Role.EDITOR)
    size = size_of_archive(runs, images, networks)
    st.caption(f"{amount(size / 2**20)} MiB before they are packed.")
    if size > MOST_BYTES:
        st.info("That is too much for a browser; the command below writes it.", icon=":material/info:")
    else:
        st.download_button(
            "ZIP",
            lambda: _packed(run, images, networks),
            f"{run.id}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            key=f"zip-{run.id}",
            on_click="ignore",
        )
    st.download_button(
        "Notebook that repeats it",
        lambda: journey_notebook(lineage(run), title(run)),
        f"{run.id}-{NOTEBOOK_FILE}",
        "application/x-ipynb+json",
        icon=":material/book:",
        key=f"notebook-{run.id}",
        on_click="ignore",
    )
    options = f"{' --images' * images}{' --networks' * networks}"
    show_command(f"python -m engine pack {run.id} {run.id}.zip{options}")


def _packed(run: Run, images: bool, networks: bool) -> bytes:
    runs = lineage(run)
    if size_of_archive(runs, images, networks) > MOST_BYTES:
        raise ErsatzError("It has grown too large for a browser meanwhile; `python -m engine pack` writes it.")
    content = io.BytesIO()
    write_archive(content, runs, title(run), images, networks)
    return content.getvalue()
