"""Settings as people write them, `0.25,0.5` or `[drop-copies,join-groups]`, read by the types of a config's fields."""

from __future__ import annotations

import csv
import json
import re
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from engine.configs import Config
from engine.store.errors import ErsatzError

YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def read_setting(configs: Iterable[type[Config]], name: str, text: str, told: str) -> Any:
    """The value that `text` is for the field of that name in the first of these configs that has it.

    A field that none of them has is read as JSON, or else as text, so that the config can refuse it by its name.
    `told` is what the user wrote, for the `ErsatzError` on what cannot be read.
    """
    for config in configs:
        if name in config.model_fields:
            return read_value(config.model_fields[name].annotation, text, told)
    return _json_or_text(text)


def read_value(annotation: Any, text: str, told: str) -> Any:
    """`text` as a value of this type: numbers, words, yes and no, lists and pairs, all of them also as JSON."""
    text = text.strip()
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return read_value(arguments[0], text, told)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() in ("", "none", "null"):
            return None
        (kept, *others) = [argument for argument in arguments if argument is not type(None)]
        return _json_or_text(text) if others else read_value(kept, text, told)
    if origin in (tuple, list):
        return _list(arguments, text, told)
    if origin is dict or annotation is dict:
        return _pairs(arguments, text, told)
    if origin is Literal:
        return next((option for option in arguments if str(option) == _unquoted(text)), _unquoted(text))
    if annotation is bool:
        return _yes_or_no(text, told)
    if annotation in (int, float):
        return _number(annotation, text, told)
    return _unquoted(text) if annotation is str else _json_or_text(text)


def _list(arguments: Sequence[Any], text: str, told: str) -> list[Any]:
    """`a,b`, `[a,b]`, `["a", "b"]` or `a`; quotes keep a comma inside a part.

    Numbers and words of a fixed choice may have semicolons or spaces between them, too.
    """
    kind = next((argument for argument in arguments if argument is not Ellipsis), str)
    found = _json(text)
    if isinstance(found, list) and not all(isinstance(part, str | int | float) for part in found):
        return found
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        raise _unreadable(told, f"{text!r} is no list in JSON", 'one such as [{"run": "ID"}]')
    parts = [part if isinstance(part, str) else json.dumps(part) for part in found] if isinstance(found, list) else None
    if parts is None:
        inner = _inner(text, told)
        numbers = kind in (int, float) and not re.search("[A-Za-z]{2}", inner)  # a window's name may hold a space
        if get_origin(kind) is Literal or numbers:
            inner = re.sub(r"\s*[;,]\s*|\s+", ",", inner.strip())
        parts = _parts(inner, told)
    if kind is float and Ellipsis not in arguments and any(re.search("[A-Za-z]", part) for part in parts):
        return parts  # the name of a window, which is the config's to judge
    return [read_value(kind, part, told) for part in parts]


def _pairs(arguments: Sequence[Any], text: str, told: str) -> dict[str, Any]:
    """`found=wanted,other=name`, with or without brackets; or an object in JSON."""
    found = _json(text)
    if isinstance(found, dict):
        return found
    if arguments and arguments[-1] not in (str, int, float):
        raise _unreadable(told, f"{text!r} is no object in JSON", 'one such as {"kimg": 5}')
    pairs = [part.partition("=") for part in _parts(_inner(text, told), told)]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise _unreadable(told, f"{wrong[0]!r} has no '='", "pairs with commas between them, such as 0=normal,1=bleed")
    return {_unquoted(name.strip()): _unquoted(wanted.strip()) for name, _, wanted in pairs}


def _inner(text: str, told: str) -> str:
    """The text without its brackets, which must be closed."""
    if not text or text[0] not in _BRACKETS:
        return text
    if text[-1] != _BRACKETS[text[0]] or len(text) < 2:
        raise _unreadable(told, f"the bracket {text[0]!r} is not closed", "a list such as [a,b], or a,b")
    return text[1:-1]


def _parts(text: str, told: str) -> list[str]:
    """Split at the commas that stand outside of quotes; nothing is no part, and a comma at the end is forgiven."""
    quote = "'" if "'" in text and '"' not in text else '"'
    try:
        rows = list(csv.reader([text], skipinitialspace=True, quotechar=quote, strict=True))
    except csv.Error:
        raise _unreadable(told, "a quote is not closed", "a list such as a,b") from None
    parts = [part.strip() for row in rows for part in row]
    if parts and not parts[-1]:
        parts.pop()
    if not all(parts):
        raise _unreadable(told, "there is nothing between two commas", "a list such as a,b")
    return parts


def _yes_or_no(text: str, told: str) -> bool:
    if text.lower() not in (*YES, *NO):
        raise _unreadable(told, f"{text!r} is neither yes nor no", "true or false")
    return text.lower() in YES


def _number(kind: type[int] | type[float], text: str, told: str) -> int | float:
    try:
        number = float(text)
    except ValueError:
        raise _unreadable(told, f"{text!r} is no number", f"one such as {5 if kind is int else 0.5}") from None
    if kind is float:
        return number
    if not number.is_integer():
        raise _unreadable(told, f"{text} is no whole number", "one such as 5")
    return int(text) if text.lstrip("+-").isdigit() else int(number)


def _unquoted(text: str) -> str:
    """Text without the quotes around it, if there are any."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _unreadable(told: str, found: str, expected: str) -> ErsatzError:
    return ErsatzError(f"{told} cannot be read: {found}; expected {expected}. Correct it and start again.")
