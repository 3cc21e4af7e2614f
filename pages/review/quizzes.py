"""Choosing, drawing and beginning a quiz."""

from __future__ import annotations

import streamlit as st

from engine.review.quiz import Quiz, begin_quiz, draw, list_quizzes, progress
from engine.review.study import studied
from engine.sampling.pools import Pool
from engine.store.runs import Run
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.format import moment, plain, plain_sentence
from pages.components.home import home
from pages.components.invitation import invitation
from pages.components.labels import labels_of
from pages.components.people import Role, guarded, may, require
from pages.components.query_params import put
from pages.components.reviewer import author, name_field, reviewer
from pages.components.runs import choice_in_url, title
from pages.components.views import way_to
from pages.review.blinding import may_see_own
from pages.review.galleries import mistakes
from pages.review.playing import begin, given, is_playing, play
from pages.review.views import QUIZ, RESULTS

USUAL = 40
"""Images of a quiz: about three minutes, and an interval of some 15 points to either side."""
PRACTICE_QUIZZES = "practice-quizzes"


def real_or_fake(pools: list[Run]) -> None:
    """The quiz that is being played, or the choice of one."""
    quizzes = known_quizzes()
    linked = st.query_params.get("quiz")
    if playing := next((quiz for quiz in quizzes if quiz.id == linked and is_playing(quiz, reviewer())), None):
        play(playing, reviewer())
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name_field("quiz-name")
        quiz = pick(quizzes) if quizzes else None
    if quiz is not None:
        introduce(quiz, reviewer())
    with st.expander("New quiz", icon=":material/add:", expanded=quiz is None):
        new_quiz(pools)


def known_quizzes() -> list[Quiz]:
    """What there is to play; a viewer's own games are in the session alone."""
    return [*st.session_state.get(PRACTICE_QUIZZES, []), *list_quizzes(home())]


def pick(quizzes: list[Quiz], key: str = "quiz") -> Quiz:
    """A choice among quizzes, bound to `?quiz=`."""
    among = {quiz.id: quiz for quiz in quizzes}
    return among[choice_in_url("Quiz", list(among), "quiz", key, lambda quiz_id: quiz_title(among[quiz_id]))]


def quiz_title(quiz: Quiz) -> str:
    """Its pool, how many pictures and how fast, and when it was drawn."""
    run = Run(home(), quiz.pool)
    pool = title(run) if run.exists() else quiz.dataset
    limit = f" · {quiz.seconds} s each" if quiz.seconds else ""
    return f"{pool} · {len(quiz.items)} pictures{limit} · {moment(quiz.created)}"


def introduce(quiz: Quiz, who: str) -> None:
    """What awaits this reviewer, the button that begins, and at the end what came out."""
    own = given(quiz, who)
    if len(own) == len(quiz.items):
        if may_see_own(quiz, who):
            finished(quiz, who)
        else:
            ended_elsewhere(quiz, who)
        return
    with st.container(border=True):
        limit = f"You have {quiz.seconds} seconds for each." if quiz.seconds else "Take the time you need."
        st.markdown(
            f"**{len(quiz.items)} pictures, one after the other; half of them are real.** Say of each whether it is "
            f"real or synthetic: with the buttons, or with the keys ← and →. {limit} Whether you were right is told "
            "at the end."
            + (" After each answer you say how sure you are, from 1 (a guess) to 5 (certain)." if quiz.rated else "")
        )
        if may(Role.REVIEWER):
            st.caption(
                "Every answer is kept at once. Close the tab when you like and go on later under the same name. All "
                "reviewers see the same pictures, each in an order of their own."
            )
        else:
            st.caption("You play for practice: your answers stay in this tab and count in no result.")
        others = {name: count for name, count in progress(home(), [quiz])[quiz.id].items() if name != who}
        if others:
            st.caption(" · ".join(f"{plain(name)}: {count} of {len(quiz.items)}" for name, count in others.items()))
        label = f"Go on with picture {len(own) + 1}" if len(own) else "Begin"
        nameless = may(Role.REVIEWER) and not who
        begins = st.container(horizontal=True)
        if begins.button(
            label,
            type="primary",
            icon=":material/play_arrow:",
            disabled=nameless,
            help="Enter your name first." if nameless else None,
        ) and done(begin, quiz, who):
            st.rerun()
        with begins:
            invite(quiz)


def invite(quiz: Quiz) -> None:
    """The address of the quiz for others; a practice quiz is in this tab alone."""
    if quiz.id in {own.id for own in st.session_state.get(PRACTICE_QUIZZES, ())}:
        return
    invitation(
        "Copy invitation",
        "review",
        {"view": QUIZ, "quiz": quiz.id},
        f"**Invite readers.** Everybody who opens this address can judge the same {len(quiz.items)} pictures, each in "
        "an order of their own and under their own name. It shows nobody's results.",
        key=f"invite-{quiz.id}",
    )


