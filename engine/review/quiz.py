"""Real or fake? Balanced, seeded sets of images, the same for every reviewer, for each in another order.

Half of the images are synthetic, and each class has as many of them as real ones, so that neither the class nor the
number of answers so far gives a hint. Real ones come from the training and validation images, never from the
test images: what reviewers reject leaves the pool, and the pool decides about a classifier that these images judge.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
from sqlalchemy import func, literal, select

from engine.datasets.dataset import Dataset
from engine.review.store import ANSWERS, QUIZZES, add, checked_name, knows_how_sure, read
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home

REAL: Final = "real"
SYNTHETIC: Final = "synthetic"
NONE: Final = ""
Answer = Literal["real", "synthetic", ""]
"""The empty one: the time was over."""
SPLITS = ("train", "valid")
LEAST_SURE, MOST_SURE = 1, 5
"""The ends of the scale on which reviewers say how sure they are."""
UNASKED = 0
"""How sure somebody was who was not asked, or who gave no answer."""
COLUMNS = ["reviewer", "item", "answer", "seconds", "time", "sure"]
"""Of the answers to a quiz."""
LATE_SECONDS = 2.0
"""An answer counts this long after the end of its time: the way from the browser is not the reviewer's fault."""


@dataclass(frozen=True)
class Item:
    """One image of a quiz, by its path in the pool or in the data set."""

    source: Literal["real", "synthetic"]
    path: str
    class_name: str


