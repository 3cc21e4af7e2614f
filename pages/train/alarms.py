"""Alarms of a training as cards: what is wrong since when, and buttons that take a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import streamlit as st

from engine.gans.snapshots import list_generators
from engine.store.runs import Run
from pages.components.format import amount, plain, plain_sentence
from pages.components.navigation import script
from pages.components.run_summary import config_of, state_of, status_of
from pages.components.views import way_to

NAMES = {
    "overfitting": "The discriminator overfits",
    "collapse": "The generator has collapsed",
    "explosion": "The training explodes",
    "leaking": "Augmentations leak into the samples",
    "ada-off": "Adaptive augmentation is in effect off",
    "ada-saturated": "Adaptive augmentation is at its limit",
}
MILD = {"ada-off"}
"""Worth knowing, but often nothing is wrong."""
CARD = 555
"""Pixels: two of them stand side by side in a window of 1280."""

Changes = dict[str, Any]


def alarm_cards(run: Run) -> None:
    """Every alarm of the run with what can be done at once; a run goes on in spite of them."""
    status = status_of(run)
    row = st.container(horizontal=True)
    for alarm in status.alarms:
        words = NAMES.get(alarm.name, alarm.name.replace("-", " ").capitalize())
        since = "" if alarm.kimg is None else f" · at {amount(alarm.kimg)} kimg"
        with row.container(border=True, width=CARD, height="stretch"):
            with st.container(horizontal=True, vertical_alignment="center"):
                if alarm.name in MILD:
                    st.badge("Notice", icon=":material/info:", color="blue")
                else:
                    st.badge("Alarm", icon=":material/warning:", color="orange")
                st.markdown(f"**{plain(words)}**{since}")
            if alarm.sentence != status.error:  # which the header says
                st.write(plain_sentence(alarm.sentence))
            _remedies(run, alarm.name)


def _remedies(run: Run, name: str) -> None:
    """Ways to the form, filled in with this run's settings and one change."""
    config = config_of(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, changes in remedies(name, config):
            way_again(run, label, changes, after=name)
        if list_generators(run.path) and not state_of(run).is_active and name != "ada-off":
            st.page_link(
                script("quality"),
                label="Find its best snapshot",
                icon=":material/leaderboard:",
                query_params={"run": run.id},
            )


def way_again(
    run: Run, label: str, changes: Changes | None = None, icon: str = ":material/replay:", after: str = ""
) -> None:
    """A button to the form of a new training with this run's settings, and what is to be changed in them.

    Two alarms may offer the same remedy; `after` tells their buttons apart.
    """
    change = ",".join(f"{name}={_plain(value)}" for name, value in (changes or {}).items())
    way_to(label, icon, f"{after}-{label}-{run.id}", "new", again=run.id, change=change)


def asked_changes(text: str) -> dict[str, str]:
    """What a view of `way_again` asks to change; the config judges the values."""
    pairs = [part.partition("=") for part in text.split(",") if "=" in part]
    return {name.strip(): value.strip() for name, _, value in pairs}


def remedies(name: str, config: dict[str, Any]) -> Iterator[tuple[str, Changes]]:
    """What may help against an alarm: words, and the settings to change. The alarm's own sentence says why.

    A GAN is offered what it has settings for.
    """
    return (
        (words, changes) for words, changes in _helpful(name, config) if changes and changes.keys() <= config.keys()
    )


def _helpful(name: str, config: dict[str, Any]) -> Iterator[tuple[str, Changes]]:
    slower: Changes = {rate: _half(config[rate]) for rate in ("g_lr", "d_lr", "lr") if rate in config}
    stronger: Changes = {}
    stronger_words = ""
    if "gamma" in config:
        stronger = {"gamma": _twice(config["gamma"])}
        stronger_words = f"Again with gamma {stronger['gamma']:g}"
    elif "gradient_penalty" in config:
        stronger = {"gradient_penalty": _twice(_penalty(config))}
        stronger_words = f"Again with a gradient penalty of {stronger['gradient_penalty']:g}"
    match name:
        case "overfitting" | "ada-saturated":
            if name == "overfitting" and config.get("aug") in ("noaug", "fixed"):
                yield "Again with adaptive augmentation", {"aug": "ada", "aug_p": 0.0}
            elif not config["mirror"]:
                yield "Again with mirrored images, if anatomy allows", {"mirror": True}
            yield stronger_words, stronger
        case "collapse":
            yield "Again with half the learning rates", slower
            yield f"Again with a batch of {2 * config['batch']}", {"batch": 2 * config["batch"]}
            yield stronger_words, stronger
        case "explosion":
            yield "Again with half the learning rates", slower
            yield stronger_words, stronger
            if config.get("on_explosion", "return") != "return":
                yield "Again, returning to a good snapshot by itself", {"on_explosion": "return"}
        case "leaking":
            yield "Again with p fixed at 0.3", {"aug": "fixed", "aug_p": 0.3}
            if config["augpipe"] != "medical":
                yield "Again without flips, rotations and colour", {"augpipe": "medical"}
        case "ada-off":
            yield "Again without augmentation (faster)", {"aug": "noaug"}
            yield f"Again with gamma {_half(config['gamma']):g}", {"gamma": _half(config["gamma"])}
            yield "Again with a target of 0.4", {"ada_target": 0.4}


def _penalty(config: dict[str, Any]) -> float:
    """Without a penalty, doubling it would change nothing: 5 is what the demo has."""
    return config["gradient_penalty"] or 2.5


def _half(value: float) -> float:
    return float(f"{value / 2:.3g}")


def _twice(value: float) -> float:
    return float(f"{2 * value:.3g}")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
