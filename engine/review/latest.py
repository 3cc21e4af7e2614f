"""When reviewers last said something of a pool: what was written of it before does not know that."""

from __future__ import annotations

from sqlalchemy import func, select

from engine.review.quiz import list_quizzes
from engine.review.store import ANSWERS, DECISIONS, read
from engine.store.home import Home


def last_said(home: Home, pool: str) -> float:
    """The time of the last answer or decision on images of a pool; 0 when there is none."""
    quizzes = [quiz.id for quiz in list_quizzes(home, pool)]
    statements = (
        select(func.max(ANSWERS.c.time)).where(ANSWERS.c.quiz.in_(quizzes)),
        select(func.max(DECISIONS.c.time)).where(DECISIONS.c.pool == pool),
    )
    return max((row[0] or 0.0 for statement in statements for row in read(home, statement)), default=0.0)
