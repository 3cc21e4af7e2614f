"""What a source leaves open: the question to the user, the answers so far, and settings that the source suggests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import streamlit as st

from engine.configs import ImportConfig
from engine.datasets.reading.questions import Option, Question
from pages.components.format import plain, plain_sentence
from pages.components.forms import set_inputs

Answer = Callable[[Mapping[str, Any]], None]
"""Takes the settings of a chosen option."""
USE, AGAIN = "Use this", "Choose again"


class Answers:
    """The answers to the questions about the source of a form, each added to those before it.

    They are in the form's inputs too, where they can be changed; `shown` is the key of the session's state for the
    settings that were previewed last, `listed` the fields whose inputs hold a list, and `kind` tells these answers from
    others that are given elsewhere on the page.
    """

    def __init__(self, form: str, shown: str, kind: str = "answers", listed: Collection[str] = ()):
        self.form, self.shown, self.listed = form, shown, listed
        self.key = f"{kind}-{form}"

    @property
    def settings(self) -> dict[str, Any]:
        return dict(st.session_state.get(self.key, {}))

    def add(self, settings: Mapping[str, Any]) -> None:
        st.session_state[self.key] = {**self.settings, **settings}
        self._enter(settings)

    def forget(self, before: Mapping[str, Any]) -> None:
        """Back to the settings before the first answer, so that everything is asked again."""
        fields = ImportConfig.model_fields
        former = {name: before.get(name, fields[name].get_default(call_default_factory=True)) for name in self.settings}
        del st.session_state[self.key]
        self._enter(former)

    def follow_size(self, size: int) -> None:
        """Enter a suggested size that an answer changed, unless another than the former suggestion was previewed."""
        suggestion = f"suggested-{self.form}"
        former = st.session_state.get(suggestion, size)
        st.session_state[suggestion] = size
        if former != size and st.session_state.get(self.shown, {}).get("size", former) == former:
            self._enter({"size": size})

    def _enter(self, settings: Mapping[str, Any]) -> None:
        set_inputs(ImportConfig, self.form, settings)
        for name in {*self.listed} & {*settings}:
            st.session_state[f"{self.form}-{name}"] = list(settings[name])
        if self.shown in st.session_state:
            st.session_state[self.shown] = {**st.session_state[self.shown], **settings}


def ask(question: Question, key: str, answer: Answer) -> None:
    """What was found and is unclear, and a choice of what it may mean; nothing is chosen beforehand."""
    st.warning(plain_sentence(question.found), icon=":material/help:")
    options = question.options
    chosen = st.radio(
        question.asks,
        range(len(options)),
        index=None,
        format_func=lambda number: plain_sentence(sentence_case(options[number].text)),
        captions=[f"`{option.flags}`" if "`" not in option.flags else plain(option.flags) for option in options],
        key=f"{key}-{question.found}",
    )
    st.button(
        USE,
        type="primary",
        icon=":material/check:",
        disabled=chosen is None,
        on_click=lambda: answer(options[chosen].settings) if chosen is not None else None,
        key=f"{key}-use",
    )


def sentence_case(text: str) -> str:
    """Words of a source that begin a line, shown as themselves."""
    return plain(text[:1].upper() + text[1:])


def show_answers(answers: Answers, before: Mapping[str, Any]) -> None:
    """What was chosen, and the way back to the questions."""
    if chosen := answers.settings:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/check: Read as you chose: {plain(Option(chosen, '').flags)}", width="content")
            st.button(
                AGAIN,
                type="tertiary",
                icon=":material/undo:",
                on_click=lambda: answers.forget(before),
                key=f"{answers.key}-again",
            )


def show_offers(offers: Sequence[Option], config: ImportConfig, key: str, answer: Answer) -> None:
    """A button for each setting that the source suggests and that is not in use yet."""
    values = config.plain()
    for number, offer in enumerate(offers):
        if any(values.get(name) != _plain(value) for name, value in offer.settings.items()):
            st.button(
                f"Use: {plain(offer.text)}",
                icon=":material/lightbulb:",
                help=plain(offer.flags),
                on_click=answer,
                args=(offer.settings,),
                key=f"{key}-offer-{number}",
            )


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value
