"""The Train page while a training runs, and afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.configs import DcganConfig
from engine.store.home import Home
from engine.store.runs import Alarm, Run, State, create_run
from pages.train.reading import read_rows
from tests.fabricated import make_dataset, make_ranking, make_stylegan, make_training
from tests.pages.conftest import OpenPage, press
from tests.pages.train.conftest import buttons, clean, ends, entered, links, plots, text, write_snapshot


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


def test_what_the_browser_sent_before_it_heard_of_a_new_sample_is_nobodys_choice(
    running: Run, open_page: OpenPage
) -> None:
    app = open_page("train", run=running.id)
    before = app.select_slider[0]
    newest = running.path / "samples" / "fakes-000006000.png"
    newest.with_name("fakes-000008000.png").write_bytes(newest.read_bytes())
    clean(app.run())
    app = clean(before.set_value(6000).run())  # as the slider stood
    assert "at" not in app.query_params
    assert app.select_slider[0].value == 8000


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
    assert differing.loc["GAN"].tolist() == ["dcgan", "stylegan2-ada"]
    assert differing.loc["Checkpoint with the lowest score"].tolist() == ["–", "12 kimg"]
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
    alarm = Alarm(name="explosion", sentence=sentence, time=0.0)
    run = make_training(home, "normal", State.FAILED, done=3, error=sentence, alarms=(alarm,))
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


def test_stylegan_running_shows_augmentation_scores_and_alarms(
    home: Home, hold: Callable[[Run], Run], open_page: OpenPage
) -> None:
    make_dataset(home)
    alarm = Alarm(name="ada-saturated", sentence="p has reached 1. Lower gamma.", time=0.0, kimg=5.0)
    second = Alarm(name="overfitting", sentence="It offers the same remedy.", time=0.0, kimg=6.0)
    run = hold(make_stylegan(home, State.RUNNING, done=6, alarms=(alarm, second)))
    shown = plots(open_page("train", run=run.id, curves="Gradients and speed"))
    assert set(shown) == {"Penalties", "Gradient norms", "Throughput"}, "figures of the open tab alone are drawn"
    assert set(plots(open_page("train", run=run.id, curves="Image quality"))) >= {"KID", "FID"}
    app = open_page("train", run=run.id, curves="Overfitting")
    shown = plots(app)
    assert [*shown] == ["Augmentation", "D on images it never saw"]
    assert [trace["name"] for trace in shown["Augmentation"]["data"]] == ["p", "r_t"]
    metrics = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert metrics["Augment p"][0] == "0.120"
    assert metrics["r_t (overfitting)"][1] == "target 0.6"
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
    assert entered(app, "R1 penalty weight (gamma)").value == pytest.approx(2 * run.config()["gamma"])


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
    alarm = Alarm(name="explosion", sentence=sentence, time=0.0, kimg=3.0)
    run = make_stylegan(home, State.FAILED, done=3, error=sentence, alarms=(alarm,))
    app = open_page("train", run=run.id)
    assert [error.value for error in app.error] == [sentence]
    assert not app.warning
    assert "Again with half the learning rates" in buttons(app)
    assert "Resume" in buttons(app)


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
