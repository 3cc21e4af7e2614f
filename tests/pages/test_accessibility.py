"""What the source of every page must do for people who use a screen reader or a keyboard."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from engine.store.home import REPOSITORY

SOURCES = sorted((REPOSITORY / "pages").rglob("*.py"))
LABELLED = {
    *("button", "checkbox", "date_input", "download_button", "file_uploader", "link_button", "multiselect"),
    *("number_input", "pills", "popover", "radio", "segmented_control", "select_slider", "selectbox", "slider"),
    *("text_area", "text_input", "toggle"),
}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call of a method in the pages: where it stands, as it is written up to the bracket, and the call."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield f"{path.relative_to(REPOSITORY)}:{node.lineno}", ast.unparse(node.func), node


def named(call: ast.Call) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords}


def test_every_picture_has_words_for_who_cannot_see_it() -> None:
    pictures = [(place, call) for place, function, call in calls() if function == "st.image"]
    assert pictures
    assert [place for place, call in pictures if "alt" not in named(call)] == []


def test_every_widget_has_a_name() -> None:
    """An empty label leaves a screen reader with nothing to say; `label_visibility` hides one from the eye alone."""
    widgets = [(place, call) for place, function, call in calls() if function.split(".")[-1] in LABELLED]
    assert widgets
    empty = []
    for place, call in widgets:
        label = call.args[0] if call.args else named(call).get("label")
        if label is None or (isinstance(label, ast.Constant) and not str(label.value).strip()):
            empty.append(place)
    assert empty == []


@pytest.mark.parametrize("word", ["unsafe_allow_html", "components.html", "components.v1"])
def test_no_page_has_html_of_its_own(word: str) -> None:
    """What Streamlit draws can be reached by keyboard and read aloud; what a page wrote itself might not."""
    assert [path.name for path in SOURCES if word in path.read_text()] == []


def test_every_figure_is_shown_with_words_and_downloads() -> None:
    direct = [place for place, function, _ in calls() if function.endswith(".plotly_chart")]
    assert [place for place in direct if not place.startswith("pages/components/charts.py")] == []
