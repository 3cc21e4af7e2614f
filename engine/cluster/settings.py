"""`<home>/cluster.toml`: whether this home uses a cluster, and what is asked of it for each run.

    partition = "gpu"
    gpus = "gpu:a100"
    hours = 24.0

    [places]
    train = "slurm"

    [kinds.sweep]
    gpus = ""
    cpus = 4

`python -m engine cluster init` proposes one from what the scheduler says.
"""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from engine.configs import Config
from engine.store.errors import ErsatzError, Missing
from engine.store.files import read_text, write_text
from engine.store.home import Home

FILE = "cluster.toml"
LOCAL: Literal["local"] = "local"
SLURM: Literal["slurm"] = "slurm"

OWN_OPTIONS = frozenset(
    {
        "array",
        "begin",  # which a requeued job is told apart by
        "chdir",
        "constraint",
        "cpus-per-task",
        "dependency",
        "error",
        "gres",
        "job-name",
        "mem",
        "nodes",
        "ntasks",
        "ntasks-per-node",
        "open-mode",
        "output",
        "parsable",
        "partition",
        "account",
        "qos",
        "signal",
        "test-only",
        "time",
        "wait",
        "wrap",
    }
)
"""Options of sbatch that this program sets itself."""


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("one line of printable characters is expected")
    return value


Word = Annotated[str, AfterValidator(_one_line)]


