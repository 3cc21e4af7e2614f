"""A form made from a config: its fields are the inputs, its docstrings the help, its bounds the limits."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator

from engine.configs import Config
from engine.configs.setting_names import setting_name
from pages.components.errors import done
from pages.components.people import Role, guarded

MORE = "More settings"


def config_form(
    config_class: type[Config],
    fields: Sequence[str],
    defaults: Mapping[str, Any],
    key: str,
    *,
    more: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    choices: Mapping[str, Sequence[Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    submit: str = "Start",
    icon: str = ":material/play_arrow:",
    disabled: bool = False,
    columns: int = 3,
    primary: bool = True,
) -> dict[str, Any] | None:
    """A form over `fields` of a config; valid values (`defaults` and what was entered) when it was submitted.

    `more` are fields behind "More settings", `groups` others by the title of their expander, `choices` the options of
    fields that name existing things (a data set, or several classes), `labels` better words than its name.
    Changed `defaults` show when `key` changes with them. Every such form starts a run, which takes an editor.
    `primary` says whether its button is the page's next step.
    Values that the config refuses are shown as its one sentence, and None is returned.
    """
    pressed = grouped_form(
        config_class,
        fields,
        defaults,
        key,
        groups={**(groups or {}), MORE: more},
        choices=choices,
        labels=labels,
        buttons={submit: icon},
        disabled=disabled,
        columns=columns,
        primary=primary,
    )
    return pressed[1] if pressed else None


def grouped_form(
    config_class: type[Config],
    fields: Sequence[str],
    defaults: Mapping[str, Any],
    key: str,
    *,
    groups: Mapping[str, Sequence[str]],
    buttons: Mapping[str, str],
    given: Mapping[str, Any] | None = None,
    choices: Mapping[str, Sequence[Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    disabled: bool = False,
    columns: int = 3,
    primary: bool = True,
    below: Callable[[DeltaGenerator], None] | None = None,
    words: Mapping[str, Mapping[Any, str]] | None = None,
) -> tuple[str, dict[str, Any]] | None:
    """As `config_form`, with further fields in `groups` (title of an expander -> fields), and with several `buttons`
    (label -> icon, the first the main one); the label that was pressed, and the values.

    `words` says for people what a field's options mean, as far as they do not say it themselves;
    `below` gets the place under the buttons, for what is to be said once one was pressed: it is where one looks.

    With `given`, an entered value that is still the default counts as not entered, and the values are `given` and
    what was changed: for a config that completes what is left unset.
    """
    entered: dict[str, Any] = {}
    just_set = st.session_state.pop(f"{key}-set", set())  # Streamlit warns of a default beside a value that was set

    def default_of(name: str) -> Any:
        field = config_class.model_fields[name]
        return defaults.get(name, None if field.is_required() else field.get_default(call_default_factory=True))

    def inputs(names: Sequence[str]) -> None:
        for start in range(0, len(names), columns):
            for column, name in zip(
                st.columns(columns, vertical_alignment="bottom"), names[start : start + columns], strict=False
            ):
                with column:
                    label = (labels or {}).get(name) or setting_name(name)
                    field = config_class.model_fields[name]
                    options = (choices or {}).get(name)
                    default = None if name in just_set else default_of(name)
                    entered[name] = _input(field, label, default, f"{key}-{name}", options, (words or {}).get(name, {}))

    with st.form(key):
        inputs(fields)
        # before the groups: who needs none of them sees the button without scrolling past them
        with st.container(horizontal=True):
            pressed = [
                label
                for label, icon in buttons.items()
                if st.form_submit_button(
                    label,
                    type="primary" if primary and label == next(iter(buttons)) else "secondary",
                    icon=icon,
                    **guarded(Role.EDITOR, disabled=disabled),
                )
            ]
        if below is not None:
            below(st.container())
        for title, names in groups.items():
            if names:
                with st.expander(title, icon=":material/tune:"):
                    inputs(names)
    if not pressed:
        return None
    if given is None:
        values = {**defaults, **entered}
    else:
        values = {**given, **{name: value for name, value in entered.items() if not _same(value, default_of(name))}}
    return (pressed[0], values) if done(config_class.build, values) else None


def _same(value: Any, default: Any) -> bool:
    """Whether a widget still shows its default; JSON knows no tuples."""
    return value == (tuple(default) if isinstance(default, list) else default)


def set_inputs(config_class: type[Config], key: str, values: Mapping[str, Any]) -> None:
    """Enter `values` of some fields into the form of this key, before it is drawn; what else was entered there stays.

    Not for fields whose options a form gives as `choices`.
    """
    for name, value in values.items():
        st.session_state[f"{key}-{name}"] = _entered(config_class.model_fields[name], value)
    st.session_state[f"{key}-set"] = {*st.session_state.get(f"{key}-set", ()), *values}


def _entered(field: FieldInfo, value: Any) -> Any:
    """A field's value as its widget holds it."""
    kind, _ = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return value
    if kind in (bool, int, float):
        return kind(value or 0)
    if get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is Literal:
        return list(value or ())
    return _as_text(kind, value)


