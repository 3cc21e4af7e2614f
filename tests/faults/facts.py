"""What a home holds, without what no two journeys have in common: times, random ids, logs, locks and caches."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PLAN_ID = re.compile(r"\d{8}-plan-[0-9a-f]{8}")
RUN_ID = re.compile(r"\d{8}-\d{6}-([a-z0-9-]*?)-[0-9a-f]{8}(?![0-9a-f])")
PASSING = set(
    [
        "created",
        "started",
        "ended",
        "time",
        "seconds",
        "images_per_second",
        "memory_gib",
        "stage",
        "settled",
        "submitted",
    ]
)
"""Fields that say how long something took, or when it was."""
OF_IDS = {"pool_sha256", "config_sha256"}
"""Hashes over the ids of parents, which are new in every journey."""
PASSED_OVER = re.compile(r"(^|/)(log\.txt|lock|locks/.*|events/.*|ersatz\.db.*|team\.db-.*|cache/.*|salt)$")
"""Files that are compared by nothing, or in another way."""


def facts(home: Path) -> dict[str, str]:
    """Each file of the home by its path, without ids, and what is in it as a digest or as text."""
    found: dict[str, str] = {}
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        name = path.relative_to(home).as_posix()
        if PASSED_OVER.search(name) or "/." in f"/{name}":
            continue
        key = plain(name, home)
        while key in found:  # a second run of the same label: a double start
            key += " (double)"
        found[key] = _content(path, home)
    found["index"] = "\n".join(sorted(plain(run, home) for run in _indexed(home)))
    return found


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is lost, added or other than it should be, one line each."""
    lines = [f"lost: {name}" for name in expected.keys() - found.keys()]
    lines += [f"left over: {name}" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        if expected[name] != found[name]:
            lines.append(f"differs: {name}: {_first_difference(expected[name], found[name])}")
    return sorted(lines)


def hidden(home: Path) -> list[str]:
    """Temporary files and folders."""
    return sorted(path.relative_to(home).as_posix() for path in home.rglob(".*"))


def plain(text: str, home: Path) -> str:
    """Text without the home's path and the random part of ids."""
    text = text.replace(str(home), "<home>").replace(str(home.parent), "<folder>")
    return PLAN_ID.sub("<plan>", RUN_ID.sub(r"<\1>", text))


def _content(path: Path, home: Path) -> str:
    if path.suffix == ".json":
        values = _timeless(json.loads(plain(path.read_text(), home)))
        return json.dumps(_without_hash(values) if path.parent.name == "plans" else values, sort_keys=True, indent=1)
    if path.suffix == ".jsonl":
        rows = [_timeless(row) for row in _rows_of(path, home)]
        rows = [_without_hash(row) if row.get("event") == "plan" else row for row in rows]
        return "\n".join(json.dumps(row, sort_keys=True) for row in rows)
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        return plain(table[[name for name in table.columns if name not in PASSING]].to_json(orient="records"), home)
    if path.suffix == ".db":
        return plain("\n".join(_rows(path)), home)
    if path.suffix == ".csv":
        return _table(path, home)
    if path.suffix == ".txt":
        return plain(path.read_text(), home)
    if path.suffix == ".safetensors":
        return _tensors(path, home)
    if path.suffix == ".html":
        return plain(_undated(path.read_text()), home)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rows_of(path: Path, home: Path) -> Iterator[Any]:
    """The lines of a file; a torn one of the ledger is passed over, as by its readers, and any other one is a row."""
    for line in plain(path.read_text(), home).splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            if path.parent.name != "ledger":
                yield {"torn": line}


def _table(path: Path, home: Path) -> str:
    """The columns of a CSV file that do not pass."""
    text = plain(path.read_text(), home)
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False) if text.strip() else pd.DataFrame()
    return text if not PASSING & set(table.columns) else table.drop(columns=list(PASSING), errors="ignore").to_csv()


def _tensors(path: Path, home: Path) -> str:
    """Every tensor as a digest, and the metadata."""
    with safe_open(path, framework="np") as file:
        metadata = _timeless(json.loads((file.metadata() or {}).get("ersatz", "{}")))
        metadata.get("crc32", {}).pop("", None)  # the sum of the metadata, its times among them
        digests = {name: hashlib.sha256(file.get_tensor(name).tobytes()).hexdigest() for name in sorted(file.keys())}
    return plain(json.dumps([metadata, digests], sort_keys=True, indent=1), home)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in PASSING | OF_IDS}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _without_hash(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan names its parents by their ids, and so its hash is a new one in every journey."""
    return {key: value for key, value in plan.items() if key != "sha256"}


def _undated(page: str) -> str:
    page = re.sub(r"data:text/[^\"]*", "<a table, compared where it lies>", page)
    page = re.sub(r"(CPU, \d+ threads?</td><td>)[\d.]+", r"\1<minutes>", page)
    page = re.sub(rf"({PLAN_ID.pattern}) \([0-9a-f]{{12}}\)", r"\1", page)
    page = re.sub(r"\b[0-9a-f]{64}\b", "<digest>", page)  # of tables that hold seconds
    return re.sub(
        r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?|[\d.]+ (minutes|seconds|min|s)\b", "<time>", UUID.sub("<figure>", page)
    )


def _rows(path: Path) -> Iterator[str]:
    """The rows of all tables of an SQLite file."""
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in sorted(tables):
            yield from sorted(f"{table}: {row}" for row in database.execute(f'SELECT * FROM "{table}"'))


def _indexed(home: Path) -> list[str]:
    """Runs in the index."""
    path = home / "ersatz.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as database:
        return [f"{run}: {position}" for run, position in database.execute("SELECT id, position FROM runs")]


def _first_difference(expected: str, found: str) -> str:
    for before, now in zip(expected.splitlines(), found.splitlines(), strict=False):
        if before != now:
            at = next((i for i, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), 0)
            return f"{before[max(at - 60, 0) : at + 60]!r}, now {now[max(at - 60, 0) : at + 60]!r}"
    return f"{len(expected)} characters, now {len(found)}"
