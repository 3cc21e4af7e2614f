"""The Train page in the states that a person can meet it in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from engine.configs import GANS, Config, DcganConfig, DryRunConfig, NetworkConfig, StyleganConfig
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run, list_runs
from pages.training.alarms import NAMES, remedies
from pages.training.gans import CHOSEN_ABOVE, LAYOUTS
from pages.training.reading import read_rows
from tests.fabricated import CLASSES, make_dataset, make_ranking, make_stylegan, make_training, set_state
from tests.pages.conftest import OpenPage, press


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
    assert ends(app, "Losses") == [6.0]
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Shown"] == "6 of 40 kimg"
    assert metrics["Time left"].startswith("about ")
    assert metrics["Speed"].endswith(" kimg/s")
    assert "Stop" in [button.label for button in app.button]
    assert len(app.get("image")) == 2
    assert "Phantom data" in text(app)


def test_the_newest_rows_are_shown_of_a_file_that_was_written_anew(home: Home) -> None:
    make_dataset(home)
    run = make_training(home, "bleed", done=2)
    assert len(read_rows(run)) == 4
    rows = [{**row, "g_loss": 9.0} for row in run.read_metrics()[0]]
    run.keep_metrics(lambda row: False)
    for row in [*rows, *rows]:  # longer than what was read before, and the line ends where one ended
        run.append_metrics(row)
    assert [row["g_loss"] for row in read_rows(run)] == [9.0] * 8


def test_new_rows_and_samples_appear_and_a_shortened_file_starts_again(running: Run, open_page: OpenPage) -> None:
    app = open_page("train", run=running.id)
    row = running.read_metrics()[0][-1]
    running.append_metrics({**row, "kimg": 6.5})
    assert ends(clean(app.run()), "Losses", 2) == [6.0, 6.5]
    running.keep_metrics(lambda row: row["kimg"] <= 2)
    assert ends(clean(app.run()), "Losses") == [2.0]


def test_the_slider_follows_the_newest_samples_until_it_is_moved(running: Run, open_page: OpenPage) -> None:
    app = open_page("train", run=running.id)
    newest = running.path / "samples" / "fakes-000006000.png"
    assert app.select_slider[0].value == 6000
    newest.with_name("fakes-000008000.png").write_bytes(newest.read_bytes())
    assert clean(app.run()).select_slider[0].value == 8000
    clean(app.select_slider[0].set_value(2000).run())
    newest.with_name("fakes-000010000.png").write_bytes(newest.read_bytes())
    assert clean(app.run()).select_slider[0].value == 2000


def test_a_moment_is_linked_compared_with_another_and_played(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    run = make_training(home, "bleed", kimg=6)
    app = open_page("train", run=run.id, at="2000")
    assert app.select_slider[0].value == 2000
    clean(app.select_slider[0].set_value(4000).run())
    assert app.query_params["at"] == "4000"
    app = clean(
        next(group for group in app.get("button_group") if group.key == "beside").set_value("Another moment").run()
    )
    assert [slider.value for slider in app.select_slider] == [4000, 0]
    clean(app.select_slider[1].set_value(2000).run())
    newest = run.path / "samples" / "fakes-000006000.png"
    newest.with_name("fakes-000008000.png").write_bytes(newest.read_bytes())
    assert [slider.value for slider in clean(app.run()).select_slider] == [4000, 2000]
    app = press(app, "Play")
    assert app.select_slider[0].value == 6000
    app = clean(app.run())
    assert "at" not in app.query_params, "it has come to the end"
    assert app.select_slider[0].value == 8000
    assert "Play" in buttons(app)


def test_other_runs_are_laid_over_this_one(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    first, second = make_training(home, "bleed"), make_stylegan(home)
    together = {"run": first.id, "with": f"{second.id},gone"}
    assert [*plots(open_page("train", **together))][:2] == ["Generator's loss", "Discriminator's loss"]
    app = open_page("train", **together, curves="Image quality")
    shown = plots(app)
    names = ["Train phantom · bleed", "Train phantom · all classes · StyleGAN2-ADA"]
    assert [trace["name"] for trace in shown["KID"]["data"]] == names
    differing = app.dataframe[0].value
    assert differing.loc["Gan"].tolist() == ["dcgan", "stylegan2-ada"]
    assert differing.loc["Best checkpoint"].tolist() == ["–", "12 kimg"]
    assert "Dataset" not in differing.index
    app = clean(app.multiselect[0].set_value([]).run())
    assert "Losses" in plots(app), "the few figures of a DCGAN stand side by side"
    assert "with" not in app.query_params


def test_generators_of_the_same_settings_are_shown_together(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    bleed, normal = make_training(home, "bleed"), make_training(home, "normal")
    app = open_page("train", run=bleed.id)
    assert "these 2 trainings belong together" in text(app)
    assert press(app, "normal").query_params["run"] == normal.id
    other = make_training(home, "normal", kimg=3)
    assert "belong together" not in text(open_page("train", run=other.id))


def test_finished_leads_on_and_can_be_repeated_from_the_command_line(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    run = make_training(home, "bleed")
    app = open_page("train", run=run.id)
    assert "Stop" not in [button.label for button in app.button]
    assert "python -m engine train phantom --class-name bleed --kimg 12" in text(app)
    assert "Generate with it" in buttons(app)
    press(app, "Train again with changes")
    assert (app.query_params["view"], app.query_params["again"]) == ("new", run.id)
    assert entered(app, "Preset").value == "same"
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
    assert "It is next" in text(open_page("train", run=hold(run).id))
    run.update(state=State.RUNNING)
    assert "first numbers come" in text(open_page("train", run=run.id))


def test_a_run_that_is_gone_is_said(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    make_training(home, "bleed")
    assert "There is no run nobody-knows" in text(open_page("train", run="nobody-knows"))


class Submissions:
    """Stands in for `submit`: remembers the configs, and may refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: ErsatzError | None = None):
        self.configs: list[Any] = []
        self.refusal = refusal
        monkeypatch.setattr("pages.parts.runs.submit", self)

    def __call__(self, home: Home, config: Config, owner: str = "") -> Run:
        if self.refusal is not None:
            raise self.refusal
        self.configs.append(config)
        return create_run(home, config.plain(), "a run")


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
    assert app.get("button_group")[0].value == "watch"


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
        monkeypatch.setattr("pages.training.planning.has_gpu", lambda gpu=gpu: gpu)
        app = open_page("train")
        assert next(box for box in app.selectbox if box.label == "Preset").value == begins_with
    assert "Networks this small take minutes." in text(app)
    press_start(app)
    assert {(config.dataset, config.kimg, config.g_channels) for config in submissions.configs} == {("mine", 18.0, 32)}


