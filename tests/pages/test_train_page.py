"""The Train page in the states that a person can meet it in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from engine.configs import DcganConfig
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated import CLASSES, make_dataset, make_training
from tests.pages.conftest import OpenPage


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


@pytest.fixture
def running(home: Home, hold: Callable[[Run], Run]) -> Run:
    """A training under way."""
    make_dataset(home)
    return hold(make_training(home, "bleed", State.RUNNING, kimg=40, done=6))


def test_empty_home_says_what_to_do(home: Home, open_page: OpenPage) -> None:
    app = open_page("train")
    assert "no frozen data set" in text(app)
    assert not app.button


def test_a_data_set_that_is_not_frozen_is_not_offered(home: Home, open_page: OpenPage) -> None:
    make_dataset(home, frozen=False)
    assert "no frozen data set" in text(open_page("train"))


def test_running_shows_curves_samples_speed_and_stop(running: Run, open_page: OpenPage) -> None:
    app = open_page("train", run=running.id)
    assert set(plots(app)) == {"Losses", "D outputs", "Gradient norms", "Throughput"}
    assert plots(app)["Losses"]["data"][0]["x"][-1] == 6.0
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Shown"] == "6 of 40 kimg"
    assert metrics["Time left"].startswith("about ")
    assert metrics["Speed"].endswith(" kimg/s")
    assert "Stop" in [button.label for button in app.button]
    assert len(app.get("image")) == 2
    assert "Phantom data" in text(app)


def test_new_rows_and_samples_appear_and_a_shortened_file_starts_again(running: Run, open_page: OpenPage) -> None:
    app = open_page("train", run=running.id)
    row = running.read_metrics()[0][-1]
    running.append_metrics({**row, "kimg": 6.5})
    assert plots(clean(app.run()))["Losses"]["data"][0]["x"][-2:] == [6.0, 6.5]
    running.keep_metrics(lambda row: row["kimg"] <= 2)
    assert plots(clean(app.run()))["Losses"]["data"][0]["x"][-1] == 2.0


def test_the_slider_follows_the_newest_samples_until_it_is_moved(running: Run, open_page: OpenPage) -> None:
    app = open_page("train", run=running.id)
    newest = running.path / "samples" / "fakes-000006000.png"
    assert app.select_slider[0].value == 6000
    newest.with_name("fakes-000008000.png").write_bytes(newest.read_bytes())
    assert clean(app.run()).select_slider[0].value == 8000
    clean(app.select_slider[0].set_value(2000).run())
    newest.with_name("fakes-000010000.png").write_bytes(newest.read_bytes())
    assert clean(app.run()).select_slider[0].value == 2000


def test_finished_leads_on_and_can_be_repeated_from_the_command_line(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    run = make_training(home, "bleed")
    app = open_page("train", run=run.id)
    assert "Stop" not in [button.label for button in app.button]
    assert "python -m engine train phantom --class-name bleed --kimg 12" in text(app)
    assert [link.proto.label for link in app.get("page_link")] == ["Generate with it"]
    assert app.query_params["run"] == run.id


def test_failed_shows_its_sentence_and_resume(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    sentence = "Training exploded before 3 kimg: g_loss became infinite; train again with lower g_lr and d_lr."
    alarm = {"name": "explosion", "sentence": sentence, "time": 0.0}
    run = make_training(home, "normal", State.FAILED, done=3, error=sentence, alarms=[alarm])
    app = open_page("train", run=run.id)
    assert [error.value for error in app.error] == [sentence]
    assert "Resume" in [button.label for button in app.button]
    assert "Losses" in plots(app)


def test_a_run_without_numbers_yet(home: Home, hold: Callable[[Run], Run], open_page: OpenPage) -> None:
    make_dataset(home)
    run = create_run(home, DcganConfig(dataset="phantom", class_name="bleed").plain(), "train")
    assert "first numbers come" in text(open_page("train", run=hold(run).id))


def test_a_run_that_is_gone_is_said(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    make_training(home, "bleed")
    assert "There is no run nobody-knows" in text(open_page("train", run="nobody-knows"))


class Submissions:
    """Stands in for `submit`: remembers the configs, and may refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: ErsatzError | None = None):
        self.configs: list[DcganConfig] = []
        self.refusal = refusal
        monkeypatch.setattr("pages.parts.runs.submit", self)

    def __call__(self, home: Home, config: DcganConfig) -> Run:
        if self.refusal is not None:
            raise self.refusal
        self.configs.append(config)
        return create_run(home, config.plain(), "train")


def press_start(app: AppTest) -> AppTest:
    return clean(next(button for button in app.button if button.label == "Start training").click().run())


def test_start_submits_one_run_for_each_class_and_shows_the_first(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train")
    assert next(box for box in app.selectbox if box.label == "Preset").value == "demo"
    app.number_input[0].set_value(5.0)
    press_start(app)
    assert [config.class_name for config in submissions.configs] == list(CLASSES)
    assert {(config.kimg, config.g_channels) for config in submissions.configs} == {(5.0, 32)}
    assert Run(home, app.query_params["run"]).config()["class_name"] == CLASSES[0]
    assert app.get("button_group")[0].value == "Watch"


def test_start_one_conditional_run(home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> None:
    make_dataset(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train")
    box = next(box for box in app.selectbox if box.label == "Generators")
    clean(box.set_value("One for all classes (conditional)").run())
    press_start(app)
    assert [(config.conditional, config.class_name) for config in submissions.configs] == [(True, "")]


def test_a_refused_start_is_one_sentence(home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> None:
    make_dataset(home)
    Submissions(monkeypatch, ErsatzError("The disk is full. Free some space."))
    app = press_start(open_page("train"))
    assert "The disk is full. Free some space." in [error.value for error in app.error]


def test_a_second_press_finds_the_first_run(running: Run, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> None:
    Submissions(monkeypatch, AlreadyActive(running.id))
    app = open_page("train", run=running.id)
    clean(app.get("button_group")[0].set_value("New training").run())
    press_start(app)
    assert app.query_params["run"] == running.id
    assert app.get("button_group")[0].value == "Watch"
    assert any("already in progress" in toast.value for toast in app.toast)
