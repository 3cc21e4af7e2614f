"""What ends while a page is open is said on it, and, where somebody allowed that, by the browser itself.

The browser's own notification needs a few lines of JavaScript (a component of Streamlit's second kind). It gets words
that are set as text alone, and speaks up only while its tab is out of sight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from engine.store.errors import ErsatzError
from engine.store.runs import State
from pages.components.alarms import alarm_words
from pages.components.ended import End, watcher
from pages.components.format import plain_sentence
from pages.components.run_summary import outcome, summary_of, title
from pages.components.runs import LOOKS, live

SOON, LATER = 5.0, 20.0
"""Seconds between two looks while something runs, and while nothing does."""
MOST_TOASTS = 3
TOLD = "ends-told-by"

SCRIPT = """
export default function ({ data, parentElement }) {
  const told = (window.ersatzTold ??= new Set());
  const button = parentElement.querySelector("button");
  const known = "Notification" in window;
  button.hidden = !(known && data.offer && Notification.permission === "default");
  button.onclick = async () => {
    await Notification.requestPermission();
    button.hidden = Notification.permission !== "default";
  };
  for (const end of data.ends) {
    if (told.has(end.key)) continue;
    told.add(end.key);
    if (known && document.hidden && Notification.permission === "granted") {
      try { new Notification(end.title, { body: end.body, tag: end.key }); } catch { /* a phone has none */ }
    }
  }
}
"""
STYLE = """
button { font: inherit; color: var(--st-text-color); background: transparent; cursor: pointer; padding: 0.25rem 0.75rem;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius, 0.5rem); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""
browser = st.components.v2.component(
    "ersatz_notices", html="<button hidden>Let this browser tell me when a run ends</button>", css=STYLE, js=SCRIPT
)


def notices() -> None:
    """Above every page, where nothing has stopped it yet: look again and again for runs that have ended, and say so."""
    _again(_toasts)


def browser_notices() -> None:
    """Below every page that does not stop early: the same for the browser itself, and the question whether it may."""
    _again(_browser)


def _again(part: Callable[[Sequence[End]], None]) -> None:
    watched, told = watcher(), f"{TOLD}{part.__name__}"
    st.session_state.setdefault(told, watched.look())

    def look() -> None:
        count = watched.look()
        new = watched.since(st.session_state.get(told, count))
        st.session_state[told] = count
        part(new)

    live(look, active=True, every=SOON if watched.active else LATER)()


def _toasts(new: Sequence[End]) -> None:
    for end in new[-MOST_TOASTS:]:
        words, icon = _words(end)
        st.toast(plain_sentence(words), icon=icon, duration="long")
    if len(new) > MOST_TOASTS:
        st.toast(f"{len(new) - MOST_TOASTS} more have ended: the Runs page lists them.", icon=":material/list_alt:")


def _browser(new: Sequence[End]) -> None:
    active = watcher().active > 0
    if new or active:
        ends = [{"key": f"{end.run.id} {end.status.ended}", "title": "Ersatz", "body": _words(end)[0]} for end in new]
        browser(data={"ends": ends, "offer": active}, key="browser-notices")


def _words(end: End) -> tuple[str, str]:
    """What ended and how, and an icon; of one that was deleted just now its id."""
    try:
        return _of_run(end)
    except ErsatzError:
        return f"{end.run.id}: {end.state.value}", LOOKS[end.state][1]


def _of_run(end: End) -> tuple[str, str]:
    words = f"{title(end.run)}: {end.state.value}"
    if alarms := alarm_words(end.status):
        return f"{words}, {alarms}", ":material/warning:"
    if end.state is State.FINISHED and (found := outcome(summary_of(end.run))):
        words += f", {found}"
    return words, LOOKS[end.state][1]
