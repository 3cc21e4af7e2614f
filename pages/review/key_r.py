"""The key R for a button: Streamlit keeps that key for running the page again, and takes it as no button's shortcut.

A component without a picture listens before Streamlit does, presses the button that has the given key, and lets nobody
else hear of it. While somebody writes or holds Ctrl, Alt or Cmd, and in dialogs, it leaves the key alone.
"""

from __future__ import annotations

from functools import cache

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

LISTENER = """
export default function ({ data }) {
  const writes = (element) =>
    element && (element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName));
  const pressed = (event) => {
    if (event.key.toLowerCase() !== "r" || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (writes(event.target) || document.querySelector('[role="dialog"]')) return;
    const button = document.querySelector(`.st-key-${CSS.escape(data.button)} button`);
    if (!button) return;  // that of a picture before: the listener of this one comes after it
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!button.disabled) button.click();
  };
  window.addEventListener("keydown", pressed, true);
  return () => window.removeEventListener("keydown", pressed, true);
}
"""


@cache
def _listener() -> ComponentRenderer:
    return st.components.v2.component("ersatz.key-r", js=LISTENER)


def press_with_r(button: str) -> None:
    """Let the key R press the button with this key, as long as this is drawn."""
    _listener()(key="key-r", data={"button": button})
