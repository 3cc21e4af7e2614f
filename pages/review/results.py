"""What all reviewers' answers to a quiz say."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.report.figures import figure_reviewers
from engine.report.review_figures import SHOWN, readable_scores
from engine.review.quiz import Quiz
from engine.review.study import Study, kappa_told, kappa_words, study
from engine.store.csv_cells import table_text
from engine.store.runs import Run
from engine.sweep.statistics import Interval
from pages.components.charts import chart
from pages.components.command import show_command
from pages.components.format import plain_sentence
from pages.components.home import home
from pages.components.reviewer import reviewer
from pages.components.views import way_to
from pages.review.galleries import mistakes
from pages.review.quizzes import pick
from pages.review.views import DECIDE

HELP = {
    "accuracy": "Share of pictures that were called what they are. Guessing gives 50 %.",
    "sensitivity": "Share of the synthetic pictures that were called synthetic.",
    "specificity": "Share of the real pictures that were called real.",
}
KAPPA = (
    "How far reviewers agree beyond chance: 1 always, 0 as chance would have it. {words} by the words of Landis and "
    "Koch. Reviewers who can only guess agree by chance alone. Below: the 95 % interval, for other images of this "
    "kind and these reviewers."
)


def results(quizzes: list[Quiz]) -> None:
    """Scores with their intervals, agreement, and the pictures that fooled most."""
    quiz = pick(quizzes, "results-quiz")
    found = study(home(), quiz)
    waiting = ", ".join(f"{name} {count} of {len(quiz.items)}" for name, count in found.on_the_way.items())
    if waiting:
        st.caption(f"On the way, and not counted before the end: {waiting}")
    if not found.reviewers:
        st.info("Nobody has finished this quiz yet; the results appear here.", icon=":material/hourglass_empty:")
        return
    st.markdown(f"**{plain_sentence(found.sentence)}**")
    headline(found)
    measure = st.segmented_control(
        "Measure", list(SHOWN), default="accuracy", required=True, format_func=lambda name: SHOWN[name], key="measure",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    chart(
        figure_reviewers(found.scores, found.pooled.get(measure), measure),
        f"reviewers-{quiz.id}-{measure}",
        f"reviewers-{measure}",
        table=lambda: found.scores,
    )
    tables(found)
    pictures(found)
    what_next(found)


def headline(found: Study) -> None:
    """All reviewers together."""
    with st.container(horizontal=True):
        for measure, words in SHOWN.items():
            if each := found.pooled.get(measure):
                low, mean, high = (100 * value for value in (each.interval.low, each.interval.mean, each.interval.high))
                st.metric(
                    words,
                    f"{mean:.0f} %",
                    f"{low:.0f} to {high:.0f} %",
                    delta_color="off",
                    delta_arrow="off",
                    help=f"{HELP[measure]} Below: the 95 % interval, for other reviewers and other images of this "
                    f"kind too, on the {each.images} pictures that all of them answered.",
                    border=True,
                    width=230,
                )
        kappa = found.agreement
        if kappa.mean == kappa.mean:
            words = kappa_words(kappa.mean)
            name = "Agreement (Fleiss' κ)" if len(found.reviewers) > 2 else "Agreement (Cohen's κ)"
            st.metric(
                name, f"{kappa.mean:.2f}", f"{kappa.low:.2f} to {kappa.high:.2f} · {words}", delta_color="off",
                delta_arrow="off", help=KAPPA.format(words=words.capitalize()), border=True, width=230,
            )  # fmt: skip


def tables(found: Study) -> None:
    """Each reviewer in numbers, by class too, and the agreement of each pair."""
    by_class = st.toggle("By class", key="by-class") if found.scores["class"].nunique() > 1 else False
    rows = found.scores if by_class else found.scores[found.scores["class"] == ""]
    st.dataframe(readable_scores(rows), hide_index=True, alt="Scores of each reviewer with their 95 % intervals")
    if len(found.reviewers) > 2:
        st.markdown("**Agreement of each pair** (Cohen's κ)")
        matrix = pd.DataFrame("1", found.reviewers, found.reviewers)
        for row in found.pairs.to_dict("records"):
            told = kappa_told(Interval(row["kappa"], row["kappa_low"], row["kappa_high"]))
            matrix.loc[row["one"], row["other"]] = matrix.loc[row["other"], row["one"]] = told
        st.dataframe(matrix, width="content", alt="Cohen's kappa of each pair, with 95 % intervals for other images")


def pictures(found: Study) -> None:
    """The most fooling pictures; not before a reviewer who might still play has seen them blind."""
    quiz = found.quiz
    if reviewer() not in found.reviewers:
        st.info(
            "You have not finished this quiz. The pictures that fooled most show which ones are synthetic, and then "
            "you could not play it blind any more.",
            icon=":material/visibility_off:",
        )
        if not st.toggle("Show them all the same", key=f"unblind-{quiz.id}"):
            return
    mistakes(quiz, found.table, "The most fooling pictures")


def what_next(found: Study) -> None:
    """The answers to take away, and the way to the pool behind the quiz."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Answers (CSV)",
            lambda: table_text(found.table),
            f"{found.quiz.id}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        pool = found.quiz.pool
        if Run(home(), pool).exists():
            way_to(
                "Accept or reject its pictures", ":material/arrow_forward:", "to-deciding", DECIDE, run=found.quiz.pool
            )
    show_command(f"python -m engine review results {found.quiz.id}")
