"""A home in which everything that people or files may have written is hostile, and what of it a page leaves alive."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from engine.review.comments import COMMENTS
from engine.review.store import add
from engine.store.csv_cells import read_table, write_table
from engine.store.home import Home

ARCHIVE = Path(__file__).parents[1] / "homes" / "before-the-redesign.zip"
HOSTILE = (
    "![p](http://attacker.example/p.png) [l](http://attacker.example) :violet[d] $m^2$ :material/skull: "
    "<img src=http://attacker.example/i.png onerror=alert(1)></script><a href=javascript:alert(1)>x</a> `c"
)
"""A picture, a link, a directive, a formula, an icon, HTML, and a code span that does not end."""
WRITTEN = ("title", "owner", "sentence", "sentences", "limits", "note", "notes", "needed", "device", "stage", "error",
           "label", "source", "layout", "not_frozen")  # fmt: skip
"""Fields of the home's JSON files that hold words."""
NAMED = ("sweep", "quality", "pool")
"""Kinds of runs with a name that somebody chose."""
MARKDOWN = ("body", "label", "help", "title", "delta", "text", "captions", "caption", "summary")
"""Fields of elements that a browser shows as Markdown."""
OPTIONS = ("radio", "button_group", "slider")
"""Elements whose options are Markdown too."""
NOT_MARKDOWN = ("text", "code", "json", "exception", "html", "arrow_data_frame", "plotly_chart")
DIRECTIVE = re.compile(r"(?<!\\):(violet|material/skull)(\[|:)|(?<!\\)\$m\^2\$")


def fill(home: Home) -> None:
    """The old demo's home, with hostile words wherever there are words."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home.root)
    for path in home.root.rglob("*.json"):
        values = json.loads(path.read_text())
        if path.name == "config.json":
            if values["kind"] in NAMED:
                values["name"] = f"{values['name']} {HOSTILE}"
        else:
            values = _poisoned(values)
        if path.name == "about.json":
            values["tags"] = [HOSTILE]
        if path.name == "dataset.json":
            values["config"]["metadata_columns"] = [f"meta_{HOSTILE}"]
            values["provenance"]["notes"] = [HOSTILE]
        if path.name == "status.json":
            values["alarms"] = [{**alarm, "name": f"{alarm['name']} {HOSTILE}"} for alarm in values.get("alarms", [])]
        path.write_text(json.dumps(values))
    for manifest in home.root.rglob("manifest.csv"):
        table = read_table(manifest, dtype=str, keep_default_na=False)
        table.loc[table.index[::7], "excluded"] = f"by hand: {HOSTILE}"
        table["source"] = HOSTILE
        if "meta_level" in table:
            table = table.rename(columns={"meta_level": f"meta_{HOSTILE}"})
            table[f"meta_{HOSTILE}"] = [f"{HOSTILE} {i % 2}" for i in range(len(table))]
        write_table(table, manifest)
    for run in home.runs.iterdir():
        row = {"time": 1.0, "comment": run.name, "run": run.name, "author": HOSTILE, "text": HOSTILE}
        add(home, COMMENTS, [row])


def _poisoned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _poisoned(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_poisoned(part, key) for part in value]
    return f"{value} {HOSTILE}" if isinstance(value, str) and key in WRITTEN else value


def alive(app: AppTest) -> list[str]:
    """What of the hostile words a browser would carry out, with the element that shows it."""
    found = []
    for kind, field, text in _texts(app):
        if "attacker" in text or "skull" in text:
            found += [f"{kind}.{field}: {what} in {text[:300]!r}" for what in lively(text)]
    return found


def lively(text: str) -> list[str]:
    """Pictures, links, directives and formulas of the hostile words in a text of Markdown."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    parts = [part for token in tokens for part in token.children or []]
    found = [part.type for part in parts if part.type in ("image", "link_open") and "attacker" in str(part.attrs)]
    return found + [match[0] for match in DIRECTIVE.finditer(re.sub(r"(?<!`)`[^`\n]+`(?!`)", "", text))]


def _texts(app: AppTest) -> Iterator[tuple[str, str, str]]:
    """Every text that is shown as Markdown: the element, its field, the text."""
    for node in _nodes(app._tree):
        proto = getattr(node, "proto", None)
        kind = getattr(node, "type", "")
        if proto is None or kind in NOT_MARKDOWN:
            continue
        for field, value in proto.ListFields():
            name = field.name
            if name in MARKDOWN or (name == "options" and kind in OPTIONS):
                values = [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else []
                for each in values:
                    text = each if isinstance(each, str) else getattr(each, "content", "")
                    yield kind, name, text
            if name == "imgs":
                yield from ((kind, "caption", image.caption) for image in value)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from _nodes(child)
