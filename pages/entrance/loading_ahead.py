"""Loads what draws plots and tables while nobody waits for it.

Streamlit loads the program of a kind of element when a page shows the first of its kind, and Plotly's takes a browser
some tenths of a second: a first press that leads to a plot would wait for them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

KINDS = (
    *("PlotlyChart", "StreamlitSyntaxHighlighter", "DataFrame", "Selectbox", "Multiselect", "Slider", "NumberInput"),
    *("TextInput", "Checkbox", "ButtonGroup", "ImageList", "Metric", "FileUploader", "DownloadButton", "PageLink"),
    *("Progress", "TextArea", "Table", "Radio", "BidiComponent", "Html", "LinkButton", "MenuButton", "Toast"),
)
"""Streamlit's names of the programs of what the pages show, in the order in which they are loaded: the large ones
first."""
SCRIPT = """
export default function ({ data }) {
  const folder = document.querySelector('script[type=module][src*="/static/js/"]')?.src;
  if (window.ersatzLoadsAhead || !folder || navigator.connection?.saveData) return;
  window.ersatzLoadsAhead = true;
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  const load = ([first, ...others]) => {
    if (first) idle(() => import(new URL(first, folder)).catch(() => {}).then(() => load(others)));
  };
  load(data);
}
"""


def load_ahead() -> None:
    """Once below every page, nothing to see: by then all of the page has come."""
    _loader()(data=programs(), key="loads-ahead", width=1, height=1)


@cache
def programs() -> list[str]:
    """The files of the programs; their names change with every version of Streamlit."""
    folder = Path(st.__file__).with_name("static") / "static" / "js"
    return [path.name for kind in KINDS for path in folder.glob(f"{kind}.*.js")]


@cache
def _loader() -> ComponentRenderer:
    return st.components.v2.component("ersatz.loads-ahead", js=SCRIPT)
