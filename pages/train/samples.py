"""What a generator makes of the same latents as it learns, and real images or another moment to hold it beside."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from engine.store.runs import Run
from pages.components.format import amount, plain_sentence
from pages.components.images import enlarged, png
from pages.components.phantom import phantom_badge
from pages.components.pressable import look_button, tile
from pages.components.query_params import put, whole_number
from pages.components.run_summary import config_of, state_of
from pages.components.runs import live
from pages.train.closer_samples import ask_closer, closer_if_asked
from pages.train.reading import Best

LEAST, MOST = 480, 1400
"""Pixels across: smaller grids are enlarged without blur, larger ones shrunk."""
PLAY_SECONDS, PLAY_STEPS = 0.8, 24
REAL, MOMENT = "Real images", "Another moment"


def sample_wall(run: Run, best: Best | None) -> None:
    """The samples, live while the run is active; a film while it plays."""
    if st.session_state.get(_playing(run)):
        st.fragment(_wall, run_every=PLAY_SECONDS)(run, best)
    else:
        live(_wall, state_of(run).is_active)(run, best)
    # outside of the live part: the dialog would close at its next turn
    closer_if_asked(run)


def _wall(run: Run, best: Best | None) -> None:
    grids = _grids(run)
    if not grids:
        return
    moments = list(grids)
    chosen = _moment(run, moments, best) if len(moments) > 1 else moments[-1]
    _grid(grids[chosen], _told(chosen))
    phantom_badge(config_of(run)["dataset"])


def _told(moment: int) -> str:
    return f"Generated after {_shown(moment)}" if moment else "Before the training: nothing is learned yet"


def beside_them(run: Run) -> None:
    """What the samples are held beside: real images, or another moment; live, as new moments come."""
    live(_beside, state_of(run).is_active)(run)


def _beside(run: Run) -> None:
    grids = _grids(run)
    other = _other(run, list(grids)) if len(grids) > 1 else None
    if other is not None:
        _grid(grids[other], _told(other))
    elif grids:
        _grid(run.path / "samples" / "reals.png", "Real training images")


def _other(run: Run, moments: list[int]) -> int | None:
    """The moment to show beside the chosen one; None for real images."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        beside = st.segmented_control(
            "Beside the samples",
            [REAL, MOMENT],
            default=REAL,
            required=True,
            key="beside",
            bind="query-params",
            label_visibility="collapsed",
        )
        if beside == REAL:
            return None
        key = _stands_at(run, "other", _linked("other", moments, moments[0]))

        def choose() -> None:
            put("other", str(st.session_state[key]))

        return st.select_slider(
            "The other moment",
            moments,
            format_func=_kimg,
            key=key,
            on_change=choose,
            help="The same latents on both sides: an image keeps its place, and is only earlier or later.",
        )


def _moment(run: Run, moments: list[int], best: Best | None) -> int:
    """The moment to show: the newest until somebody chooses another, which the URL then holds (`?at=`, in images)."""
    moment = _linked("at", moments, moments[-1])
    if st.session_state.get(_playing(run)):
        moment = _next(moments, moment)
        _remember(moments, moment)
        if moment == moments[-1]:
            st.session_state[_playing(run)] = False
            st.rerun()
    key = _stands_at(run, "moment", moment)

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        chosen = st.select_slider(
            "Samples after",
            moments,
            key=key,
            format_func=_kimg,
            help="The same latents at every moment: each image can be followed as it comes about.",
            on_change=lambda: _remember(moments, st.session_state[key]),
        )
        if best is not None and round(1000 * best.kimg) in moments and chosen != round(1000 * best.kimg):
            st.button(
                "Best",
                icon=":material/star:",
                help=plain_sentence(best.sentence),
                key=f"to-best-{run.id}",
                on_click=_remember,
                args=(moments, round(1000 * best.kimg)),
            )
        playing = st.session_state.get(_playing(run), False)
        if st.button(
            "Pause" if playing else "Play",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            key=f"play-{run.id}",
            help="Go through the moments one after the other.",
        ):
            st.session_state[_playing(run)] = not playing
            if not playing and chosen == moments[-1]:
                _remember(moments, moments[0])
            st.rerun()
    return chosen


def _linked(parameter: str, moments: list[int], usual: int) -> int:
    """The moment that the URL names, if there is such a one."""
    wanted = whole_number(st.query_params.get(parameter, ""))
    return wanted if wanted is not None and wanted in moments else usual


def _stands_at(run: Run, slider: str, moment: int) -> str:
    """The key of a slider that stands at this moment: a new slider when the former one stands elsewhere.

    Moved by the page itself, the same slider would be taken for moved by somebody: what the browser had sent before it
    heard of that says where the slider stood, and the wall would stay there.
    """
    name = f"{slider}-{run.id}"
    number = st.session_state.get(name, 0)
    if st.session_state.get(f"{name}-{number}", moment) != moment:
        number += 1
    st.session_state[name] = number
    st.session_state.setdefault(f"{name}-{number}", moment)
    return f"{name}-{number}"


def _playing(run: Run) -> str:
    return f"playing-{run.id}"


def _next(moments: list[int], now: int) -> int:
    """A long training plays in strides, so that a film takes about twenty seconds."""
    stride = max(1, len(moments) // PLAY_STEPS)
    return moments[min(moments.index(now) + stride, len(moments) - 1)]


def _remember(moments: list[int], moment: int) -> None:
    """A moment belongs into the URL, the newest does not: the wall follows the training then."""
    put("at", "" if moment == moments[-1] else str(moment))


def _grids(run: Run) -> dict[int, Path]:
    """The sample grids by the number of real images shown before."""
    return {int(path.stem.split("-")[1]): path for path in sorted((run.path / "samples").glob("fakes-*.png"))}


def _kimg(images: int) -> str:
    return f"{amount(images / 1000)} kimg"


def _shown(images: int) -> str:
    return f"{_kimg(images)} ({images:,} images shown)"


def _grid(path: Path, caption: str) -> None:
    if path.is_file():
        with tile(path.stem, gap="xxsmall"):
            st.image(_fitted(path, path.stat().st_mtime), caption=caption, alt=caption, width="stretch")
            if look_button("Look closer", path.stem, icon=":material/zoom_in:"):
                ask_closer(path)


@st.cache_data(max_entries=32, show_spinner=False)
def _fitted(path: Path, written: float) -> bytes:
    """A grid as a PNG that a page can show as it is."""
    with Image.open(path) as image:
        if image.width < LEAST:
            return png(enlarged(np.asarray(image), LEAST))
        if image.width <= MOST:
            return path.read_bytes()
        content = io.BytesIO()
        image.resize((MOST, round(image.height * MOST / image.width)), Image.Resampling.LANCZOS).save(content, "PNG")
        return content.getvalue()
