"""The entrance of a dashboard where people sign in: nobody without a role gets past it.

The provider sends whoever signed in to the first page. Where they wanted to go is remembered meanwhile, so that a link
opens what it says, whoever opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError
from streamlit.navigation.page import Page

from engine.store.errors import ErsatzError
from engine.store.read_only import read_only
from pages.components import people, sign_in_settings
from pages.components.format import plain, plain_sentence
from pages.components.invitation import invitation

FORGERY_COOKIE = "_streamlit_xsrf"
UNREADABLE = (
    "Nobody can sign in: the settings of the sign-in cannot be read. Ask whoever runs this dashboard to mend the part "
    "[auth] of its secrets.toml; docs/team.md says what belongs there."
)
MOST_REMEMBERED = 2000
"""Characters of an address that is kept for whoever signs in; ours are shorter."""


def let_in() -> bool:
    """Whether this browser may see the pages; else `show_entrance` says why."""
    return not people.login_is_on() or (people.signed_in() and _problem() is None)


def _problem() -> str | None:
    """Why somebody who signed in may not look all the same."""
    if not people.address():
        return (
            "Your sign-in came without a confirmed e-mail address, and roles are given to those. "
            "Ask whoever runs this dashboard to let the provider send it."
        )
    try:
        if people.team().role(people.address()) is not None:
            return None
    except ErsatzError as error:
        return plain_sentence(error)
    return (
        f"`{people.address()}` has no role here. Ask whoever runs this dashboard to name you in "
        f"{people.TEAM_FILE}, then reload this page."
    )


def show_entrance(page: Page) -> None:
    """The page to sign in on, or why signing in did not help."""
    with st.container(horizontal_alignment="center"), st.container(border=True, width=460):
        st.title("Ersatz")
        st.markdown("Do synthetic images help your classifier, how many should you add, and can you trust them?")
        if people.signed_in():
            st.warning(plain_sentence(_problem() or ""), icon=":material/lock:")
            st.button("Sign out", icon=":material/logout:", on_click=st.logout)
            return
        st.caption("This dashboard belongs to a team. Sign in to see its data sets, runs and results.")
        if not sign_in_settings.auth():
            st.error(UNREADABLE, icon=":material/error:")
            return
        for provider in _providers():
            label = f"Sign in with {plain(provider.capitalize())}" if provider else "Sign in"
            if st.button(label, type="primary", icon=":material/login:", width="stretch"):
                _remember(page)
                try:
                    st.login(provider or None)
                except StreamlitAuthError as error:
                    st.error(
                        f"Nobody can sign in yet: {plain_sentence(error)} See docs/team.md.", icon=":material/error:"
                    )


def _providers() -> list[str]:
    """The names of the providers in the secrets; empty for the one without a name."""
    auth = st.secrets["auth"]
    named = [name for name, values in auth.items() if isinstance(values, Mapping) and "client_id" in values]
    return [*([""] if "client_id" in auth or not named else []), *named]


@st.cache_resource(ttl="15m", max_entries=1000, show_spinner=False)
def _wanted(browser: str) -> dict[str, Any]:
    """What a browser wanted to see before it was sent to sign in."""
    return {}


def _browser() -> str:
    """What tells this browser from others across the way to the provider and back; empty when nothing does.

    Streamlit's cookie against forged requests, without the mask that it wears differently each time.
    """
    version, _, rest = st.context.cookies.get(FORGERY_COOKIE, "").partition("|")
    try:
        mask, token, _ = rest.split("|")
        mask_bytes, token_bytes = bytes.fromhex(mask), bytes.fromhex(token)
    except ValueError:
        return ""
    if version != "2" or len(mask_bytes) != 4:
        return ""
    return bytes(byte ^ mask_bytes[place % 4] for place, byte in enumerate(token_bytes)).hex()


def _remember(page: Page) -> None:
    if browser := _browser():
        query = {name: st.query_params.get_all(name) for name in st.query_params}
        if len(str(query)) > MOST_REMEMBERED:
            return
        _wanted(browser).update(path=page.url_path, query=query)


def go_where_wanted(page: Page, pages: Sequence[Page]) -> None:
    """After signing in, open what this browser asked for before."""
    if not people.login_is_on() or page.url_path or not (browser := _browser()):
        return
    wanted = _wanted(browser)
    path, query = wanted.pop("path", ""), wanted.pop("query", {})
    for target in pages:
        if target.url_path == path != "":
            st.switch_page(target, query_params=query)
    st.query_params.from_dict({**query, **st.query_params.to_dict()})


def banner(path: str) -> None:
    """What a visitor of a public demo must know, and an invitation to the view that is open, at `path`."""
    if read_only():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge("Read-only demo", icon=":material/visibility:", color="blue")
            st.caption("Look around and move the sliders: nothing can be changed here.", width="content")
            invitation(
                "Copy invitation",
                path,
                st.query_params.to_dict(),
                "**Show this view to others.** Everybody who opens this address sees it as you do, and can change "
                "nothing.",
                key="invite-demo",
            )