@dataclass(frozen=True)
class Quiz:
    """A drawn set; `seconds` is the time for an image, 0 without a limit. Items are known by their place in `items`.

    With `rated`, a reviewer says with each answer how sure it is, from 1 (a guess) to 5 (certain).
    """

    id: str
    author: str
    created: float
    pool: str
    dataset: str
    fingerprint: str
    seed: int
    seconds: int
    items: tuple[Item, ...]
    rated: bool = False

    def order(self, reviewer: str) -> list[int]:
        """The places of the items in the order in which this reviewer sees them."""
        digest = hashlib.sha256(f"{self.id} {reviewer}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8])).permutation(len(self.items)).tolist()

    def table(self) -> pd.DataFrame:
        """One row an item: item, source, path, class."""
        rows = [(item.source, item.path, item.class_name) for item in self.items]
        return pd.DataFrame(rows, columns=["source", "path", "class"]).rename_axis("item").reset_index()


def draw(pool: Pool, images: int, seed: int, seconds: int = 0, author: str = "", rated: bool = False) -> Quiz:
    """Draw a quiz without keeping it; an `ErsatzError` when there are too few images for it."""
    home = pool.run.home
    dataset = Dataset.open(home, pool.run.config()["dataset"])
    pool.require_made_for(dataset)
    classes = [name for name in dataset.classes if name in pool.classes]
    if images < 2 * len(classes) or images % 2:
        raise ErsatzError(
            f"A quiz of {images} images was asked for; an even number of {2 * len(classes)} or more is expected, for "
            f"one real and one synthetic image of each of {len(classes)} classes. Choose another number."
        )
    rng = np.random.default_rng(seed)
    pairs, rest = divmod(images // 2, len(classes))
    more = set(rng.permutation(len(classes))[:rest].tolist())
    items: list[Item] = []
    for place, name in enumerate(classes):
        count = pairs + (place in more)
        reals = dataset.rows(class_name=name)
        reals = reals[reals["split"].isin(SPLITS)].drop_duplicates("sha256")
        fakes = pool.rows(name).drop_duplicates("sha256")
        if (least := min(len(reals), len(fakes))) < count:
            raise ErsatzError(
                f"The quiz needs {count} real and {count} synthetic images of {name}, and there are {len(reals)} "
                f"(training and validation) and {len(fakes)}. Choose at most {2 * least * len(classes)} images."
            )
        items += [Item(REAL, path, name) for path in _some(reals, count, rng)]
        items += [Item(SYNTHETIC, path, name) for path in _some(fakes.assign(group=""), count, rng)]
    return Quiz(
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}",
        author=author,
        created=time.time(),
        pool=pool.run.id,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        seed=seed,
        seconds=seconds,
        items=tuple(items[place] for place in rng.permutation(len(items))),
        rated=rated,
    )


def _some(rows: pd.DataFrame, count: int, rng: np.random.Generator) -> list[str]:
    """Paths of `count` rows, of as many different patients as there are."""
    shuffled = rows.iloc[rng.permutation(len(rows))]
    known = shuffled["group"] != ""
    turn = shuffled.groupby("group").cumcount().where(known, 0)
    return shuffled["path"].iloc[np.argsort(turn.to_numpy(), kind="stable")[:count]].tolist()


def begin_quiz(pool: Pool, images: int, seed: int, seconds: int, author: str, rated: bool = False) -> Quiz:
    """Draw a quiz and keep it for every reviewer."""
    quiz = draw(pool, images, seed, seconds, checked_name(author), rated)
    content = json.dumps({name: value for name, value in asdict(quiz).items() if name not in ("id", "author")})
    add(pool.run.home, QUIZZES, [{"time": quiz.created, "quiz": quiz.id, "author": quiz.author, "content": content}])
    return quiz


def open_quiz(home: Home, quiz_id: str) -> Quiz:
    """A kept quiz, or an `ErsatzError`."""
    for row in read(home, select(QUIZZES).where(QUIZZES.c.quiz == quiz_id)):
        return _quiz(row.quiz, row.author, row.content)
    raise ErsatzError(f"There is no quiz {quiz_id} here; `python -m engine review list` names those there are.")


def list_quizzes(home: Home, pool: str = "") -> list[Quiz]:
    """All quizzes, or those on one pool, the newest first."""
    rows = read(home, select(QUIZZES).order_by(QUIZZES.c.id.desc()))
    quizzes = [_quiz(row.quiz, row.author, row.content) for row in rows]
    return [quiz for quiz in quizzes if pool in ("", quiz.pool)]


def _quiz(quiz_id: str, author: str, content: str) -> Quiz:
    values = json.loads(content)
    items = tuple(Item(**item) for item in values.pop("items"))
    return Quiz(id=quiz_id, author=author, items=items, **values)


def answer(
    home: Home, quiz: Quiz, reviewer: str, item: int, given: Answer, seconds: float, sure: int = UNASKED
) -> None:
    """Keep an answer at once, with how `sure` the reviewer is where the quiz asks for it.

    One that comes after its time is none; the first one on an image stays.
    """
    if not 0 <= item < len(quiz.items) or given not in (REAL, SYNTHETIC, NONE):
        raise ErsatzError(
            f"The answer {given!r} to image {item} was given; one of the {len(quiz.items)} images of the quiz, real or "
            "synthetic, is expected. Reload the page."
        )
    given = in_time(quiz, given, seconds)
    sure = checked_sure(quiz, given, sure)
    row = {"time": time.time(), "quiz": quiz.id, "reviewer": checked_name(reviewer), "item": item}
    add(home, ANSWERS, [{**row, "answer": given, "seconds": round(seconds, 3), "sure": sure}])


def checked_sure(quiz: Quiz, given: Answer, sure: int) -> int:
    """How sure somebody is of an answer, 1 to 5, or 0 where that was not said; an `ErsatzError` for anything else.

    Answers without it count in every share and in no area under a curve.
    """
    if not quiz.rated or given == NONE:
        return UNASKED
    if sure != UNASKED and not LEAST_SURE <= sure <= MOST_SURE:
        raise ErsatzError(
            f"The answer came with {sure} as how sure the reviewer is; {LEAST_SURE} (a guess) to {MOST_SURE} (certain) "
            "is expected. Choose one of them."
        )
    return sure


def in_time(quiz: Quiz, given: Answer, seconds: float) -> Answer:
    """The answer, or none when it came too late."""
    return NONE if quiz.seconds and seconds > quiz.seconds + LATE_SECONDS else given


def answers(home: Home, quiz: Quiz) -> pd.DataFrame:
    """The first answer of each reviewer on each item: `COLUMNS`, in the order given. `sure` is 0 where nobody asked."""
    first = select(func.min(ANSWERS.c.id)).where(ANSWERS.c.quiz == quiz.id).group_by(ANSWERS.c.reviewer, ANSWERS.c.item)
    new = knows_how_sure(home)
    columns = [ANSWERS.c[name] if new or name != "sure" else literal(UNASKED).label(name) for name in COLUMNS]
    statement = select(*columns).where(ANSWERS.c.id.in_(first)).order_by(ANSWERS.c.id)
    return pd.DataFrame([tuple(row) for row in read(home, statement)], columns=COLUMNS)


def progress(home: Home, quizzes: Sequence[Quiz]) -> dict[str, dict[str, int]]:
    """How many images each reviewer has answered, by quiz."""
    counted = (
        select(ANSWERS.c.quiz, ANSWERS.c.reviewer, func.count(ANSWERS.c.item.distinct()))
        .where(ANSWERS.c.quiz.in_([quiz.id for quiz in quizzes]))
        .group_by(ANSWERS.c.quiz, ANSWERS.c.reviewer)
        .order_by(ANSWERS.c.reviewer)
    )
    found: dict[str, dict[str, int]] = {quiz.id: {} for quiz in quizzes}
    for quiz_id, reviewer, count in read(home, counted):
        found[quiz_id][reviewer] = count
    return found


def picture_path(home: Home, quiz: Quiz, item: int) -> Path:
    """The stored image of an item: an 8-bit PNG of one size and mode, whether it is real or synthetic."""
    wanted = quiz.items[item]
    folder = home.run(quiz.pool) if wanted.source == SYNTHETIC else home.dataset(quiz.dataset)
    return folder / wanted.path


def require_images(home: Home, quiz: Quiz) -> None:
    """Raise `ErsatzError` unless the images of a quiz are still those that were drawn."""
    Dataset.open(home, quiz.dataset).require_fingerprint(quiz.fingerprint, f"The quiz {quiz.id}")
    lost = [item for item in range(len(quiz.items)) if not picture_path(home, quiz, item).is_file()]
    if lost:
        raise ErsatzError(
            f"{picture_path(home, quiz, lost[0])} of the quiz {quiz.id} is gone ({len(lost)} of {len(quiz.items)}); "
            "all of its images are expected. Draw a new quiz."
        )
