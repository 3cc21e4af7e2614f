"""Figures and tables of a report: numbered in the order in which they stand, captioned, and referred to by number.

A text may refer to a figure that stands below it, so a page is rendered twice: the first time the numbers are given,
the second time they are known everywhere (as LaTeX does).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
import plotly.graph_objects as go
import plotly.io
from markupsafe import Markup, escape

Kind = Literal["Figure", "Table"]
TITLE_ROOM = 44
"""Pixels above a figure that its title takes, which stands in the caption instead."""
BEGINS_WITH_NUMBER = re.compile(r"[<+-]?\s?\d")
LONGEST_NUMBER = 26
"""Letters of an interval with its unit."""


@dataclass(frozen=True)
class Plot:
    """A figure for the page, and the title that its caption begins with."""

    html: Markup
    title: str


def inline(figure: go.Figure) -> Plot:
    """A figure as HTML that uses the one copy of Plotly in the page; Plotly escapes `<`, `>` and `/` itself."""
    title = re.sub(r"<[^<>]+>", "", (figure.layout.title.text or "").split("<br>")[0])
    if title:
        top = figure.layout.margin.t or 0
        kept = max(16, top - TITLE_ROOM)
        figure.update_layout(title={"text": ""}, margin={"t": kept}, height=(figure.layout.height or 450) - top + kept)
    html = plotly.io.to_html(
        figure, full_html=False, include_plotlyjs=False, config={"responsive": True, "displaylogo": False}
    )
    return Plot(Markup(html), title)


def html_table(table: pd.DataFrame) -> Markup:
    """A table as HTML; pandas escapes what stands in it. Numbers with their units never break, words may."""
    return Markup(table.map(_unbroken).to_html(index=False, border=0, justify="left"))


def _unbroken(cell: object) -> object:
    short = isinstance(cell, str) and len(cell) <= LONGEST_NUMBER and BEGINS_WITH_NUMBER.match(cell)
    return str(cell).replace(" ", "\u00a0") if short else cell


@dataclass
class Numbers:
    """The numbers of a page's figures and tables, and the CSV files that travel in it."""

    files: Mapping[str, str] = field(default_factory=dict)
    """The text of each CSV file by its name, without the ending."""
    run: str = ""
    """What the names of saved files begin with."""
    _known: dict[tuple[Kind, str], int] = field(default_factory=dict)
    _placed: dict[tuple[Kind, str], int] = field(default_factory=dict)

    def again(self) -> Numbers:
        """For the second time that the page is rendered: every number is known."""
        return Numbers(self.files, self.run, dict(self._placed))

    def place(self, kind: Kind, key: str) -> Markup:
        """The number of what stands here, which is the next of its kind."""
        if (kind, key) in self._placed:
            raise ValueError(f"There are two of {kind.lower()} {key}; each needs a key of its own.")
        number = 1 + sum(other == kind for other, _ in self._placed)
        self._placed[kind, key] = number
        return Markup("<b>{} {}.</b>").format(kind, number)

    def refer(self, kind: Kind, *keys: str) -> Markup:
        """`Figure 3`, or `Figures 3 and 4`, each a link; those that are not on the page are left out."""
        if not self._known:
            return Markup(kind)  # the first time nobody reads it
        known = [(self._known[kind, key], key) for key in keys if (kind, key) in self._known]
        links = [Markup('<a href="#{}-{}">{}</a>').format(kind.lower(), key, number) for number, key in sorted(known)]
        if not links:
            raise ValueError(f"The text refers to {kind.lower()} {', '.join(keys)}, which is not on the page.")
        if len(links) == 1:
            return Markup("{} {}").format(kind, links[0])
        return Markup("{}s {} and {}").format(kind, Markup(", ").join(links[:-1]), links[-1])

    def has(self, kind: Kind, key: str) -> bool:
        """Whether it is on the page; true while that is not known yet."""
        return not self._known or (kind, key) in self._known

    def csv(self, name: str) -> Markup:
        """A link to where the file can be saved."""
        return Markup('<a href="#csv-{0}">{0}.csv</a>').format(name) if name in self.files else Markup("")

    def saved(self, name: str, ending: str = "csv", text: str | None = None) -> Markup:
        """The link that saves a file; the file itself stands in it, so that it goes where the page goes."""
        content = self.files[name] if text is None else text
        data = base64.b64encode(content.encode()).decode()
        kind = "text/csv" if ending == "csv" else "text/plain"
        return Markup('<a id="{}-{}" download="{}-{}.{}" href="data:{};charset=utf-8;base64,{}">{}.{}</a>').format(
            ending, name, escape(self.run), name, ending, kind, data, name, ending
        )
