"""Who may see what came out of a quiz: whoever has ended it in this tab, or has given up playing it.

A link shows nobody's results, and a name that is typed is no proof of who types it. So a reader's own result is shown
in the tab in which she ended, or to whom the login names; and all readers' results are covered until somebody uncovers
them, who can then not play that quiz in this tab any more.
"""

from __future__ import annotations

import streamlit as st

from engine.review.quiz import Quiz
from engine.review.study import Study
from engine.store.errors import ErsatzError
from pages.components.people import login_is_on
from pages.components.reviewer import reviewer

ENDED, UNCOVERED = "quiz-ended", "quiz-uncovered"


def note_end(quiz: Quiz, who: str) -> None:
    """This tab has shown the last picture of the quiz to this reader."""
    st.session_state.setdefault(ENDED, set()).add((quiz.id, who))


def may_see_own(quiz: Quiz, who: str) -> bool:
    """Whether the result of who has answered everything is shown here."""
    return login_is_on() or (quiz.id, who) in st.session_state.get(ENDED, ())


def may_see_all(found: Study) -> bool:
    """Whether all readers' results are shown here: nothing is left that this person could judge blind."""
    quiz, who = found.quiz, reviewer()
    ended = who in found.reviewers and may_see_own(quiz, who)
    return ended or quiz.id in st.session_state.get(UNCOVERED, ())


def uncover(quiz: Quiz) -> None:
    """Show all readers' results in this tab from now on, at the price of playing."""
    st.session_state.setdefault(UNCOVERED, set()).add(quiz.id)


def require_blind(quiz: Quiz) -> None:
    """Raise `ErsatzError` when this tab has shown the results of a quiz that is to be played."""
    if quiz.id in st.session_state.get(UNCOVERED, ()):
        raise ErsatzError(
            "The results of this quiz were uncovered in this tab, and pictures whose answers nobody here has seen are "
            "expected. Draw a new quiz with another seed."
        )
