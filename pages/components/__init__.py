"""What several pages share.

Until `st.navigation` has been called once in a server, Streamlit takes a folder named `pages` for the older kind of
multipage app and runs its files without app.py. A link followed right after the start of a server (as `make demo`
opens one) would then show a bare page, so the first import of this package turns that off and begins again.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    st.rerun()
