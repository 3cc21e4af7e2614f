"""Quizzes are balanced, seeded, blind, and resumable; answers are kept once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.datasets.dataset import Dataset
from engine.review.quiz import (
    Quiz,
    answer,
    answers,
    begin_quiz,
    draw,
    list_quizzes,
    open_quiz,
    picture_path,
    progress,
    require_images,
)
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests import fabricated


@pytest.fixture
def pool(home: Home) -> Pool:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name, kimg=1.0) for name in fabricated.CLASSES]
    return Pool.open(fabricated.make_pool_run(home, trainings, images=12))


@pytest.fixture
def quiz(pool: Pool) -> Quiz:
    return begin_quiz(pool, 20, seed=3, seconds=10, author="Ada")


def test_a_quiz_is_balanced_in_source_and_class_and_never_shows_test_images(pool: Pool) -> None:
    gone = pool.manifest["path"].iloc[0]
    pool.exclude([gone], "a copy")
    for images in (20, 22):
        table = draw(pool, images, seed=1).table()
        counts = table.groupby(["class", "source"]).size().unstack()
        assert (counts["real"] == counts["synthetic"]).all()
        assert counts.to_numpy().sum() == images
        assert counts["real"].max() - counts["real"].min() <= 1
        assert not table["path"].duplicated().any() or table.groupby("path")["source"].nunique().min() == 2
        assert gone not in set(table.loc[table["source"] == "synthetic", "path"])
        manifest = Dataset.open(pool.run.home, "phantom").manifest.set_index("path")
        reals = table.loc[table["source"] == "real", "path"]
        assert set(manifest.loc[reals, "split"]) <= {"train", "valid"}


def test_the_same_seed_draws_the_same_images(pool: Pool) -> None:
    assert draw(pool, 20, seed=5).items == draw(pool, 20, seed=5).items
    assert draw(pool, 20, seed=5).items != draw(pool, 20, seed=6).items


def test_patients_are_as_many_as_there_are(pool: Pool, home: Home) -> None:
    """Ten patients of two images each: ten images show ten patients."""
    path = home.dataset("phantom") / "manifest.csv"
    manifest = pd.read_csv(path, dtype=str, keep_default_na=False)
    manifest["group"] = [f"P{place // 2}" for place in range(len(manifest))]
    manifest.to_csv(path, index=False)
    table = draw(pool, 40, seed=1).table()
    reals = table[(table["source"] == "real") & (table["class"] == "bleed")]["path"]
    assert manifest.set_index("path").loc[reals, "group"].nunique() == 10


def test_reviewers_see_the_same_images_in_their_own_order(quiz: Quiz) -> None:
    ada, grace = quiz.order("Ada"), quiz.order("Grace")
    assert ada != grace
    assert sorted(ada) == sorted(grace) == list(range(20))
    assert ada == quiz.order("Ada"), "who comes back goes on where the tab was closed"


def test_neither_place_nor_file_tells_what_an_image_is(quiz: Quiz, home: Home) -> None:
    """Real and synthetic images have one form, and half of each half of the items is real, give or take luck."""
    forms = set()
    for item in range(len(quiz.items)):
        with Image.open(picture_path(home, quiz, item)) as image:
            forms.add((image.size, image.mode, np.asarray(image).dtype.str, tuple(image.info)))
    assert len(forms) == 1
    first = [item.source for item in quiz.items[:10]]
    assert 0 < first.count("real") < 10


def test_answers_are_kept_at_once_and_only_the_first_counts(quiz: Quiz, home: Home) -> None:
    answer(home, quiz, "Ada", 4, "real", 2.5)
    answer(home, quiz, "Ada", 4, "synthetic", 0.1)  # a second press, or a second tab
    answer(home, quiz, "Ada", 7, "synthetic", 30.0)  # the time was over
    answer(home, quiz, "Grace", 4, "synthetic", 1.0)
    table = answers(home, open_quiz(home, quiz.id))
    assert table[["reviewer", "item", "answer", "seconds"]].to_numpy(object).tolist() == [
        ["Ada", 4, "real", 2.5],
        ["Ada", 7, "", 30.0],
        ["Grace", 4, "synthetic", 1.0],
    ]
    assert progress(home, [quiz]) == {quiz.id: {"Ada": 2, "Grace": 1}}
    with pytest.raises(ErsatzError, match="image 20"):
        answer(home, quiz, "Ada", 20, "real", 1.0)


def test_quizzes_are_found_again_as_they_were(quiz: Quiz, pool: Pool, home: Home) -> None:
    assert open_quiz(home, quiz.id) == quiz
    later = begin_quiz(pool, 4, seed=0, seconds=0, author="Grace")
    assert [found.id for found in list_quizzes(home)] == [later.id, quiz.id]
    assert list_quizzes(home, "another-pool") == []
    with pytest.raises(ErsatzError, match="There is no quiz"):
        open_quiz(home, "none")


def test_what_cannot_be_drawn_or_shown_is_one_sentence(quiz: Quiz, pool: Pool, home: Home) -> None:
    for images in (0, 2, 21):
        with pytest.raises(ErsatzError, match="an even number of 4 or more"):
            draw(pool, images, seed=0)
    with pytest.raises(ErsatzError, match=r"26 \(training and validation\) and 12. Choose at most 48"):
        draw(pool, 60, seed=0)
    require_images(home, quiz)
    with pytest.raises(ErsatzError, match=rf"The quiz {quiz.id} was made for the split c{{12}}\.\.\. of the data set"):
        require_images(home, replace(quiz, fingerprint="c" * 64))
    picture_path(home, quiz, 3).unlink()
    with pytest.raises(ErsatzError, match=r"is gone \(1 of 20\)"):
        require_images(home, quiz)
