"""What all reviewers' answers to a quiz say."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.report.figures import figure_reader_roc, figure_reviewers
from engine.report.review_figures import SHOWN, readable_areas, readable_scores
from engine.review.quiz import Quiz
from engine.review.study import Study, kappa_told, kappa_words, study
from engine.store.csv_cells import table_text
from engine.store.runs import Run
from engine.sweep.statistics import Interval
from pages.components.charts import chart
from pages.components.command import show_command
from pages.components.format import plain_sentence
from pages.components.home import home
from pages.components.views import way_to
from pages.components.widget_keys import widget_key
from pages.review.blinding import may_see_all, uncover
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

ROC_METHOD = (
    "Each answer with its certainty is a rating from “certainly real” to “certainly synthetic”; a point of a curve is "
    "a rating from which on images are called synthetic. The area is the share of pairs of a synthetic and a real "
    "image in which the synthetic one has the higher rating. Intervals: DeLong et al. (1988), whole patients "
    "together, never narrower than Newcombe's (2006) with the variance of Hanley and McNeil (1982); all together: "
    "for other readers and other images of this kind."
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
    if not may_see_all(found):
        covered(found)
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
    ratings(found)
    mistakes(quiz, found.table, "The most fooling pictures")
    what_next(found)


def covered(found: Study) -> None:
    """How many are through, and the way to what they found: a press, which no link can make."""
    through = f"{len(found.reviewers)} reader{'' if len(found.reviewers) == 1 else 's'}"
    st.info(
        f"{through} finished this quiz. What they found is covered: it would tell you how many pictures can be told "
        "apart and which ones are synthetic, and you could not judge them blind any more. It opens by itself in the "
        "tab in which you end the quiz.",
        icon=":material/visibility_off:",
    )
    st.button(
        "I am not going to play: show the results",
        icon=":material/visibility:",
        key=widget_key("uncover", found.quiz.id),
        on_click=uncover,
        args=(found.quiz,),
    )


def ratings(found: Study) -> None:
    """ROC curves and areas from how sure the readers were."""
    if found.roc is None or found.roc.curves.empty:
        return
    st.markdown(f"**How sure they were.** {plain_sentence(found.area_sentence)}")
    chart(
        figure_reader_roc(found.roc),
        f"reader-roc-{found.quiz.id}",
        "reader-roc",
        table=lambda: found.roc.curves if found.roc is not None else pd.DataFrame(),
    )
    st.dataframe(readable_areas(found.roc), hide_index=True, width="content", alt="Areas under the readers' ROC curves")
    st.caption(ROC_METHOD)


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
