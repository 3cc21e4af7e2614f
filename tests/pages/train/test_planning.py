"""A new training: from an empty home to the start, and what it would cost."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from engine.configs import DryRunConfig, StyleganConfig
from engine.gans.results import DryRunResult
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated import CLASSES, make_dataset, make_training, set_state
from tests.pages.conftest import OpenPage, press
from tests.pages.train.conftest import Submissions, choose, clean, press_start, text

COST = DryRunResult(
    fits=True, remedy="", device="CPU, 2 threads", precision="float32", gpus=1, images=48, g_parameters=1,
    d_parameters=1, memory_gib=1.5, memory_free_gib=8.0, images_per_second=96.2, seconds_per_kimg=10.4, kimg=25000.0,
    seconds=86400.0 * 3, disk_gib=0.5, disk_free_gib=100.0, room=True, sentence="It fits.",
)  # fmt: skip


def test_empty_home_says_what_to_do(home: Home, open_page: OpenPage) -> None:
    app = open_page("train")
    assert "no frozen data set" in text(app)
    assert not app.button


def test_a_data_set_that_is_not_frozen_is_not_offered(home: Home, open_page: OpenPage) -> None:
    make_dataset(home, frozen=False)
    assert "no frozen data set" in text(open_page("train"))


def test_start_submits_one_run_for_each_class_and_shows_the_first(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train")
    assert next(box for box in app.selectbox if box.label == "Preset").value == "demo"
    of_each, length = app.number_input[:2]
    assert (of_each.label, of_each.value) == ("Of each", 1)
    length.set_value(5.0)
    press_start(app)
    assert [config.class_name for config in submissions.configs] == list(CLASSES)
    assert {(config.kimg, config.g_channels) for config in submissions.configs} == {(5.0, 32)}
    assert Run(home, app.query_params["run"]).config()["class_name"] == CLASSES[0]
    assert app.get("button_group")[0].value == "watch"


def test_several_generators_of_each_class_have_seeds_of_their_own(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train")
    clean(app.number_input[0].set_value(3).run())
    press_start(app)
    made = [(config.class_name, config.seed) for config in submissions.configs]
    assert made == [(name, seed) for seed in range(3) for name in CLASSES]


def test_start_one_conditional_run(home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> None:
    make_dataset(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train")
    box = next(box for box in app.selectbox if box.label == "Generators")
    clean(box.set_value("One for all classes (conditional)").run())
    press_start(app)
    assert [(config.conditional, config.class_name) for config in submissions.configs] == [(True, "")]


def test_somebody_new_without_a_gpu_is_led_to_a_training_of_minutes(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home, name="mine")
    submissions = Submissions(monkeypatch)
    for gpu, begins_with in ((True, "own"), (False, "quick")):
        monkeypatch.setattr("pages.train.planning.has_gpu", lambda gpu=gpu: gpu)
        app = open_page("train")
        assert next(box for box in app.selectbox if box.label == "Preset").value == begins_with
    assert "Networks this small take minutes." in text(app)
    press_start(app)
    assert {(config.dataset, config.kimg, config.g_channels) for config in submissions.configs} == {("mine", 16.0, 32)}


def test_how_long_it_takes_is_told_by_a_run_like_it(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    run = make_training(home, "bleed")  # 20 s a kimg
    app = open_page("train", view="new", again=run.id)
    assert "**About 4 min 0 s**, at the pace of Train phantom · bleed." in text(app)
    app = choose(app, "Generators", "One for each class")
    assert "**About 8 min 0 s**, 4 min 0 s for each of 2 classes" in text(app)


def test_a_refused_start_is_one_sentence(home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> None:
    make_dataset(home)
    Submissions(monkeypatch, ErsatzError("The disk is full. Free some space."))
    app = press_start(open_page("train"))
    assert "The disk is full. Free some space." in [error.value for error in app.error]


def test_a_second_press_finds_the_first_run(running: Run, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> None:
    Submissions(monkeypatch, AlreadyActive(running.id))
    app = open_page("train", run=running.id)
    clean(app.get("button_group")[0].set_value("new").run())
    press_start(app)
    assert app.query_params["run"] == running.id
    assert app.get("button_group")[0].value == "watch"
    assert any("already in progress" in toast.value for toast in app.toast)


def test_a_dry_run_is_submitted_shown_and_can_be_started(
    stylegan_form: AppTest, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = Submissions(monkeypatch)
    app = press(stylegan_form, "Dry run")
    config = submissions.configs[0]
    assert isinstance(config, DryRunConfig)
    assert (config.training["gan"], config.training["class_name"]) == ("stylegan2-ada", CLASSES[0])
    run = Run(home, app.query_params["run"])
    complete = StyleganConfig.build(config.training).completed(32)
    (run.path / "config.json").write_text(json.dumps({**config.plain(), "training": complete.plain()}))
    set_state(run, State.FINISHED, result=COST.plain())
    app = clean(app.run())
    assert {metric.label: metric.value for metric in app.metric} == {
        "For 25,000 kimg": "3 d 0 h",
        "One kimg (1,000 images)": "10 s",
        "Memory": "1.5 of 8.0 GiB",
        "Disk": "512 MiB of 100.0 GiB",
    }
    assert "It fits." in text(app)
    press(app, f"Start this training ({CLASSES[0]} alone)")
    assert submissions.configs[-1] == complete


def test_a_dry_run_that_does_not_fit_says_what_to_set(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    training = StyleganConfig(dataset="phantom").completed(32).plain()
    run = create_run(home, DryRunConfig(training=training).plain(), "dry run")
    sentence = "It does not fit: the memory is too small. Set batch_gpu 4, with which it fits."
    cost = COST.model_copy(update={"fits": False, "sentence": sentence, "memory_gib": 0.0})
    set_state(run, State.FINISHED, result=cost.plain())
    app = open_page("train", run=run.id)
    assert sentence in [warning.value for warning in app.warning]
