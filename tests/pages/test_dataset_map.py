"""The map on the Datasets page: drawn by a run, chosen from, tagged, and the wall sorted by likeness."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from engine.configs import Config, FeatureMapConfig
from engine.datasets.dataset import Dataset
from engine.datasets.tags import tag, tags_of
from engine.quality.results import FeatureMapResult
from engine.quality.stored_map import DIRECTIONS_FILE, MAP_FILE, rows_to_draw
from engine.report.figures import figure_dataset_map
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from pages.components import runs as parts
from pages.components.pressable import LOOK
from pages.datasets import map as map_page
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts


def mapped(home: Home, state: State = State.FINISHED) -> tuple[Dataset, Run]:
    """A data set with a map on which each image is most like its neighbours in the manifest."""
    fabricated.make_dataset(home)
    dataset = Dataset.open(home, "phantom")
    run = create_run(home, FeatureMapConfig(dataset="phantom", extractor="pixels").plain(), "map")
    rows = rows_to_draw(dataset)
    line = np.arange(len(rows), dtype=np.float32)
    np.save(run.path / DIRECTIONS_FILE, line[:, None])
    rows[["path", "class", "sha256"]].assign(x=line, y=line % 7).to_parquet(run.path / MAP_FILE)
    found = FeatureMapResult(images=len(rows), of=len(rows), extractor="dinov2")
    return dataset, fabricated.set_state(run, state, result=found.plain())


def test_without_a_map_one_is_drawn_at_a_press(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.make_dataset(home)
    submitted: list[Config] = []

    def submit(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        submitted.append(config)
        return create_run(home, config.plain(), "map")

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("datasets", view="map")
    assert "python -m engine dataset map phantom" in app.code[0].value
    press(app, "Draw the map")
    assert submitted == [FeatureMapConfig(dataset="phantom")]


def test_a_map_says_of_what_it_is_and_where_it_no_longer_fits(open_page: OpenPage, home: Home) -> None:
    dataset, run = mapped(home)
    app = open_page("datasets", run=run.id)
    assert (app.query_params["view"], app.query_params["dataset"]) == ("map", "phantom")
    assert f"{len(rows_to_draw(dataset))} images by the features of dinov2." in texts(app)
    assert "draw around some points" in texts(app)
    assert "draw it again" not in texts(app)
    assert app.get("plotly_chart")


def shown(app: AppTest, wall: str) -> list[Button]:
    """The buttons below the pictures of a wall, whose keys begin so."""
    return [button for button in app.button if (button.key or "").startswith(f"{LOOK}{wall}")]


@pytest.mark.parametrize("frozen", [True, False])
def test_chosen_images_are_tagged_and_of_an_open_set_left_out(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch, frozen: bool
) -> None:
    dataset, _ = mapped(home)
    if not frozen:
        info = dataset.info.model_copy(update={"frozen": None})
        info.write_to(dataset.path / "dataset.json")
    rows, other = rows_to_draw(dataset).iloc[:3], rows_to_draw(dataset)["sha256"].iloc[5]
    tag(dataset, [other], "artefact")  # AppTest cannot type a new word
    points = [{"customdata": [path]} for path in rows["path"]]
    lasso = SimpleNamespace(selection=SimpleNamespace(points=points))
    monkeypatch.setattr(map_page, "chart", lambda *_, **__: lasso)  # AppTest cannot draw around points
    app = open_page("datasets", view="map")
    assert "3 chosen" in texts(app)
    assert len(app.image) == 3
    next(box for box in app.selectbox if box.label == "Tag").set_value("artefact").run()
    press(app, "Tag")
    assert tags_of(dataset) == dict.fromkeys([*rows["sha256"], other], ("artefact",))
    assert [each.label for each in shown(app, "map-images")] == ["artefact"] * 3
    assert ("Leave 3 out" in [button.label for button in app.button]) is not frozen
    if not frozen:
        press(app, "Leave 3 out")
        assert not set(rows["path"]) & set(Dataset.open(home, "phantom").rows()["path"])
        app = open_page("datasets", view="images", finding="Left out")
        press(app, "Take the 3 that were left out by hand back in")
        assert set(rows["path"]) <= set(Dataset.open(home, "phantom").rows()["path"])


def test_points_are_coloured_by_class_split_or_tag(home: Home) -> None:
    dataset, _ = mapped(home)
    rows = rows_to_draw(dataset).assign(x=0.0, y=0.0, name="a.png", tags="")
    rows.loc[rows.index[0], "tags"] = "artefact"
    figure = figure_dataset_map(rows, "tags")
    assert {trace.name: len(trace.x) for trace in figure.data} == {"none": len(rows) - 1, "artefact": 1}
    assert figure.data[1].customdata[0][0] == rows["path"].iloc[0]
    assert figure.layout.dragmode == "lasso"
    assert [trace.name for trace in figure_dataset_map(rows, "class").data] == list(dataset.classes)


def test_the_wall_is_sorted_by_likeness_and_back(open_page: OpenPage, home: Home) -> None:
    dataset, _ = mapped(home)
    rows = rows_to_draw(dataset)
    middle = rows.iloc[20]
    app = open_page("datasets", view="images", like=middle["path"])
    names = [
        button.key.removeprefix(f"{LOOK}wall-")
        for button in app.button
        if (button.key or "").startswith(f"{LOOK}wall-")
    ]
    assert names[0] == middle["path"]
    assert set(names[1:3]) == {rows["path"].iloc[19], rows["path"].iloc[21]}
    press(app, "Usual order")
    names = [
        button.key.removeprefix(f"{LOOK}wall-")
        for button in app.button
        if (button.key or "").startswith(f"{LOOK}wall-")
    ]
    assert names[0] == rows["path"].iloc[0]


def test_the_wall_shows_the_images_of_a_tag(open_page: OpenPage, home: Home) -> None:
    dataset, _ = mapped(home)
    tag(dataset, [dataset.manifest["sha256"].iloc[5]], "artefact")
    app = open_page("datasets", view="images", tag="artefact")
    assert [each.label for each in shown(app, "wall-")] == ["artefact"]
    assert tags_of(dataset)