def ended_elsewhere(quiz: Quiz, who: str) -> None:
    """That somebody of this name has answered everything; how well is for who did it to see."""
    with st.container(border=True):
        st.markdown(f"**{plain(who)} has seen all {len(quiz.items)} pictures.**")
        st.caption(
            "How well they did was shown in the tab in which they ended. A name that is entered is no proof of who "
            "enters it, so it is not shown here again. Is this not you? Enter your own name."
        )
        with st.container(horizontal=True):
            way_to("All readers' results", ":material/arrow_forward:", "to-results", RESULTS, quiz=quiz.id)
            invite(quiz)


def finished(quiz: Quiz, who: str) -> None:
    """How this reviewer did."""
    own = studied(quiz, given(quiz, who))
    row = own.scores[own.scores["class"] == ""].iloc[0]
    with st.container(border=True):
        st.markdown(f"**You have seen all {len(quiz.items)} pictures.**")
        with st.container(horizontal=True):
            for label, measure in (
                ("Right", "accuracy"),
                ("Synthetic found", "sensitivity"),
                ("Real found", "specificity"),
            ):
                low, high = row[f"{measure}_low"], row[f"{measure}_high"]
                st.metric(
                    label,
                    f"{100 * row[measure]:.0f} %",
                    help=f"95 % interval {100 * low:.0f} to {100 * high:.0f} %; guessing gives 50 %.",
                    border=True,
                    width=170,
                )
            st.metric("Without an answer", int(row["no_answer"]), border=True, width=170)
            st.metric("Seconds a picture", f"{row['seconds']:.1f}", help="Median.", border=True, width=170)
            if own.roc is not None and own.roc.pooled is not None:
                area = own.roc.pooled.interval
                st.metric(
                    "Area (ROC)",
                    f"{area.mean:.2f}",
                    help=f"Of your ratings; 95 % interval {area.low:.2f} to {area.high:.2f}; guessing gives 0.5.",
                    border=True,
                    width=170,
                )
        st.caption(plain_sentence(own.sentence.replace("1 reviewer", "You", 1)))
        if may(Role.REVIEWER):
            with st.container(horizontal=True):
                way_to("All reviewers' results", ":material/arrow_forward:", "to-results", RESULTS, quiz=quiz.id)
                invite(quiz)
    mistakes(quiz, own.table, "What you took for the other")


def new_quiz(pools: list[Run]) -> None:
    """Choose a pool and how many of its images to mix with real ones."""
    among = {run.id: run for run in pools}
    linked = st.query_params.get("run")
    with st.form("new-quiz", border=False):
        pool = st.selectbox(
            "Pool",
            list(among),
            index=list(among).index(linked) if linked in among else 0,
            format_func=labels_of(pools).__getitem__,
            help="Its images are mixed with as many real ones of the training and validation parts.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            images = st.number_input(
                "Pictures", 4, 1000, USUAL, 2, help="Half of them real. More pictures tell more: see the interval."
            )
            seconds = st.number_input("Seconds for each", 0, 600, 0, help="0: no limit. Later is no answer.")
            seed = st.number_input(
                "Seed",
                0,
                2**31 - 1,
                0,
                help="The same seed draws the same pictures of the same pool: take another one for readers who have "
                "been told the answers of the first.",
            )
        rated = st.checkbox(
            "Ask how sure they are of each answer, from 1 to 5",
            True,
            help="It gives each reader a ROC curve and the area below it, which do not depend on whether somebody says "
            "real or synthetic when in doubt. One press more a picture.",
        )
        if may(Role.REVIEWER):
            pressed = st.form_submit_button("Draw the pictures", icon=":material/shuffle:", **guarded(Role.REVIEWER))
        else:
            pressed = st.form_submit_button("Draw for practice", icon=":material/shuffle:")
    if pressed and done(drawn if may(Role.REVIEWER) else practice, among[pool], images, seed, seconds, rated):
        st.rerun()
    show_command(
        f"python -m engine review begin {pool} --images {images}"
        + (f" --seconds {seconds}" if seconds else "")
        + (f" --seed {seed}" if seed else "")
        + ("" if rated else " --not-rated")
    )


def drawn(run: Run, images: int, seed: int, seconds: int, rated: bool) -> None:
    """Draw a quiz for all reviewers and open it."""
    require(Role.REVIEWER)
    quiz = begin_quiz(Pool.open(run), images, seed, seconds, author(), rated)
    put("quiz", quiz.id)


def practice(run: Run, images: int, seed: int, seconds: int, rated: bool) -> None:
    """Draw a quiz for this session alone."""
    quiz = draw(Pool.open(run), images, seed, seconds, rated=rated)
    kept = st.session_state.setdefault(PRACTICE_QUIZZES, [])
    st.session_state[PRACTICE_QUIZZES] = [quiz, *kept][:5]
    put("quiz", quiz.id)
