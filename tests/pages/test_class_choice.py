"""A few classes stand side by side, many in a list to search in; either holds the choice."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.class_choice import ROW


def script(count: int) -> None:
    import streamlit as st

    from pages.components.class_choice import choose_class

    st.text(choose_class("Class", [f"c{number}" for number in range(count)], "of"))


@pytest.mark.parametrize(
    ("count", "kind"), [(2, "segmented_control"), (ROW, "segmented_control"), (ROW + 1, "selectbox")]
)
def test_the_first_class_then_the_chosen_one(count: int, kind: str) -> None:
    app = AppTest.from_function(script, kwargs={"count": count}).run()
    assert app.text[0].value == "c0"
    (widget,) = app.get(kind) if kind == "selectbox" else [app.segmented_control(key="of")]
    widget.set_value("c1").run()
    assert app.text[0].value == "c1" and not app.exception
    assert len(app.selectbox) == (kind == "selectbox")
