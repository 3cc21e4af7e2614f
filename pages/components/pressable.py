"""Pictures that open by a press on them.

Each stands in a tile together with the button that opens it, which is there for the keyboard and for screen readers;
`st.image` itself takes no press.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer
from streamlit.delta_generator import DeltaGenerator

TILE, LOOK = "tile-", "look-"
"""How the keys of tiles begin, and those of the buttons in them that open a picture."""
LISTENER = f"""
export default function () {{
  const pressed = (event) => {{
    if (event.defaultPrevented || !event.target.closest("img")) return;
    const button = event.target.closest('[class*="st-key-{TILE}"]')?.querySelector('[class*="st-key-{LOOK}"] button');
    if (!button || button.disabled) return;
    event.preventDefault();
    button.click();
  }};
  document.addEventListener("click", pressed);
  return () => document.removeEventListener("click", pressed);
}}
"""
LOOKS = f"""
[class*="st-key-{TILE}"] img {{ cursor: zoom-in; }}
[class*="st-key-{TILE}"] [data-testid="stElementToolbar"] {{ display: none; }}
"""
"""Streamlit's own button on a picture, which would enlarge it as well, is not shown on a tile."""


def tile(key: str, **looks: Any) -> DeltaGenerator:
    """A container, with the `looks` of `st.container`: a press on a picture in it presses its `look_button`."""
    return st.container(key=f"{TILE}{key}", **looks)


def look_button(label: str, key: str, **options: Any) -> bool:
    """The button of a tile that opens its picture; `options` as of `st.button`."""
    return st.button(label, key=f"{LOOK}{key}", **{"type": "tertiary", **options})


def listen() -> None:
    """Let the pictures of all tiles be pressed: once below every page, nothing to see."""
    _listener()(key="listens", width=1, height=1)


@cache
def _listener() -> ComponentRenderer:
    return st.components.v2.component("ersatz.press-on-pictures", css=LOOKS, js=LISTENER, isolate_styles=False)
