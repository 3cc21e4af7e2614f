"""A reader learns nothing of a picture before the end but what is to be seen on it, and no address names anybody."""

from __future__ import annotations

import base64
import io
import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.review.quiz import Quiz, answer, answers, begin_quiz
from engine.review.store import database, version
from engine.sampling.pools import Pool
from engine.store.home import Home
from engine.store.runs import Run
from pages.components.invitation import qr_code
from pages.components.navigation import ICONS as PAGES
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts
from tests.pages.test_review_page import named, say

WHO = "Anna Muster"
PICTURES = 8


@pytest.fixture
def pool(home: Home) -> Run:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name, kimg=1.0) for name in fabricated.CLASSES]
    return fabricated.make_pool_run(home, trainings, images=PICTURES)


@pytest.fixture
def quiz(pool: Run) -> Quiz:
    return begin_quiz(Pool.open(pool), PICTURES, seed=1, seconds=0, author="Bo", rated=True)


def sent(app: AppTest) -> tuple[str, str]:
    """Everything that the browser is sent of the page: the picture, and the rest without it."""
    protos = [getattr(element, "proto", None) for element in app.main]
    found = [MessageToDict(proto) for proto in protos if proto is not None]
    text = json.dumps(found)
    pictures = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    assert len(pictures) == 1 and "/media/" not in text, "within the page, and not by the name of a file"
    return pictures[0], text.replace(pictures[0], "")


def form_of(picture: str) -> tuple[Any, ...]:
    """What a PNG tells besides its pixels."""
    content = base64.b64decode(picture)
    with Image.open(io.BytesIO(content)) as image:
        names = re.findall(rb"IHDR|PLTE|IDAT|tEXt|zTXt|iTXt|eXIf|tIME|gAMA|pHYs|sRGB|iCCP|tRNS", content)
        return image.size, image.mode, dict(image.info), sorted(set(names) - {b"IDAT"})


def test_the_page_of_a_real_picture_is_that_of_a_synthetic_one(quiz: Quiz, open_page: OpenPage, home: Home) -> None:
    app = press(named(open_page, WHO, quiz=quiz.id), "Begin")
    pages: dict[str, set[str]] = {"real": set(), "synthetic": set()}
    forms: dict[str, set[str]] = {"real": set(), "synthetic": set()}
    for number, item in enumerate(quiz.order(WHO), 1):
        shown = quiz.items[item]
        for press_next in ("Real", "3"):
            picture, rest = sent(app)
            assert shown.path not in rest and shown.path.rpartition("/")[2] not in rest
            rest = re.sub(r"[0-9a-f]{16}", "KEY", rest)  # a hash of quiz, reader and picture
            rest = rest.replace(f"Picture {number}", "Picture N")
            rest = re.sub(r'"value": [0-9]+, ', "", rest)  # how far the reader is; 0 is not sent
            pages[shown.source].add(re.sub(r'"id": "[^"]*"', '"id": ""', rest))
            forms[shown.source].add(str(form_of(picture)))
            press(app, press_next)
    assert pages["real"] == pages["synthetic"], "of each the question, and how sure"
    assert len(pages["real"]) == 2
    assert forms["real"] == forms["synthetic"] and len(forms["real"]) == 1


def test_neither_order_nor_place_gives_a_hint(pool: Run, home: Home) -> None:
    """Of many quizzes and readers, a real picture is as often first, in the list and in a reader's order."""
    rng_seeds = range(60)
    first_in_list, first_in_order = 0, 0
    for seed in rng_seeds:
        quiz = begin_quiz(Pool.open(pool), PICTURES, seed=seed, seconds=0, author="Bo")
        first_in_list += quiz.items[0].source == "real"
        first_in_order += quiz.items[quiz.order(WHO)[0]].source == "real"
        assert sorted(quiz.order(WHO)) == list(range(PICTURES))
    assert 15 <= first_in_list <= 45 and 15 <= first_in_order <= 45, "1 in 10,000 lies outside by chance"


