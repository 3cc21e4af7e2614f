"""Pictures open in the viewer: where it begins, where it leads, and what it never shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from streamlit.testing.v1 import AppTest

from engine.datasets import seal
from engine.datasets.dataset import Dataset
from engine.store.home import Home
from engine.store.runs import Run, State
from pages.components import picture_viewer
from pages.components.picture_viewer import MOST, _url
from pages.components.pool_standing import SAMPLES
from tests import fabricated
from tests.pages.conftest import OpenPage, press


def shown(app: AppTest) -> dict[str, Any]:
    """What the viewer that is open was given."""
    given = [json.loads(node.proto.mixed.json or node.proto.json or "{}") for node in app.get("bidi_component")]
    (data,) = [data for data in given if data and "panes" in data]
    return data


@pytest.fixture
def pool(home: Home) -> Run:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in ("bleed", "normal")]
    return fabricated.make_pool_run(home, trainings, images=30)


def test_it_begins_at_the_picture_that_was_pressed(pool: Run, open_page: OpenPage) -> None:
    app = open_page("generate", run=pool.id)
    app.session_state["viewer-place-pool-viewer"] = 7  # where somebody turned to the last time
    press(app, "Seed 3")
    data = shown(app)
    assert (data["at"], data["count"], data["label"]) == (3, 30, "Picture of the pool, 4 of 30")
    assert data["panes"][0]["name"] == "bleed, seed 3"


def test_thumbnails_and_classes_side_by_side_are_in_the_link(pool: Run, open_page: OpenPage) -> None:
    app = open_page("generate", run=pool.id, size="L", **{"side-by-side": "true"})
    shown = app.image[SAMPLES:]
    assert len(shown) == 2 * 15, "a page of both"
    assert [text.value for text in app.markdown if "(30)" in text.value] == ["**bleed** (30)", "**normal** (30)"]
    first, last = shown[0].proto.imgs[0].alt, shown[-1].proto.imgs[0].alt
    assert (first, last) == ("Picture of the pool, bleed, seed 0", "Picture of the pool, normal, seed 14")
    assert not [group for group in app.segmented_control if group.label == "Class"]
    app = open_page("datasets", view="images", size="S", **{"side-by-side": "true"})
    assert {"bleed", "normal"} <= {text.value.split("**")[1] for text in app.markdown if text.value.startswith("**")}
    app.selectbox(key="class").set_value("bleed").run()
    assert not [toggle for toggle in app.toggle if toggle.label == "Classes side by side"], "there is one class"


def test_a_synthetic_image_and_its_neighbour_are_linked(home: Home, pool: Run, open_page: OpenPage) -> None:
    check = fabricated.make_quality(home, pool)
    app = open_page("quality", run=check.id, part="Nearest neighbours")
    press(app, "Look closer")
    data = shown(app)
    assert [pane["name"] for pane in data["panes"]] == ["Synthetic", "Nearest real"]
    assert data["count"] == 5, "the flagged ones"


@pytest.mark.parametrize("state", [State.FINISHED, State.RUNNING])
def test_samples_open_beside_the_real_ones(
    home: Home, open_page: OpenPage, hold: Callable[[Run], Run], state: State
) -> None:
    """The dialog stands outside of the part that is drawn every two seconds, which would close it."""
    fabricated.make_dataset(home)
    run = fabricated.make_training(home, "bleed", state)
    if state is State.RUNNING:
        hold(run)
    app = open_page("train", run=run.id)
    app.button(key="look-reals").click().run()
    data = shown(app)
    assert data["panes"][0]["name"] == "Real training images"
    assert data["panes"][1]["name"].startswith("Generated after ")
    assert data["at"] == data["count"] - 1 == len(list((run.path / "samples").glob("fakes-*.png"))) - 1


def test_a_sealed_image_is_in_no_viewer(home: Home, open_page: OpenPage) -> None:
    """A finding shows it as sealed beside its copies, and turning from one of these does not lead to it."""
    fabricated.make_dataset(home)
    dataset = Dataset.open(home, "phantom")
    seal.lay(dataset)
    hidden = dataset.rows("test")["path"].iloc[0]
    open_one, other = dataset.rows("train")["path"].iloc[:2]
    call = f"enlarge(dataset, '{open_one}', ['{open_one}', '{hidden}', '{other}'])"
    script = "from engine.datasets.dataset import list_datasets\nfrom pages.components.home import home\n"
    script += f"from pages.datasets.pictures import enlarge\ndataset = list_datasets(home())[0]\n{call}"
    app = AppTest.from_string(script, default_timeout=30).run()
    assert not app.exception, app.exception
    assert (shown(app)["at"], shown(app)["count"]) == (0, 2)
    app.session_state["viewer-place-image-viewer"] = 1
    app.run()
    assert any(other in text.value for text in app.markdown), "the facts are those of the picture that is shown"
    sealed = AppTest.from_string(script.replace(call, f"enlarge(dataset, '{hidden}')"), default_timeout=30).run()
    assert not sealed.exception, sealed.exception
    assert not sealed.get("bidi_component")
    assert not sealed.image


def test_a_picture_says_nothing_but_its_pixels(tmp_path: Path) -> None:
    """Neither its name nor what else is in its file, such as the program that wrote it, comes to the browser."""
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", "a generator")
    Image.fromarray(pixels).save(tmp_path / "synthetic.png", pnginfo=told, optimize=True)
    Image.fromarray(pixels).save(tmp_path / "real.png")
    assert _url(tmp_path / "synthetic.png") == _url(tmp_path / "real.png")
    assert _url(tmp_path / "gone.png") == ""
    Image.fromarray(np.zeros((4, 2 * MOST), np.uint8)).save(tmp_path / "wide.png")
    assert len(_url(tmp_path / "wide.png")) < 1000


def test_what_a_browser_asks_for_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turning sends a number of a picture that is there, or is passed over."""
    given: dict[str, Any] = {}
    told: list[int] = []
    state: dict[str, Any] = {}
    monkeypatch.setattr(picture_viewer, "_component", lambda: lambda **options: given.update(options))
    monkeypatch.setattr(picture_viewer.st, "session_state", state)
    picture_viewer.viewer([], key="asked", at=0, count=3, turn=told.append)
    for wanted in (2, 3, -1, "1", None, 1.5, [0]):
        state["asked"] = {"turn": wanted}
        given["on_turn_change"]()
    assert told == [2]


@pytest.mark.parametrize(
    ("view", "names", "count"),
    [("Explore", ["Seed 5"], 16), ("Morph", ["50 % of the way"], 1), ("Neighbours", ["Seed 5", "to 6"], 16)],
)
def test_what_a_generator_paints_opens_too(
    home: Home, open_page: OpenPage, view: str, names: list[str], count: int
) -> None:
    fabricated.make_dataset(home)
    run = fabricated.make_training(home, "bleed")
    app = open_page("generate", run=run.id, view=view, seed="5")
    press(app, "Look closer")
    data = shown(app)
    assert ([pane["name"] for pane in data["panes"]], data["count"]) == (names, count)
    assert all(pane["url"].startswith("data:image/png;base64,") for pane in data["panes"])
