"""Figures and tables of a report are numbered as they stand, and referred to by the right number."""

from __future__ import annotations

import base64
import re

import jinja2
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.report.numbered import Numbers, html_table, inline
from engine.report.style import styled
from engine.store.csv_cells import table_text

PAGE = """
{{ n.refer("Figure", "last") }} and {{ n.refer("Figure", "last", "first", "gone") }}, {{ n.refer("Table", "only") }}:
<i id="figure-first">{{ n.place("Figure", "first") }}</i><i id="table-only">{{ n.place("Table", "only") }}</i>
<i id="figure-last">{{ n.place("Figure", "last") }}</i>
"""


def text_of(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def rendered(page: str) -> str:
    template, numbers = jinja2.Environment(autoescape=True).from_string(page), Numbers()
    template.render(n=numbers)
    return template.render(n=numbers.again())


def test_a_text_may_refer_to_what_stands_below_it() -> None:
    page = rendered(PAGE)
    told = " ".join(text_of(page).split())
    assert told == "Figure 2 and Figures 1 and 2, Table 1: Figure 1.Table 1. Figure 2."
    assert {link for link in re.findall(r'href="#([^"]+)"', page)} == set(re.findall(r'id="([^"]+)"', page))


def test_a_reference_to_nothing_and_two_of_one_key_are_mistakes() -> None:
    with pytest.raises(ValueError, match="refers to figure gone"):
        rendered('{{ n.place("Figure", "first") }}{{ n.refer("Figure", "gone") }}')
    with pytest.raises(ValueError, match="two of figure first"):
        rendered('{{ n.place("Figure", "first") }}{{ n.place("Figure", "first") }}')


def test_the_title_of_a_figure_goes_into_its_caption() -> None:
    figure = styled(go.Figure(), title="Accuracy<br>small print", x="Share", y="", keep_zoom="a", height=300)
    top, plot = figure.layout.margin.t, inline(figure)
    assert plot.title == "Accuracy"
    assert "small print" not in plot.html
    assert 300 - figure.layout.height == top - figure.layout.margin.t > 0, "the axes keep their height"


def test_a_saved_table_is_the_formula_safe_csv() -> None:
    text = table_text(pd.DataFrame({"class": ["=HYPERLINK(1)", "Blutung ä"], "n": [-1, 2]}))
    link = Numbers({"cells": text}, 'run"1').saved("cells")
    (data,) = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]+)"', link)
    assert base64.b64decode(data).decode() == text
    assert "\n'=HYPERLINK(1),-1" in text
    assert 'run"' not in link


def test_numbers_never_break_and_words_may() -> None:
    html = html_table(pd.DataFrame({"a": ["-2.7 to +13.1 points"], "b": ["Real + duplicates"], "c": ["< 0.001"]}))
    assert "-2.7\u00a0to\u00a0+13.1\u00a0points" in html and "&lt;\u00a00.001" in html
    assert "Real + duplicates" in html
