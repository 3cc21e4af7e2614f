"""Figures as every page shows them."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from engine.report.style import styled
from pages.components.charts import description, drawn


def page() -> None:
    import pandas as pd
    import plotly.graph_objects as go
    import streamlit as st

    from pages.components.charts import chart

    figure = go.Figure(go.Scatter(y=[1, 10, 100], name="loss"))
    figure.update_yaxes(type=st.query_params.get("axis", "linear"))
    chart(figure, "curve", "curve", lambda: pd.DataFrame({"loss": [1, 10, 100]}), live=True)


def figure_of(app: AppTest) -> tuple[dict, dict]:
    proto = app.get("plotly_chart")[0].proto
    return json.loads(proto.spec)["layout"], json.loads(proto.config)


@pytest.mark.parametrize(("axis", "ends"), [("linear", [10, 100]), ("log", [1, 2])])
def test_a_growing_figure_keeps_what_was_marked_until_all_is_wanted(axis: str, ends: list[float]) -> None:
    app = AppTest.from_function(page)
    app.query_params["axis"] = axis
    app.session_state["curve-zoom"] = {"xaxis": [0.5, 1.5], "yaxis": [10, 100]}
    layout, config = figure_of(app.run())
    assert (layout["xaxis"]["range"], layout["yaxis"]["range"]) == ([0.5, 1.5], pytest.approx(ends))
    assert layout["dragmode"] == "select"
    assert "zoom2d" in config["modeBarButtonsToRemove"]
    app.button(key="curve-all").click().run()
    layout, _ = figure_of(app)
    assert "range" not in layout.get("xaxis", {})
    assert not app.button


def test_the_camera_saves_what_was_chosen_for_every_figure() -> None:
    app = AppTest.from_function(page).run()
    assert figure_of(app)[1]["toImageButtonOptions"]["format"] == "png"
    app.get("button_group")[0].set_value("SVG").run()
    assert figure_of(app)[1]["toImageButtonOptions"] == {"format": "svg", "scale": 2, "filename": "curve"}
    assert app.session_state["picture-format"] == "SVG"


def test_who_cannot_see_a_figure_is_told_what_it_shows() -> None:
    figure = go.Figure([go.Scatter(y=[1], name="G"), go.Scatter(y=[1], name="dots", showlegend=False)])
    styled(figure, title="Losses", x="kimg<br><span>small print</span>", y="Loss", keep_zoom="")
    assert description(figure) == "Losses. Loss by kimg. G"


def test_a_figure_is_drawn_again_only_for_another_file_or_choice() -> None:
    made: list[go.Figure] = []

    def draw() -> go.Figure:
        made.append(go.Figure())
        return made[-1]

    first = drawn("curve of this test", ("scores.json", 1.0, 10, "accuracy"), draw)
    assert drawn("curve of this test", ("scores.json", 1.0, 10, "accuracy"), draw) is first
    others = [("scores.json", 2.0, 10, "accuracy"), ("scores.json", 1.0, 10, "auroc")]
    assert all(drawn("curve of this test", shown, draw) is not first for shown in others)
    assert len(made) == 3
