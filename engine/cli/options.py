"""Command-line options made from a config, so that the config stays the one source of names, defaults and help."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from engine.cli.setting_values import read_setting, read_value
from engine.configs import Config, TrainConfig
from engine.store.errors import ErsatzError


def with_options(
    *configs: type[Config], omit: Iterable[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a Typer command one option per field of the configs, but for the fields in `omit`.

    The command receives those that were given on the command line as a dict in its argument `settings`. With several
    configs, which a field of the first (`gan`) chooses between, the help says what belongs to one of them alone.
    """
    omitted = {"kind", *omit}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != "settings"]
        owners = {name: config for config in configs for name in config.model_fields if name not in omitted}

        def run(**values: Any) -> Any:
            given = {name: values.pop(name) for name in owners}
            settings = {
                name: _value(owners[name], name, value) for name, value in given.items() if value not in (None, [])
            }
            return command(**values, settings=settings)

        options = [_option(config, name, _remark(configs, name)) for name, config in owners.items()]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in [*own, *options]]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        return run

    return decorate


def assignments(values: Iterable[str], steps: Mapping[str, Sequence[type[Config]]]) -> dict[str, dict[str, Any]]:
    """`train.kimg=5` and the like as `{"train": {"kimg": 5}}`, read by the types of the steps' configs."""
    settings: dict[str, dict[str, Any]] = {}
    for value in values:
        target, equals, content = value.partition("=")
        step, dot, field = (part.strip() for part in target.partition("."))
        if not (equals and dot and step and field):
            raise ErsatzError(f"--set {value!r} cannot be read; expected STEP.FIELD=VALUE, such as train.kimg=5.")
        _keep(settings.setdefault(step, {}), field, read_setting(steps.get(step, ()), field, content, f"--set {value}"))
    return settings


def fields(values: Iterable[str], configs: Sequence[type[Config]]) -> dict[str, Any]:
    """`kimg=5` and the like as `{"kimg": 5}`, read by the types of the first of the configs that has the field."""
    settings: dict[str, Any] = {}
    for value in values:
        field, equals, content = value.partition("=")
        if not (equals and field.strip()):
            raise ErsatzError(f"--set {value!r} cannot be read; expected FIELD=VALUE, such as name=scans.")
        _keep(settings, field.strip(), read_setting(configs, field.strip(), content, f"--set {value}"))
    return settings


def _keep(settings: dict[str, Any], field: str, value: Any) -> None:
    """The last of several values counts, as with any option; but lists given in parts could be meant as one."""
    before = settings.get(field)
    if isinstance(before, list) and isinstance(value, list) and before != value:
        parts = ",".join(str(part) for part in (*before, *value))
        raise ErsatzError(f"--set gives {field} two lists; one is expected. Give it once, such as {field}={parts}.")
    settings[field] = value


def _option(config: type[Config], name: str, remark: str) -> inspect.Parameter:
    field = config.model_fields[name]
    kind, is_list = _command_line_type(field.annotation)
    flag = "--" + name.replace("_", "-")
    declaration = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
    option = typer.Option(declaration, help=f"{field.description or ''}{remark}", show_default=False)
    annotation = Annotated[list[kind] | None if is_list else kind | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _remark(configs: Iterable[type[Config]], name: str) -> str:
    """What follows an option's help: whose it is, and its default where there is one."""
    configs = list(configs)
    having = [config for config in configs if name in config.model_fields]
    defaults = [_shown_default(config, name) for config in having]
    if len(configs) == 1:
        return f" [default: {defaults[0]}]" if defaults[0] else ""
    names = [config.model_fields["gan"].default for config in having]
    if len(having) == 1:
        return f" [{names[0]}" + (f"; default: {defaults[0]}]" if defaults[0] else "]")
    if len(set(defaults)) == 1:
        return f" [default: {defaults[0]}]" if defaults[0] else ""
    return " [default: " + "; ".join(f"{gan} {default}" for gan, default in zip(names, defaults, strict=True)) + "]"


def _shown_default(config: type[Config], name: str) -> str:
    if issubclass(config, TrainConfig) and name in config.by_size:
        return "by cfg"
    field = config.model_fields[name]
    default = "" if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if default in (None, {}) else str(default)


def _command_line_type(annotation: Any) -> tuple[Any, bool]:
    """The type Typer should parse, and whether the option may be repeated. Compound values are given as text."""
    origin = get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return str, False
    if origin is Literal:
        return (int if isinstance(get_args(annotation)[0], int) else annotation), False
    if origin is tuple:
        return str, False
    if origin is dict:
        return str, True
    return annotation, False


def _value(config: type[Config], name: str, value: Any) -> Any:
    """The value of an option in the form that the config validates."""
    annotation = config.model_fields[name].annotation
    origin = get_origin(annotation)
    if origin is dict:
        pairs = [item.partition("=") for item in value]
        if not all(equals for _, equals, _ in pairs):
            raise ErsatzError(f"--{name.replace('_', '-')} {value} cannot be read; expected FOUND=WANTED, repeated.")
        return {found: wanted for found, _, wanted in pairs}
    if isinstance(value, str) and (origin is tuple or origin in (typing.Union, types.UnionType)):
        return read_value(annotation, value, f"--{name.replace('_', '-')} {value}")
    return value
