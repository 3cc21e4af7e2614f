"""What the parts of a spread sweep have done so far, read by the run's supervisor: without pandas, without torch.

<run>/groups/todo.json         the groups of trials that are still to be trained, `[[fold, seed], ...]`
<run>/groups/f0-s3.parquet     the trials of one group that are done
<run>/groups/f0-s3.jsonl       the same as rows of metrics.jsonl
<run>/groups/f0-s3.txt         the log of whoever trained them last
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from engine.store.errors import ErsatzError, Missing
from engine.store.files import read_json
from engine.store.runs import Run, whole_rows

FOLDER = "groups"
TODO_FILE = "todo.json"

Group = tuple[int, int]
"""Fold and seed."""


def folder(run: Run) -> Path:
    """Where the parts of a spread sweep keep what they have done."""
    return run.path / FOLDER


def part_name(fold: int, seed: int) -> str:
    """The name of a group's files, without ending."""
    return f"f{fold}-s{seed}"


def todo(run: Run) -> list[Group]:
    """The groups that the sweep's worker has left to others; empty where it has left none."""
    path = folder(run) / TODO_FILE
    try:
        return [(int(fold), int(seed)) for fold, seed in read_json(path)]
    except Missing:
        return []
    except (TypeError, ValueError) as error:
        raise ErsatzError(
            f"{path} is damaged; pairs of a fold and a seed are expected. Delete it, and resume the run."
        ) from error


def take_live_rows(run: Run) -> int:
    """Append to metrics.jsonl what the parts have done since; the number of rows.

    What is there already is known by its trial alone, so that nothing is doubled or lost whoever is killed when.
    """
    rows = []
    for path in sorted(folder(run).glob("*.jsonl")):
        with suppress(OSError):  # replaced on another machine just now, or its run is being deleted: next time
            content = path.read_bytes()
            rows += whole_rows(content[: content.rfind(b"\n") + 1])[0]
    if not rows:
        return 0
    lines, end = run.read_metrics_lines()
    listed, damaged = whole_rows(lines)
    if damaged:  # the run's worker puts it right, and says so; until then nobody would see what is behind it
        return 0
    there = {_trial(row) for row in listed}
    new = {_trial(row): row for row in rows if _trial(row) not in there}
    if new and run.metrics_path.exists() and run.metrics_path.stat().st_size > end:
        run.keep_metrics(lambda row: True)  # but half a row, of one who was killed: the next would be glued to it
    for row in sorted(new.values(), key=lambda row: row.get("time") or 0):
        run.append_metrics(row)
    return len(new)


def _trial(row: dict[str, object]) -> str:
    return json.dumps([row.get("arm"), row.get("ratio"), row.get("seed"), row.get("fold", 0)])