class Request(Config):
    """What is asked of the cluster for a run of one kind."""

    partition: Word = ""
    """Partition that jobs go to; empty: the cluster's default."""
    account: Word = ""
    """Account that pays for the jobs; empty: the user's default."""
    qos: Word = ""
    """Quality of service of the jobs; empty: the user's default."""
    constraint: Word = ""
    """Features that a node must have, such as a100|h100; empty: any node."""
    gpus: Word = ""
    """What SLURM calls one GPU there: gpu, or of one model, such as gpu:a100; empty: nodes without GPUs."""
    cpus: int = Field(4, ge=1, le=1024)
    """CPU cores of a task; threads follow them, and with the threads the last digits of a training on the CPU."""
    memory_gib: float = Field(0.0, ge=0, le=65536)
    """Memory of a task in GiB; 0: the cluster's default."""
    hours: float = Field(24.0, gt=0, le=24 * 365)
    """Time limit of a job. A run that needs longer saves itself and goes on in a new job, to the same numbers."""
    grace_seconds: int = Field(120, ge=10, le=3600)
    """How long before the time limit a run is told to save itself."""
    throttle: int = Field(16, ge=1, le=10_000)
    """Tasks of one sweep that run at once."""
    setup: tuple[Word, ...] = ()
    """Lines of shell before Python on the node, such as module load cuda."""
    python: Word = ""
    """Command that is Python on the nodes, such as a container's; empty: the path of this one, which they then see."""
    extra: dict[Word, Word] = Field(default_factory=dict)
    """Further options of sbatch by name, such as exclude = "node7"; one without a value has an empty one."""
    executor: Literal["slurm", "local"] = SLURM
    """slurm; local starts the jobs as processes of this machine instead, to try all of this out without SLURM."""

    @field_validator("partition", "account", "qos", "constraint", "gpus")
    @classmethod
    def _without_spaces(cls, value: str, info: ValidationInfo) -> str:
        if any(sign.isspace() for sign in value):
            raise ValueError("a name without spaces is expected")
        return value

    @field_validator("gpus")
    @classmethod
    def _without_count(cls, value: str) -> str:
        if value.rpartition(":")[2].isdecimal():
            raise ValueError("the name of one GPU is expected, such as gpu or gpu:a100; runs say themselves how many")
        return value

    @field_validator("python")
    @classmethod
    def _a_command(cls, value: str) -> str:
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"a command as in a shell is expected ({error})") from error
        if value and not words:
            raise ValueError("a command is expected, or nothing")
        return value

    @field_validator("extra")
    @classmethod
    def _of_others(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not name.replace("-", "").isalnum() or name.startswith("-"):
                raise ValueError(f"{name!r} is no option; its long name is expected, without dashes before it")
            if name in OWN_OPTIONS:
                raise ValueError(f"{name} is set by this program; a field of its own changes it, where it can be")
        return value

    @model_validator(mode="after")
    def _time_to_work(self) -> Self:
        if self.grace_seconds >= self.minutes * 60:
            raise ValueError(
                f"hours ({self.hours:g}) leave no time before grace_seconds ({self.grace_seconds}); more are expected"
            )
        return self

    @property
    def minutes(self) -> int:
        """The time limit as the scheduler counts it."""
        return max(1, round(self.hours * 60))


class ClusterSettings(Request):
    """The content of `cluster.toml`: what is asked of the cluster for any run, and what differs by kind."""

    places: dict[str, Literal["here", "slurm"]] = Field(default_factory=dict)
    """Where runs of a kind go unless somebody says otherwise: here or slurm; those of other kinds stay here."""
    kinds: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What differs for one kind of run."""

    @field_validator("kinds")
    @classmethod
    def _known_fields(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        known = Request.model_fields.keys() - {"executor"}
        for kind, changes in value.items():
            for unknown in changes.keys() - known:
                raise ValueError(f"{unknown} of {kind} is no field that can differ; {', '.join(sorted(known))} are")
        return value

    @model_validator(mode="after")
    def _valid_for_each_kind(self) -> Self:
        for kind in self.kinds:
            try:
                self.for_kind(kind)
            except ErsatzError as error:
                reason = str(error).removeprefix(_PREFIX).removesuffix(_SUFFIX)
                raise ValueError(f"for {kind}: {reason}") from error
        return self

    def for_kind(self, kind: str) -> Request:
        """What is asked of the cluster for a run of this kind."""
        own = {name: getattr(self, name) for name in Request.model_fields}
        return Request.build(own | self.kinds.get(kind, {}))


_PREFIX, _SUFFIX = "The settings are not valid: ", ". Correct the named field and start again."


def settings_path(home: Home) -> Path:
    """The file that says how a home uses a cluster."""
    return home.root / FILE


def read_settings(home: Home) -> ClusterSettings | None:
    """How a home uses a cluster; None where it uses none. `ErsatzError` when the file is not as it must be."""
    path = settings_path(home)
    try:
        values = tomllib.loads(read_text(path))
    except Missing:
        return None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ErsatzError(f"{path} cannot be read as TOML ({error}); {_MEND}") from error
    try:
        return ClusterSettings.build(values)
    except ErsatzError as error:
        reason = str(error).removeprefix(_PREFIX).removesuffix(_SUFFIX)
        raise ErsatzError(f"{path} is not valid: {reason}; {_MEND}") from error


_MEND = "mend it, or write it anew with `python -m engine cluster init --replace`."


def require_settings(home: Home) -> ClusterSettings:
    """How a home uses a cluster; an `ErsatzError` where it uses none."""
    settings = read_settings(home)
    if settings is None:
        raise ErsatzError(
            f"There is no {settings_path(home)}, which says how this home uses a cluster. Make it once with "
            "`python -m engine cluster init`."
        )
    return settings


def write_settings(home: Home, settings: ClusterSettings) -> None:
    """Write `cluster.toml` whole or not at all, with what each field means beside it."""
    write_text(settings_path(home), as_toml(settings))


def as_toml(settings: ClusterSettings) -> str:
    """The settings as the text of `cluster.toml`."""
    lines = ["# How this home uses a cluster; `python -m engine doctor` checks it.", ""]
    values = settings.plain()
    for name, field in Request.model_fields.items():
        if name != "extra":
            lines += [f"# {field.description}", f"{name} = {_toml(values[name])}"]
    lines += _table("extra", str(Request.model_fields["extra"].description), values["extra"])
    lines += _table("places", str(ClusterSettings.model_fields["places"].description), values["places"])
    for kind, changes in values["kinds"].items():
        lines += _table(f"kinds.{_key(kind)}", f"What differs for runs of the kind {kind}.", changes)
    return "\n".join(lines) + "\n"


def _table(name: str, told: str, values: dict[str, Any]) -> list[str]:
    return ["", f"# {told}", f"[{name}]", *(f"{_key(key)} = {_toml(value)}" for key, value in values.items())]


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else _toml(name)


def _toml(value: Any) -> str:
    """A plain value as TOML, whose strings, numbers and lists are written as JSON's are."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
