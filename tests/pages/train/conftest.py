"""What the tests of the Train page share: what it says and shows, its form, and runs to be started."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from engine.configs import Config
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated import make_dataset, make_training
from tests.pages.conftest import OpenPage

BUDGET, BATCH = "Training length in kimg (thousand images)", "Batch size"
CHANNELS, FORM_OF_D = "Most channels of a layer", "Discriminator architecture"
"""Labels of fields."""


def clean(app: AppTest) -> AppTest:
    """`app`, once it is sure that no stack trace is on the page."""
    assert not app.exception, app.exception
    return app


def text(app: AppTest) -> str:
    """Everything that is said in words."""
    kinds = (app.title, app.markdown, app.caption, app.info, app.warning, app.error, app.code, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def plots(app: AppTest) -> dict[str, dict]:
    """The figures on the page by title."""
    found = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    return {figure["layout"]["title"]["text"]: figure for figure in found}


def ends(app: AppTest, title: str, count: int = 1) -> list[float]:
    """Where the last points of the first curve of a figure lie on its x axis."""
    x = plots(app)[title]["data"][0]["x"]
    return np.frombuffer(base64.b64decode(x["bdata"]), x["dtype"])[-count:].tolist()


def choose(app: AppTest, label: str, value: str) -> AppTest:
    return clean(next(box for box in app.selectbox if box.label == label).set_value(value).run())


def entered(app: AppTest, label: str) -> Any:
    """The widget of the form with that label."""
    return next(
        widget for kind in (app.number_input, app.selectbox, app.toggle) for widget in kind if widget.label == label
    )


def links(app: AppTest) -> dict[str, str]:
    """The links of the page itself, and what they ask for."""
    return {link.proto.label: link.proto.query_string for link in app.get("page_link")}


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def press_start(app: AppTest) -> AppTest:
    return clean(next(button for button in app.button if button.label == "Start training").click().run())


def write_snapshot(run: Run, **changes: Any) -> None:
    """The header of a snapshot, which is all that a page reads of it."""
    generator = {"z_dim": 64, "w_dim": 32, "mapping_layers": 3, "channel_base": 512, "channel_max": 16, **changes}
    facts = {"g_architecture": generator, "d_architecture": {**generator, "d_architecture": "orig"}}
    path = run.path / "snapshots" / "network-000012000.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file({"x": np.zeros(1, np.float32)}, path, {"ersatz": json.dumps(facts)})


class Submissions:
    """Stands in for `submit`: remembers the configs, and may refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: ErsatzError | None = None):
        self.configs: list[Any] = []
        self.refusal = refusal
        monkeypatch.setattr("pages.components.runs.submit", self)

    def __call__(self, home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        if self.refusal is not None:
            raise self.refusal
        self.configs.append(config)
        return create_run(home, config.plain(), "a run")


@pytest.fixture
def running(home: Home, hold: Callable[[Run], Run]) -> Run:
    """A training under way."""
    make_dataset(home)
    return hold(make_training(home, "bleed", State.RUNNING, kimg=40, done=6))


@pytest.fixture
def stylegan_form(home: Home, open_page: OpenPage) -> AppTest:
    """A new StyleGAN2-ADA without a preset, for images of 32 px."""
    make_dataset(home)
    app = choose(open_page("train"), "Preset", "own")
    return choose(app, "GAN", "stylegan2-ada")
