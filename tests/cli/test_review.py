"""`review`: quizzes, results, what leaves the pool, comments and their export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from engine.review.decisions import decide
from engine.review.quiz import answer, open_quiz
from engine.sampling.pools import Pool
from engine.store.home import Home
from engine.store.runs import Run
from tests.cli.conftest import Ending
from tests.fabricated import CLASSES, make_dataset, make_pool_run, make_training

Command = Callable[..., Ending]


@pytest.fixture
def pool(home: Home) -> Run:
    make_dataset(home)
    return make_pool_run(home, [make_training(home, name, kimg=1.0) for name in CLASSES], images=8)


def test_a_study_from_its_drawing_to_its_tables(home: Home, command: Command, pool: Run, tmp_path: Path) -> None:
    assert command("review", "list", "--json").json == []
    begun = command("review", "begin", pool.id, "--images", "8", "--seed", "3", "--author", "Ada", "--json").json
    quiz = open_quiz(home, begun["quiz"])
    assert (len(quiz.items), quiz.seed, quiz.author) == (8, 3, "Ada")
    for who in ("Ada", "Grace"):
        for item, shown in enumerate(quiz.items):
            answer(home, quiz, who, item, shown.source if item or who == "Ada" else "", 2.0)
    (listed,) = command("review", "list", "--json").json
    assert listed["reviewers"] == {"Ada": 8, "Grace": 8}
    found = command("review", "results", quiz.id, "--json").json
    assert found["pooled"]["accuracy"]["interval"]["mean"] == 1.0
    assert [(row["reviewer"], row["no_answer"]) for row in found["reviewers"] if not row["class"]] == [
        ("Ada", 0),
        ("Grace", 1),
    ]
    assert "better than guessing" in command("review", "results", quiz.id).out.replace("\n", " ")
    assert command("review", "comment", pool.id, "Look again.", "--author", "Ada").code == 0
    command("review", "export", str(tmp_path / "out"), "--json")
    table = pd.read_csv(tmp_path / "out" / "answers.csv", keep_default_na=False)
    assert len(table) == 16
    assert set(table["source"]) == {"real", "synthetic"}
    assert list(pd.read_csv(tmp_path / "out" / "comments.csv")["text"]) == ["Look again."]


def test_rejected_images_leave_by_a_rule_and_come_back(home: Home, command: Command, pool: Run) -> None:
    one, two = Pool.open(pool).manifest["path"].iloc[:2]
    decide(Pool.open(pool), [one, two], "Ada", "reject", "blurred")
    decide(Pool.open(pool), [two], "Grace", "accept")
    assert command("review", "apply", pool.id, "--rule", "majority", "--json").json["excluded"] == [one]
    assert command("review", "apply", pool.id, "--rule", "any", "--json").json == {
        "pool": pool.id,
        "excluded": [two],
        "left": 14,
    }
    assert sorted(command("review", "apply", pool.id, "--undo", "--json").json["restored"]) == sorted([one, two])


def test_what_cannot_be_is_one_sentence(command: Command, pool: Run) -> None:
    ending = command("review", "begin", pool.id, "--images", "900")
    assert ending.code == 1
    assert "Choose at most 32 images" in ending.err.replace("\n", " ")
    assert "There is no quiz none here" in command("review", "results", "none").err.replace("\n", " ")
    assert command("review", "apply", pool.config()["generators"][0]["run"]).code == 1
