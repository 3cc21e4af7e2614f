"""The home that the pages show, to whoever came in by app.py."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from engine.store.home import Home

ENTERED = "entered-by-app"


def enter() -> None:
    """Remember that app.py, which asks people to sign in, has run for this browser tab."""
    st.session_state[ENTERED] = True


def home() -> Home:
    """The home of this server: `ERSATZ_HOME`, else `checkpoints/`.

    Streamlit may run a page without app.py in the first moment of a server, for whoever comes while another browser
    is opening the first page (see `pages.components`): nothing is shown to them before they came in by the entrance.
    """
    if get_script_run_ctx() is not None and ENTERED not in st.session_state:
        st.error("This page was opened before the dashboard was ready. Reload it.", icon=":material/refresh:")
        st.stop()
    return Home.from_environment()