def _as_text(kind: Any, value: Any) -> str:
    """A value of several parts as it is written into a line; other text as it is."""
    if isinstance(value, str):
        return value
    if get_origin(kind) is tuple:
        return ", ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value or ())
    if get_origin(kind) is dict:
        return ", ".join(f"{found}={wanted}" for found, wanted in (value or {}).items())
    return str(value or "")


def _input(
    field: FieldInfo,
    label: str,
    default: Any,
    key: str,
    choices: Sequence[Any] | None,
    words: Mapping[Any, str],
) -> Any:
    """The widget that suits a field's type; what it returns is validated by the config.

    `default` None: nothing is entered, or the session's state has what is.
    """
    help_text = field.description
    if choices is not None and get_origin(field.annotation) is tuple:
        chosen = None if default is None else [choice for choice in choices if choice in default]
        return tuple(st.multiselect(label, choices, default=chosen, key=key, help=help_text, placeholder="All"))
    if choices is not None:
        return st.selectbox(
            label,
            choices,
            index=_index(choices, default),
            format_func=lambda choice: words.get(choice, str(choice)) or "–",
            key=key,
            help=help_text,
        )
    kind, optional = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        options = get_args(kind)
        return st.selectbox(
            label,
            options,
            index=_index(options, default),
            format_func=lambda option: words.get(option, str(option)),
            key=key,
            help=help_text,
        )
    if kind is bool:
        return st.toggle(label, value=bool(default), key=key, help=help_text)
    if kind in (int, float):
        if optional:
            return _optional_number(field, kind, label, default, key)
        return _number(field, kind, label, default, key)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if get_origin(item) is Literal:
            chosen = None if default is None else list(default)
            return tuple(st.multiselect(label, get_args(item), default=chosen, key=key, help=help_text))
        text = st.text_input(label, _as_text(kind, default), key=key, help=help_text, placeholder="separated by commas")
        return _split(text) or (None if optional else ())
    if get_origin(kind) is dict:
        text = st.text_input(
            label, _as_text(kind, default), key=key, help=help_text, placeholder="found=wanted, separated by commas"
        )
        return {found.strip(): wanted.strip() for found, _, wanted in (part.partition("=") for part in _split(text))}
    return st.text_input(label, default or "", key=key, help=help_text).strip()


def _bounds(field: FieldInfo, kind: type) -> dict[str, Any]:
    bounds = {}
    for metadata in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if (limit := getattr(metadata, name, None)) is not None:
                bounds["min_value" if name[0] == "g" else "max_value"] = kind(limit)
    return bounds


def _optional_number(field: FieldInfo, kind: type, label: str, default: Any, key: str) -> float | None:
    """Empty where nothing is set."""
    value = None if default is None else kind(default)
    return st.number_input(
        label, value=value, format="%g", key=key, help=field.description, placeholder="none", **_bounds(field, kind)
    )


def _number(field: FieldInfo, kind: type, label: str, default: Any, key: str) -> float:
    bounds = _bounds(field, kind)
    value = kind(st.session_state.get(key, 0) if default is None else default)
    shown: Any = "min" if default is None and "min_value" in bounds else value
    if kind is int:
        return st.number_input(label, value=shown, step=1, key=key, help=field.description, **bounds)
    # the step is one in the first digit: 0.0001 for a learning rate of 0.0002, 10 for 12 kimg
    step = 10.0 ** math.floor(math.log10(abs(value))) if value else 0.1
    return st.number_input(label, value=shown, step=step, format="%g", key=key, help=field.description, **bounds)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """`X | None` as `(X, True)`, every other type as `(X, False)`."""
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None)), True
    return annotation, False


def _index(options: Iterable[Any], value: Any) -> int:
    options = list(options)
    return options.index(value) if value in options else 0


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
