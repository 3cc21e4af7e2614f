"""Where a run is to be done: on this machine or on the cluster, in homes that use one (`<home>/cluster.toml`)."""

from __future__ import annotations

import streamlit as st

from engine.cluster.settings import LOCAL, ClusterSettings, read_settings, settings_path
from engine.jobs.kinds import kind_named
from engine.jobs.places import PLACES, SLURM
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import HERE
from pages.components.errors import show_error
from pages.components.format import plain
from pages.components.home import home


def choose_place(kind: str, key: str, usual: str = "") -> str:
    """A choice of the place for a run of a kind; `usual` is what is chosen first, else what cluster.toml says.

    Where the home uses no cluster nothing is drawn, and the answer is empty. A cluster.toml that is wrong is said so,
    and runs are done here.
    """
    try:
        settings = cluster()
    except ErsatzError as error:
        show_error(f"{error} Until then runs are done on this machine.")
        return HERE
    if settings is None:
        return ""
    words = {HERE: "This machine", SLURM: cluster_in_words(settings, kind)}
    chosen = st.segmented_control(
        "Where",
        PLACES,
        default=usual or usual_place(kind),
        required=True,
        format_func=words.__getitem__,
        key=f"place-{key}",
        help="On processors of the same kind, with as many threads, it ends in the same numbers. On the cluster it "
        "waits for its turn.",
    )
    return chosen or HERE


def cluster() -> ClusterSettings | None:
    """How the home uses a cluster; None where it uses none. Read again once the file has changed.

    Raises `ErsatzError` when it is wrong.
    """
    try:
        facts = settings_path(home()).stat()
    except OSError:
        return None
    return _settings(home(), (facts.st_mtime_ns, facts.st_size, facts.st_ino))


def has_cluster() -> bool:
    """Whether the home has a cluster.toml, be it right or wrong."""
    return settings_path(home()).is_file()


def cluster_in_words(settings: ClusterSettings, kind: str) -> str:
    """What the cluster is called in a choice for runs of a kind."""
    request = settings.for_kind(kind)
    if request.executor == LOCAL:
        return "The cluster, tried out on this machine"
    return f"The cluster: partition {plain(request.partition)}" if request.partition else "The cluster"


def usual_place(kind: str) -> str:
    """Where runs of a kind go unless somebody says otherwise. Raises `ErsatzError` when cluster.toml is wrong."""
    settings = cluster()
    return settings.places.get(kind, HERE) if settings is not None and kind_named(kind).can_go else HERE


def asked_place(place: str) -> str:
    """The place to submit a run to: nobody's choice stays that, but is here while cluster.toml is wrong."""
    try:
        cluster()
    except ErsatzError:
        return place or HERE
    return place


def place_option(place: str, kind: str) -> list[str]:
    """`--place slurm` for a command that starts a run there; nothing where it would go there by itself, here."""
    try:
        as_usual = place == "" or place == usual_place(kind) == HERE
    except ErsatzError:
        as_usual = place == ""
    return [] if as_usual else ["--place", place]


@st.cache_resource(max_entries=4, show_spinner=False)
def _settings(at: Home, stamp: tuple[int, int, int]) -> ClusterSettings | None:
    return read_settings(at)
