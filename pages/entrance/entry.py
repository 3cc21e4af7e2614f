"""What a browser gets from the dashboard: the entrance, and past it the page of its address.

Streamlit runs this script, and no other by itself, for every look at a page.
"""

import streamlit as st

from pages.components import quiet_address
from pages.components.damaged import damage_notice
from pages.components.navigation import FOLDER, pages
from pages.components.notices import browser_notices, notices
from pages.components.people import login_is_on, person
from pages.components.pressable import listen
from pages.components.query_params import keep
from pages.entrance import known
from pages.entrance.drawing import draw
from pages.entrance.focus_ring import focus_ring
from pages.entrance.loading_ahead import load_ahead
from pages.entrance.sign_in import banner, go_where_wanted, let_in, show_entrance

# a picture of our own: Streamlit would fetch a named icon for the browser's tab from the network
ICON = FOLDER / "icon.svg"
st.set_page_config(page_title="Ersatz", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")
focus_ring()

allowed = let_in()
if login_is_on():
    known.note(st.context.cookies, allowed)
listed = pages(account=person().name.partition("@")[0] if allowed and login_is_on() else "")
page = st.navigation(listed, position="top" if allowed else "hidden")
if not allowed:
    show_entrance(page)
    st.stop()
go_where_wanted(page, listed)
keep(page.url_path)
banner(page.url_path)
notices()
try:
    draw(page.run)
finally:  # a page may stop early
    damage_notice()
    quiet_address.write(page.url_path)
    browser_notices()
    listen()
    load_ahead()
