"""A form made from a config: its fields are the inputs, its docstrings the help, its bounds the limits."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from engine.configs import Config
from engine.store.errors import ErsatzError


def config_form(
    config_class: type[Config],
    fields: Sequence[str],
    defaults: Mapping[str, Any],
    key: str,
    *,
    more: Sequence[str] = (),
    choices: Mapping[str, Sequence[Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    submit: str = "Start",
    icon: str = ":material/play_arrow:",
    disabled: bool = False,
    columns: int = 3,
) -> dict[str, Any] | None:
    """A form over `fields` of a config; valid values (`defaults` and what was entered) when it was submitted.

    `more` are fields behind "More settings", `choices` the options of fields that name existing things (a data set),
    `labels` better words than the field's name. Changed `defaults` show when `key` changes with them.
    Values that the config refuses are shown as its one sentence, and None is returned.
    """
    entered: dict[str, Any] = {}

    def inputs(names: Sequence[str]) -> None:
        for start in range(0, len(names), columns):
            for column, name in zip(st.columns(columns), names[start : start + columns], strict=False):
                with column:
                    label = (labels or {}).get(name) or name.replace("_", " ").capitalize()
                    field = config_class.model_fields[name]
                    default = defaults.get(
                        name, None if field.is_required() else field.get_default(call_default_factory=True)
                    )
                    entered[name] = _input(field, label, default, f"{key}-{name}", (choices or {}).get(name))

    with st.form(key):
        inputs(fields)
        if more:
            with st.expander("More settings", icon=":material/tune:"):
                inputs(more)
        pressed = st.form_submit_button(submit, type="primary", icon=icon, disabled=disabled)
    if not pressed:
        return None
    values = {**defaults, **entered}
    try:
        config_class.build(values)
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return values


def _input(field: FieldInfo, label: str, default: Any, key: str, choices: Sequence[Any] | None) -> Any:
    """The widget that suits a field's type; what it returns is validated by the config."""
    help_text = field.description
    if choices is not None:
        return st.selectbox(label, choices, index=_index(choices, default), key=key, help=help_text)
    kind, optional = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        options = get_args(kind)
        return st.selectbox(label, options, index=_index(options, default), key=key, help=help_text)
    if kind is bool:
        return st.toggle(label, value=bool(default), key=key, help=help_text)
    if kind in (int, float):
        return _number(field, kind, label, default, key)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if get_origin(item) is Literal:
            return tuple(st.multiselect(label, get_args(item), default=list(default or ()), key=key, help=help_text))
        shown = ", ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in default or ())
        text = st.text_input(label, shown, key=key, help=help_text, placeholder="separated by commas")
        return _split(text) or (None if optional else ())
    if get_origin(kind) is dict:
        shown = ", ".join(f"{found}={wanted}" for found, wanted in (default or {}).items())
        text = st.text_input(label, shown, key=key, help=help_text, placeholder="found=wanted, separated by commas")
        return {found.strip(): wanted.strip() for found, _, wanted in (part.partition("=") for part in _split(text))}
    return st.text_input(label, default or "", key=key, help=help_text).strip()


def _number(field: FieldInfo, kind: type, label: str, default: Any, key: str) -> float:
    bounds = {}
    for metadata in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if (limit := getattr(metadata, name, None)) is not None:
                bounds["min_value" if name[0] == "g" else "max_value"] = kind(limit)
    value = kind(default or 0)
    if kind is int:
        return st.number_input(label, value=value, step=1, key=key, help=field.description, **bounds)
    # the step is one in the first digit: 0.0001 for a learning rate of 0.0002, 10 for 12 kimg
    step = 10.0 ** math.floor(math.log10(abs(value))) if value else 0.1
    return st.number_input(label, value=value, step=step, format="%g", key=key, help=field.description, **bounds)


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