def test_whoever_opens_a_link_is_nobody(quiz: Quiz, open_page: OpenPage, home: Home) -> None:
    for item in range(PICTURES):
        answer(home, quiz, WHO, item, "real", 1.0, 3)
    app = open_page("review", quiz=quiz.id, reviewer=WHO)
    assert "reviewer" not in app.query_params
    assert app.text_input(key="quiz-name").value == ""
    assert "%" not in texts(app) and "Right" not in [metric.label for metric in app.metric]
    assert next(button for button in app.button if button.label == "Begin").disabled
    app = open_page("review", view="Results", quiz=quiz.id, reviewer=WHO)
    assert "%" not in texts(app) and not app.dataframe

    # nor is the name enough, which anybody may type
    app = named(open_page, WHO, quiz=quiz.id)
    assert f"{WHO} has seen all {PICTURES} pictures" in texts(app)
    shown = [each.alt for image in app.get("image") for each in image.proto.imgs]
    assert not app.metric and shown == ["QR code of this address"]
    app.segmented_control(key="view").set_value("Results").run()
    assert "%" not in texts(app)


def test_results_are_told_in_the_tab_that_ended_the_quiz(quiz: Quiz, open_page: OpenPage) -> None:
    app = press(named(open_page, WHO, quiz=quiz.id), "Begin")
    for _ in range(PICTURES):
        assert not app.metric
        say(app, "Real", "2")
    assert {metric.label: metric.value for metric in app.metric}["Right"] == "50 %"
    press(app, "All reviewers' results")
    assert "1 reviewer told synthetic from real in 50 %" in texts(app)


def test_no_address_names_a_person(quiz: Quiz, open_page: OpenPage) -> None:
    """Neither that of a page or a view, nor one that it leads to, in a tab that knows who sits before it."""
    for page in PAGES:
        app = named(open_page, WHO, page=page)
        views = [group.key for group in app.get("button_group") if group.key == "view"]
        for view in list(app.segmented_control(key="view").options) if views else [""]:
            if view:
                app.segmented_control(key="view").set_value(view).run()
            assert not app.exception, app.exception
            for said in (str(app.query_params), *(str(link.proto) for link in app.get("page_link"))):
                assert "Anna" not in said and "Muster" not in said and "reviewer=" not in said, (page, view)


def test_an_invitation_names_nobody_and_can_be_scanned(quiz: Quiz, open_page: OpenPage) -> None:
    app = named(open_page, WHO, quiz=quiz.id)
    (address,) = [code.value for code in app.code if "quiz=" in code.value and "python" not in code.value]
    assert address.endswith(f"/review?view=Real+or+fake&quiz={quiz.id}")
    assert "opens on this machine alone" in texts(app)
    (picture,) = [url for image in app.get("image") for url in (each.url for each in image.proto.imgs)]
    assert picture == qr_code(address)
    with Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))) as code:
        grey = code.convert("L")
        assert grey.size[0] == grey.size[1] and grey.getpixel((0, 0)) == 255, "a white margin, in the dark too"
        assert grey.getpixel((24 + 3, 24 + 3)) == 0, "the corner by which it is found"


def test_answers_of_a_home_from_before_are_read_and_kept(pool: Run, home: Home) -> None:
    """A file of version 1 has no column for how sure somebody was; it gets one with the next answer."""
    quiz = begin_quiz(Pool.open(pool), PICTURES, seed=1, seconds=0, author="Bo")
    answer(home, quiz, WHO, 0, "real", 1.5)
    with closing(sqlite3.connect(database(home))) as file:
        file.execute("ALTER TABLE answers DROP COLUMN sure")
        file.execute("PRAGMA user_version=1")
        file.commit()
    before = database(home).read_bytes()
    assert answers(home, quiz)["sure"].tolist() == [0]
    assert database(home).read_bytes() == before, "reading changes nothing"
    answer(home, quiz, WHO, 1, "synthetic", 2.5)
    assert version(home) == 2
    table = answers(home, quiz)
    assert table["seconds"].tolist() == [1.5, 2.5] and table["sure"].tolist() == [0, 0]
