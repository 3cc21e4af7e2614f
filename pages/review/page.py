"""Review: real or fake, accept or reject, and comments; by several people at once."""

from __future__ import annotations

import streamlit as st

from engine.review.comments import recent_comments
from engine.review.quiz import list_quizzes
from engine.store.runs import State, list_runs
from pages.components.empty import empty_state
from pages.components.header import page_header
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.run_summary import state_of
from pages.components.runs import run_header
from pages.components.views import choose_view
from pages.review.deciding import accept_or_reject
from pages.review.quizzes import real_or_fake
from pages.review.remarks import remarks
from pages.review.results import results
from pages.review.views import COMMENTS, DECIDE, QUIZ, RESULTS

top = page_header(
    "Review",
    "Can an expert tell the synthetic images from real ones, and which of them should nobody train on?",
    links=("run",),
)
made = list_runs(home(), "pool")
pools = [run for run in made if state_of(run) is State.FINISHED]
quizzes = list_quizzes(home())
views = [
    *([QUIZ] if pools else []),
    *([RESULTS] if quizzes else []),
    *([DECIDE] if pools else []),
    *([COMMENTS] if pools or recent_comments(home(), 1) else []),
]
if not pools and made:
    st.info("Reviewing begins when the pool of synthetic images is there.", icon=":material/hourglass_empty:")
    run_header(made[0])
if not views:
    if not made:
        empty_state(
            "Reviewers look at the images of a pool, and there is no pool yet. Save one on the Generate page.",
            ":material/rate_review:",
            "generate",
            "Go to Generate",
        )
    end_page()

with top:
    view = choose_view(views, views[0])
if view == QUIZ:
    real_or_fake(pools)
elif view == RESULTS:
    results(quizzes)
elif view == DECIDE:
    accept_or_reject(pools)
else:
    remarks()
