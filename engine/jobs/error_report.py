"""A report on what went wrong, to send to whoever mends it: no images, and no names of people, files or data.

One ZIP: `about.json` (versions, machine, how many runs of each kind and state), `errors/` (stack traces) and `runs/`
(of runs that failed: their settings and the end of their log). Texts are cleared of names as far as this program
knows them: paths, what stands in quotes, e-mail addresses, and the names of the home's data sets, classes, runs, users
and of the machine. Look through it before it is sent: free text of a library may hold what nobody foresees.
"""

from __future__ import annotations

import getpass
import io
import json
import platform
import re
import socket
import zipfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.datasets.dataset import list_datasets
from engine.store.about import about
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, damaged_runs, each, list_runs
from engine.store.unknown_errors import error_files

PACKAGES = ("ersatz", "torch", "torchvision", "numpy", "pandas", "pillow", "streamlit", "onnx", "onnxruntime")
MOST_ERRORS, MOST_RUNS, LOG_LINES = 10, 5, 80
WORDS = frozenset({"kind", "gan", "device", "precision", "classifier", "extractor", "aug", "cfg", "metric", "layout"})
"""Settings whose texts are words of this program."""

OURS = re.compile(r"(?:[\w.~+-]*[/\\])*((?:site-packages|engine|pages|python3\.\d+)[/\\][\w./\\-]+)")
"""Files of programs, which are kept from there on."""
PATH = re.compile(r"(?:~|[A-Za-z]:)?(?:[/\\][^\s'\"/\\:;,()]+)+[/\\]?")
QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`")
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")
MARK = "\x00"


def report(home: Home) -> bytes:
    """The ZIP, as bytes."""
    clear = Clearing(_names(home))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", json.dumps(_about(home), indent=2))
        for number, path in enumerate(error_files(home)[:MOST_ERRORS]):
            with suppress(OSError):
                archive.writestr(f"errors/{number}.txt", clear(path.read_text(errors="replace")))
        failed = [run for run, state in each(list_runs(home), Run.state) if state in (State.FAILED, State.INTERRUPTED)]
        for number, run in enumerate(failed[:MOST_RUNS]):
            with suppress(ErsatzError):
                told = {"settings": settings_without_names(run.config()), "error": clear(run.status().error)}
                archive.writestr(f"runs/{number}.json", json.dumps(told, indent=2))
            archive.writestr(f"runs/{number}.txt", clear("\n".join(_log(run.log_path))))
    return buffer.getvalue()


class Clearing:
    """Takes paths and names out of a text, and leaves the code and the words of this program."""

    def __init__(self, names: Iterable[str]):
        known = sorted({name for name in names if len(name) > 1}, key=len, reverse=True)
        self.names = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in known)) if known else None

    def __call__(self, text: str) -> str:
        return "\n".join(map(self._line, text.splitlines()))

    def _line(self, line: str) -> str:
        if line.lstrip().startswith('File "'):  # of a stack trace: where in which program
            return OURS.sub(r"\1", line) if OURS.search(line) else PATH.sub("<path>", line)
        if line.startswith("    "):  # a line of its source
            return line
        kept: list[str] = []

        def keep(found: re.Match[str]) -> str:
            kept.append(found[1])
            return f"{MARK}{len(kept) - 1}{MARK}"

        line = OURS.sub(keep, line.replace(MARK, ""))
        line = ADDRESS.sub("<address>", QUOTED.sub("<text>", line))
        line = PATH.sub("<path>", line)
        line = self.names.sub("<name>", line) if self.names else line
        return re.sub(f"{MARK}(\\d+){MARK}", lambda found: kept[int(found[1])], line)


def settings_without_names(value: Any, name: str = "") -> Any:
    """The settings with their numbers and switches; of texts only those that are words of this program."""
    if isinstance(value, dict):
        return {key: settings_without_names(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [settings_without_names(item, name) for item in value]
    if isinstance(value, str) and value and name not in WORDS:
        return f"<text of {len(value)}>"
    return value


def _names(home: Home) -> set[str]:
    """The names of this home and machine that this program knows."""
    names = {socket.gethostname(), home.root.name, *home.root.parts[1:]}
    with suppress(KeyError, OSError):
        names.add(getpass.getuser())
    for dataset in list_datasets(home):
        names |= {dataset.name, dataset.label, *dataset.classes, *dataset.metadata}
    for run, config in each(list_runs(home), Run.config):
        names |= {run.id, str(config.get("name", "")), str(config.get("class_name", ""))}
        with suppress(ErsatzError):
            said = about(run)
            names |= {said.title, said.owner, *said.tags}
    return names


def _about(home: Home) -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    runs = Counter(f"{run.kind} {state}" for run, state in each(list_runs(home), Run.state))
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "packages": versions,
        "runs": dict(sorted(runs.items())),
        "damaged": len(damaged_runs(home)),
        "data sets": len(list_datasets(home)),
    }


def _log(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        return []
