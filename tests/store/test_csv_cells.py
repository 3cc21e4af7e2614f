"""Tables that people open in a spreadsheet: nothing from outside is a formula there, and nothing changes on the way."""

from __future__ import annotations

import ast
import csv
import io
import random

import pandas as pd
import pytest

from engine.store.csv_cells import as_it_was, as_text, read_table, table_text
from engine.store.home import REPOSITORY

LIVE = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "''@x", "=", "-"]
DEAD = ["", "bleed", "1-2", "a=b", "'quoted'", "-0.5", "+3", "-1e-5", "-.5", " =1"]
WRITER = REPOSITORY / "engine" / "store" / "csv_cells.py"


@pytest.mark.parametrize("text", LIVE)
def test_no_cell_and_no_header_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(table_text(pd.DataFrame({text: [text], "n": [-1.5]})), newline="")))
    assert rows == [[f"'{text}", "n"], [f"'{text}", "-1.5"]]


@pytest.mark.parametrize("text", DEAD)
def test_other_words_and_numbers_stay_as_they_are(text: str) -> None:
    assert as_text(text) == text


def test_numbers_are_not_touched() -> None:
    table = pd.DataFrame({"a": [-1, 2], "b": [-0.5, None], "c": pd.Categorical(["=x", "y"]), "d": [True, False]})
    assert table_text(table) == "a,b,c,d\n-1,-0.5,'=x,True\n2,,y,False\n"
    assert list(table["c"]) == ["=x", "y"], "the table itself is as it was"


def test_the_way_back_is_exact() -> None:
    rng = random.Random(1)
    letters = ["'", "=", "+", "-", "@", "\t", "\n", "\r", "a", "1", ".", "e", "\uff0b", '"', ",", ";", " "]
    texts = [*LIVE, *DEAD, *("".join(rng.choices(letters, k=rng.randint(1, 5))) for _ in range(2000))]
    assert [as_it_was(as_text(text)) for text in texts] == texts
    table = pd.DataFrame({"=who": texts, "-n": range(len(texts))})
    again = read_table(io.StringIO(table_text(table)), dtype={"=who": str}, keep_default_na=False)
    assert list(again.columns) == ["=who", "-n"]
    pd.testing.assert_frame_equal(again, table)


def test_every_table_goes_through_the_one_writer() -> None:
    """Also what the program reads again, or an apostrophe would stay in it."""
    written_past, read_past = [], []
    for path in [*REPOSITORY.glob("engine/**/*.py"), *REPOSITORY.glob("pages/**/*.py")]:
        if path == WRITER:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else ""
            if name == "to_csv" or (name in ("writer", "DictWriter") and ast.unparse(node).startswith("csv.")):
                written_past.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
            if name == "read_csv":
                read_past.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
    assert not written_past, "tables for people are written by engine.store.csv_cells"
    assert not read_past, "the program's own tables are read by engine.store.csv_cells.read_table"
