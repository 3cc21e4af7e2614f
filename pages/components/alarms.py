"""Alarms of a run in lists: a finished run with one is no plain success, and its badge says so."""

from __future__ import annotations

import streamlit as st

from engine.store.runs import Alarm, Status
from pages.components.format import plain_badge, plain_sentence

WORDS = {
    "collapse": "collapsed",
    "explosion": "exploded",
    "overfitting": "overfits",
    "leaking": "augmentations leak",
    "ada-saturated": "augmentation at its limit",
}
"""The alarms of trainings in a word or two, the gravest first."""
NOTICES = ("ada-off", "sampled-on-cpu", "no-perceptual-distance", "repaired ", "return-")
"""Beginnings of the names of those that are worth knowing but leave a result as good as it is."""


def alarms_of(status: Status) -> list[Alarm]:
    """What is wrong with what a run made, the gravest first; notices are left out."""
    order = list(WORDS)
    found = [alarm for alarm in status.alarms if not alarm.name.startswith(NOTICES)]
    return sorted(found, key=lambda alarm: order.index(alarm.name) if alarm.name in WORDS else len(order))


def in_words(alarm: Alarm) -> str:
    """An alarm in a word or two; one of another package by its name."""
    return WORDS.get(alarm.name, alarm.name.replace("-", " "))


def alarm_words(status: Status) -> str:
    """`collapsed, overfits`; empty where nothing is wrong."""
    return ", ".join(in_words(alarm) for alarm in alarms_of(status))


def alarm_badges(status: Status) -> None:
    """A badge for each alarm, with its sentence on pointing at it."""
    for alarm in alarms_of(status):
        st.badge(
            plain_badge(in_words(alarm)), icon=":material/warning:", color="orange", help=plain_sentence(alarm.sentence)
        )