def test_how_long_it_takes_is_told_by_a_run_like_it(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    run = make_training(home, "bleed")  # 20 s a kimg
    app = open_page("train", view="new", again=run.id)
    assert "**About 4 min 0 s**, at the pace of Train phantom · bleed." in text(app)
    app = choose(app, "Generators", "One for each class")
    assert "**About 8 min 0 s**, 4 min 0 s for each of 2 classes" in text(app)


@pytest.mark.parametrize("alarm", NAMES)
@pytest.mark.parametrize("gan", GANS)
def test_every_remedy_is_a_setting_that_the_config_takes(gan: str, alarm: str) -> None:
    if gan == "dcgan" and alarm in ("leaking", "ada-off", "ada-saturated", "overfitting"):
        return  # only StyleGAN2-ADA can tell
    config = GANS[gan](dataset="phantom").plain()
    taken = [GANS[gan].build({**config, **changes}).plain() for _, changes in remedies(alarm, config)]
    assert taken
    assert all(changed != config for changed in taken)


def test_a_training_is_done_again_with_what_a_link_changes(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    run = make_stylegan(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train", view="new", again=run.id, change="gamma=0.5,mirror=true,nothing=1")
    assert "but with **gamma 0.5, mirror true**" in text(app)
    app = press_start(app)
    (config,) = submissions.configs
    changed = {name: value for name, value in config.plain().items() if value != run.config()[name]}
    assert changed == {"gamma": 0.5, "mirror": True, "dataset_fingerprint": ""}
    assert not {"again", "change", "view"} & {*app.query_params}
    app = open_page("train", view="new", again=run.id, change="gamma=much")
    assert any("gamma is 'much'" in error.value for error in app.error)
    app = press(app, "Begin without it")
    assert entered(app, "Preset").value == "demo"


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


def write_snapshot(run: Run, **changes: Any) -> None:
    """The header of a snapshot, which is all that a page reads of it."""
    generator = {"z_dim": 64, "w_dim": 32, "mapping_layers": 3, "channel_base": 512, "channel_max": 16, **changes}
    facts = {"g_architecture": generator, "d_architecture": {**generator, "d_architecture": "orig"}}
    path = run.path / "snapshots" / "network-000012000.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file({"x": np.zeros(1, np.float32)}, path, {"ersatz": json.dumps(facts)})


@pytest.fixture
def stylegan_form(home: Home, open_page: OpenPage) -> AppTest:
    """A new StyleGAN2-ADA without a preset, for images of 32 px."""
    make_dataset(home)
    app = choose(open_page("train"), "Preset", "own")
    return choose(app, "GAN", "stylegan2-ada")


def test_the_form_shows_what_the_configuration_says_for_this_size(stylegan_form: AppTest) -> None:
    app = stylegan_form
    expected = StyleganConfig(dataset="phantom").completed(32)
    shown = {label: entered(app, label).value for label in ("Budget, kimg", "Batch", "Gamma (R1)")}
    assert shown == {"Budget, kimg": expected.kimg, "Batch": expected.batch, "Gamma (R1)": expected.gamma}
    app = choose(app, "Configuration", "cifar")
    expected = StyleganConfig(dataset="phantom", cfg="cifar").completed(32)
    assert (entered(app, "Gamma (R1)").value, entered(app, "Form of D").value) == (expected.gamma, "orig")
    assert "--cfg cifar" in text(app)
    assert "each shown 5,000,000 times" in text(app)


def test_every_setting_of_both_gans_is_in_its_form() -> None:
    for gan, layout in LAYOUTS.items():
        groups = layout.rest(gan, layout.main)
        named = [*layout.main, *(name for names in groups.values() for name in names)]
        assert len(named) == len(set(named))
        assert {*named} | CHOSEN_ABOVE >= {*GANS[gan].model_fields}


def test_what_was_not_changed_stays_to_be_filled_in(stylegan_form: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    submissions = Submissions(monkeypatch)
    app = stylegan_form
    entered(app, "Batch").set_value(16)
    entered(app, "Augmentation pipe").set_value("medical")
    press_start(app)
    assert [config.class_name for config in submissions.configs] == list(CLASSES)
    first = submissions.configs[0]
    assert first.model_fields_set >= {"batch", "augpipe"}
    assert not first.model_fields_set & {"gamma", "batch_gpu", "kimg", "ema_kimg"}
    completed = first.completed(32)
    assert (completed.batch, completed.batch_gpu, completed.augpipe) == (16, 0, "medical")


def test_values_that_do_not_fit_together_are_one_sentence(
    stylegan_form: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = Submissions(monkeypatch)
    entered(stylegan_form, "p (fixed)").set_value(0.3)
    app = press_start(stylegan_form)
    assert any("aug_p is for aug fixed" in error.value for error in app.error)
    assert not submissions.configs


def test_presets_bring_their_gan_and_their_way(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    app = choose(open_page("train"), "Preset", "skin-lesions")
    assert entered(app, "GAN").value == "stylegan2-ada"
    assert entered(app, "Generators").value == "One for all classes (conditional)"
    assert entered(app, "Mirror").value is True
    app = choose(app, "GAN", "dcgan")
    assert "says nothing about DCGAN" in text(app)


def test_another_configuration_replaces_the_presets_values(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    app = choose(open_page("train"), "Preset", "chest-ct")
    assert (entered(app, "Gamma (R1)").value, entered(app, "Budget, kimg").value) == (50.0, 80.0)
    app = choose(app, "Configuration", "auto")
    assert entered(app, "Gamma (R1)").value == StyleganConfig(dataset="phantom").completed(32).gamma
    assert entered(app, "Budget, kimg").value == 80.0


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
    cost = {"fits": True, "room": True, "kimg": 25000.0, "seconds": 86400.0 * 3, "seconds_per_kimg": 10.4}
    cost |= {"memory_gib": 1.5, "memory_free_gib": 8.0, "disk_gib": 0.5, "disk_free_gib": 100.0, "sentence": "It fits."}
    set_state(run, State.FINISHED, result=cost)
    app = clean(app.run())
    assert {metric.label: metric.value for metric in app.metric} == {
        "For 25,000 kimg": "3 d 0 h",
        "One kimg": "10 s",
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
    cost = {"fits": False, "room": True, "disk_gib": 0.5, "disk_free_gib": 100.0, "sentence": sentence}
    set_state(run, State.FINISHED, result=cost)
    app = open_page("train", run=run.id)
    assert sentence in [warning.value for warning in app.warning]


def test_stylegan_running_shows_augmentation_scores_and_alarms(
    home: Home, hold: Callable[[Run], Run], open_page: OpenPage
) -> None:
    make_dataset(home)
    alarm = {"name": "ada-saturated", "sentence": "p has reached 1. Lower gamma.", "time": 0.0, "kimg": 5.0}
    second = {"name": "overfitting", "sentence": "It offers the same remedy.", "time": 0.0, "kimg": 6.0}
    run = hold(make_stylegan(home, State.RUNNING, done=6, alarms=[alarm, second]))
    shown = plots(open_page("train", run=run.id, curves="Gradients and speed"))
    assert set(shown) == {"Penalties", "Gradient norms", "Throughput"}, "figures of the open tab alone are drawn"
    assert set(plots(open_page("train", run=run.id, curves="Image quality"))) >= {"KID", "FID"}
    app = open_page("train", run=run.id, curves="Overfitting")
    shown = plots(app)
    assert [*shown] == ["Augmentation", "D on images it never saw"]
    assert [trace["name"] for trace in shown["Augmentation"]["data"]] == ["p", "r_t"]
    metrics = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert metrics["Augment p"][0] == "0.120"
    assert metrics["r_t"][1] == "target 0.6"
    assert metrics["D on held-out images"] == ("0.58", "0.12 below training")
    assert metrics["KID"][1].startswith("best ")
    assert "**Adaptive augmentation is at its limit** · at 5 kimg" in text(app)
    assert "p has reached 1. Lower gamma." in text(app)
    gamma, same = [label for label in buttons(app) if label.startswith("Again with gamma")]
    assert gamma == same
    assert "Stop" in buttons(app)
    assert "Fine-tune from this" not in buttons(app), "there is no snapshot yet"
    app = press(app, gamma)
    assert app.query_params["change"] == f"gamma={2 * run.config()['gamma']:g}"
    assert entered(app, "Gamma (R1)").value == pytest.approx(2 * run.config()["gamma"])


def test_while_scores_are_computed_the_budget_stays_the_trainings(
    home: Home, open_page: OpenPage, hold: Callable[[Run], Run]
) -> None:
    make_dataset(home)
    run = hold(make_stylegan(home, State.RUNNING, done=6))
    run.update(stage="features of the real images", done=512, total=4682, unit="images")
    shown = next(metric for metric in open_page("train", run=run.id).metric if metric.label == "Shown")
    assert shown.value == "6 of 12 kimg"


def test_stylegan_failed_shows_its_sentence_once(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    sentence = "Training exploded before 3 kimg: g_loss became infinite; train again with a larger gamma."
    alarm = {"name": "explosion", "sentence": sentence, "time": 0.0, "kimg": 3.0}
    run = make_stylegan(home, State.FAILED, done=3, error=sentence, alarms=[alarm])
    app = open_page("train", run=run.id)
    assert [error.value for error in app.error] == [sentence]
    assert not app.warning
    assert "Again with half the learning rates" in buttons(app)
    assert "Resume" in buttons(app)


def test_fine_tuning_begins_with_the_runs_settings_and_shapes(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    run = make_stylegan(home)
    write_snapshot(run)
    submissions = Submissions(monkeypatch)
    app = open_page("train", run=run.id)
    assert links(app)["Rank its snapshots"] == f"run={run.id}"
    assert "python -m engine train phantom --gan stylegan2-ada --conditional --kimg 12" in text(app)
    app = press(app, "Fine-tune from this")
    assert app.query_params["from"] == run.id
    assert (entered(app, "GAN").value, entered(app, "Start from").value) == ("stylegan2-ada", run.id)
    assert entered(app, "Generators").value == "One for all classes (conditional)"
    assert (entered(app, "Budget, kimg").value, entered(app, "Speed, kimg (ada)").value) == (12.0, 100.0)
    assert (entered(app, "Channel max").value, entered(app, "Form of D").value) == (16, "orig")
    entered(app, "Frozen layers of D").set_value(4)
    app = press_start(app)
    (config,) = submissions.configs
    assert (config.start_from, config.conditional, config.freeze_d) == (run.id, True, 4)
    assert (config.z_dim, config.channel_base, config.d_architecture) == (64, 512, "orig")
    assert "from" not in app.query_params


def test_a_network_file_becomes_a_run_to_start_from(
    stylegan_form: AppTest, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = Submissions(monkeypatch)
    app = press(stylegan_form, "Import")
    assert any("No file was chosen" in error.value for error in app.error)
    inputs = {field.label: field for field in app.text_input}
    inputs["or its path on this machine"].set_value("/files/faces.pkl")
    inputs["Names of its classes"].set_value("a, b")
    app = press(app, "Import")
    (config,) = submissions.configs
    assert config == NetworkConfig(name="faces", source="/files/faces.pkl", class_names=("a", "b"))
    (run,) = list_runs(home, "network")
    set_state(run, State.FINISHED)
    write_snapshot(run, z_dim=512)
    app = clean(app.run())
    (box,) = [box for box in app.selectbox if box.label == "Start from"]
    assert [option.partition(" · ")[0] for option in box.options] == ["From scratch", "Network faces"]
    app = clean(box.set_value(run.id).run())
    assert (entered(app, "Length of z").value, entered(app, "Channel max").value) == (512, 16)


def test_the_best_snapshot_is_named_once_they_are_ranked(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    run = make_stylegan(home)
    write_snapshot(run)
    ranking = make_ranking(home, run)
    app = open_page("train", run=run.id)
    assert "10 kimg" in text(app)
    assert links(app)["See the ranking"] == f"run={ranking.id}"
    assert "Use this checkpoint…" not in buttons(app), "its file was not kept"
    kept = run.path / "generators" / "network-000010000.safetensors"
    kept.parent.mkdir()
    kept.touch()
    app = open_page("train", run=run.id)
    assert "Use this checkpoint…" in buttons(app)
    best = [shape["x0"] for shape in plots(app)["Losses"]["layout"]["shapes"]]
    assert best == [10.0]
