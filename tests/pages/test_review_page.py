"""The Review page in the states that a person can meet it in, and two reviewers at once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from engine.review.comments import add_comment, comments_on
from engine.review.decisions import decide, decisions
from engine.review.quiz import Quiz, answer, answers, begin_quiz, list_quizzes
from engine.review.store import database
from engine.sampling.pools import Pool
from engine.store.home import Home
from engine.store.read_only import READ_ONLY
from engine.store.runs import Run, State, create_run
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts


@pytest.fixture
def pool(home: Home) -> Run:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name, kimg=1.0) for name in fabricated.CLASSES]
    return fabricated.make_pool_run(home, trainings, images=8)


@pytest.fixture
def quiz(pool: Run) -> Quiz:
    return begin_quiz(Pool.open(pool), 8, seed=1, seconds=0, author="Ada")


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


WALL = {"shown-as": "Wall"}


def named(open_page: OpenPage, who: str, page: str = "review", **query: str) -> AppTest:
    """A page in a tab in which somebody has entered this name; no address holds one."""
    app = open_page(page, **query)
    app.session_state["reviewer"] = who
    app.run()
    assert not app.exception, app.exception
    return app


def through_dialog(app: AppTest, key: str) -> None:
    """Open the dialog of a button, then press its main button; AppTest knows whole runs only, which close dialogs."""
    keys = [button.key for button in app.button if str(button.key).startswith(key)]
    app.button(key=keys[0]).click().run()
    app.button(key=keys[0]).click()
    next(button for button in app.button if str(button.key).startswith(f"{key}-now")).click().run()
    assert not app.exception, app.exception


def say(app: AppTest, label: str, sure: str = "") -> AppTest:
    """Answer the picture that is shown, and how sure one is of it where the quiz asks."""
    press(app, label)
    return press(app, sure) if sure else app


def test_empty_home_says_what_is_missing(home: Home, open_page: OpenPage) -> None:
    app = open_page("review")
    assert "there is no pool yet" in texts(app)
    assert not app.button


def test_a_pool_on_its_way_or_failed(home: Home, hold: Callable[[Run], Run], open_page: OpenPage) -> None:
    fabricated.make_dataset(home)
    config = {"kind": "pool", "name": "phantom", "dataset": "phantom", "images_per_class": 8, "generators": []}
    run = create_run(home, config, "pool")
    run.update(state=State.RUNNING, started=1.0, stage="sampling", total=16.0)
    hold(run)
    app = open_page("review")
    assert "begins when the pool" in texts(app)
    assert "Stop" in labels(app)
    run.update(state=State.FAILED, ended=2.0, error="The disk is full; make room and resume.")
    app.run()
    assert [error.value for error in app.error] == ["The disk is full; make room and resume."]


def test_a_quiz_is_drawn_played_paused_resumed_and_told_at_the_end(pool: Run, open_page: OpenPage, home: Home) -> None:
    app = open_page("review")
    app.number_input[0].set_value(8)
    press(app, "Draw the pictures")
    (quiz,) = list_quizzes(home)
    assert app.query_params["quiz"] == quiz.id
    begin = next(button for button in app.button if button.label == "Begin")
    assert begin.disabled and begin.help == "Enter your name first."
    app.text_input(key="quiz-name").set_value("Ada").run()
    press(app, "Begin")
    say(app, "Real", "4")
    press(app, "Synthetic")
    assert len(answers(home, quiz)) == 1, "not before it is said how sure"
    say(press(app, "Change the answer"), "Synthetic", "1")
    said = "\n".join(str(element.value) for element in app.markdown)
    assert "right" not in said.lower(), "no hint before the end"
    press(app, "Pause")
    assert "Go on with picture 3" in labels(app)

    # another browser, the same name: it goes on where the tab was closed
    again = press(named(open_page, "Ada", quiz=quiz.id), "Go on with picture 3")
    for _ in range(6):
        say(again, "Real", "5")
    assert "You have seen all 8 pictures" in texts(again)
    given = answers(home, quiz)
    assert list(given["item"]) == quiz.order("Ada")
    assert list(given["answer"]) == ["real", "synthetic", *["real"] * 6]
    assert list(given["sure"]) == [4, 1, *[5] * 6]
    assert "Area (ROC)" in [metric.label for metric in again.metric]
    right = (given["answer"] == given["item"].map(lambda item: quiz.items[item].source)).mean()
    assert {metric.label: metric.value for metric in again.metric}["Right"] == f"{100 * right:.0f} %"


def test_a_second_press_belongs_to_the_picture_it_was_made_on(quiz: Quiz, open_page: OpenPage, home: Home) -> None:
    app = press(named(open_page, "Ada", quiz=quiz.id), "Begin")
    first = next(button for button in app.button if button.label == "Real")
    first.click().run()
    first.click().run()  # the button of a picture that is gone
    assert list(answers(home, quiz)["item"]) == quiz.order("Ada")[:1]


def test_the_time_of_a_picture_runs_on_in_a_new_tab_and_stands_still_in_a_pause(
    pool: Run, open_page: OpenPage, home: Home
) -> None:
    quiz = begin_quiz(Pool.open(pool), 8, seed=1, seconds=60, author="Ada")
    press(named(open_page, "Ada", quiz=quiz.id), "Begin")
    first = time.monotonic()
    time.sleep(1)
    app = press(named(open_page, "Ada", quiz=quiz.id), "Begin")  # the tab was loaded anew
    shown = time.monotonic() - first
    say(app, "Real")
    begun = time.monotonic()
    press(app, "Pause")
    time.sleep(1)
    app = press(named(open_page, "Ada", quiz=quiz.id), "Go on with picture 2")
    say(app, "Real")
    seconds = list(answers(home, quiz)["seconds"])
    assert seconds[0] >= shown
    assert seconds[1] < time.monotonic() - begun - 1
    grace = press(named(open_page, "Grace", quiz=quiz.id), "Begin")
    begun = time.monotonic()
    say(grace, "Real")
    table = answers(home, quiz)
    assert table[table["reviewer"] == "Grace"]["seconds"].iloc[0] < 1 + time.monotonic() - begun, "her own time"


def test_without_a_timer_a_closed_tab_is_not_looked_at(quiz: Quiz, open_page: OpenPage, home: Home) -> None:
    press(named(open_page, "Ada", quiz=quiz.id), "Begin")
    time.sleep(1)
    begun = time.monotonic()
    say(press(named(open_page, "Ada", quiz=quiz.id), "Begin"), "Real")
    assert answers(home, quiz)["seconds"].iloc[0] < time.monotonic() - begun


def test_results_are_covered_until_somebody_gives_up_playing(quiz: Quiz, open_page: OpenPage, home: Home) -> None:
    assert "Nobody has finished" in texts(open_page("review", view="Results"))
    for who, wrong in (("Ada", {0, 1}), ("Grace", {1, 2, 5})):
        for item, shown in enumerate(quiz.items):
            other = "real" if shown.source == "synthetic" else "synthetic"
            answer(home, quiz, who, item, other if item in wrong else shown.source, 2.0)
    answer(home, quiz, "Emmy", 0, "real", 1.0)
    app = named(open_page, "Emmy", view="Results")
    assert "Emmy 1 of 8" in texts(app)
    assert "told synthetic from real" not in texts(app) and "%" not in texts(app)
    assert not app.get("image") and not app.dataframe and not app.get("plotly_chart")
    assert not app.get("download_button"), "the answers say what is what"
    press(app, "I am not going to play: show the results")
    assert "2 reviewers told synthetic from real in 69 % of 8 images" in texts(app)
    assert list(app.dataframe[0].value["Reviewer"]) == ["Ada", "Grace"]
    assert sum(len(image.proto.imgs) for image in app.get("image")) == 4
    app.segmented_control(key="view").set_value("Real or fake").run()
    press(app, "Go on with picture 2")
    assert "were uncovered in this tab" in app.error[0].value


def test_decisions_flow_into_the_pool_and_back(pool: Run, open_page: OpenPage, home: Home) -> None:
    fabricated.make_quality(home, pool)
    paths = list(Pool.open(pool).manifest["path"])
    decide(Pool.open(pool), paths[:1], "Grace", "reject", "artefact")
    app = named(open_page, "Ada", view="Accept or reject", run=pool.id, **WALL)
    assert "Grace: rejected, artefact" in texts(app)
    app.selectbox(key="reject-because").set_value("blurred")
    app.button(key=f"no-{paths[1]}").click().run()
    app.button(key=f"no-{paths[2]}").click().run()
    app.button(key=f"undo-{paths[2]}").click().run()
    press(app, "Accept the other 11")
    table = decisions(home, pool.id)
    ada = table[table["reviewer"] == "Ada"].set_index("path")
    assert dict(ada["decision"].value_counts()) == {"accept": 11, "reject": 1}
    assert ada.loc[paths[1], "reason"] == "blurred"
    assert not app.exception

    through_dialog(app, "take-out")
    excluded = Pool.open(pool).manifest.set_index("path")["excluded"]
    assert dict(excluded[excluded != ""]) == {
        paths[0]: "rejected by Grace: artefact",
        paths[1]: "rejected by Ada: blurred",
    }
    app = named(open_page, "Ada", view="Accept or reject", run=pool.id, **WALL, show="Out of the pool")
    assert "Out of the pool: Grace: artefact" in texts(app)
    through_dialog(app, "bring-back")
    assert (Pool.open(pool).manifest["excluded"] == "").all()
    app = named(open_page, "Ada", view="Accept or reject", run=pool.id, **WALL, show="Flagged")
    assert len([label for label in labels(app) if label in ("Undo", "Accept")]) == 5, "the flagged ones of the check"


def test_the_picture_beside_a_lost_one_keeps_its_own_name(pool: Run, open_page: OpenPage, home: Home) -> None:
    fabricated.make_quality(home, pool)
    query = {"view": "Accept or reject", "run": pool.id}

    def shown() -> list[str]:
        app = named(open_page, "Ann", **query)
        return [each.alt for image in app.get("image") for each in image.proto.imgs]

    (both,) = shown()
    synthetic, beside = both.split(", ", 1)
    assert synthetic.startswith("Synthetic ")
    (pool.path / Pool.open(pool).manifest["path"][0]).unlink()
    assert shown() == [beside]


def test_comments_are_written_and_shown_as_they_are(pool: Run, open_page: OpenPage) -> None:
    add_comment(pool, "Grace", "![x](http://elsewhere/x.png) <b>look</b>")
    app = open_page("review", view="Comments")
    assert [text.value for text in app.text] == ["![x](http://elsewhere/x.png) <b>look</b>"]
    app = named(open_page, "Ada", view="Comments", run=pool.id)
    app.text_area[0].set_value("Seen.")
    press(app, "Comment")
    assert [(comment.author, comment.text) for comment in comments_on(pool)][1] == ("Ada", "Seen.")
    assert "Change" in labels(app)
    assert app.text_area[0].value == ""


def test_a_visitor_of_a_demo_plays_for_practice_and_leaves_no_trace(
    quiz: Quiz, pool: Run, home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    before = database(home).read_bytes()
    app = press(open_page("review", quiz=quiz.id), "Begin")
    for _ in range(8):
        say(app, "Real")
    assert "You have seen all 8 pictures" in texts(app)
    assert database(home).read_bytes() == before
    app = open_page("review", view="Accept or reject", run=pool.id)
    assert all(button.disabled for button in app.button if button.label in ("Accept", "Reject"))
    assert database(home).read_bytes() == before
