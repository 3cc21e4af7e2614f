"""The dashboard: `streamlit run app.py`.

The script that a browser gets has a folder of its own. Beside a folder named `pages`, Streamlit would take it for the
older kind of multipage app, and tell whoever follows a link to a server just started that there is no such page.
"""

import streamlit as st
from starlette.middleware import Middleware

from pages.components.unknown_errors import on_script_error
from pages.entrance.attaching import attaching
from pages.entrance.gate import Gate

app = st.App(
    "pages/entrance/entry.py", lifespan=attaching, middleware=[Middleware(Gate)], on_script_error=on_script_error
)
