"""Account: who is signed in, and what they may do."""

from __future__ import annotations

import streamlit as st

from pages.components.header import page_header
from pages.components.people import Role, person

MAY = {
    Role.VIEWER: "look at everything, try generators and download",
    Role.REVIEWER: "judge images (Real or fake?, accept or reject) and comment on runs",
    Role.EDITOR: "import data, start, stop and delete runs, and take images out of pools",
}

page_header("Account", "Who you are here, and what you may do.")
you = person()
with st.container(border=True, width=720):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(you.name, width="content")
        st.badge(you.role.word, icon=":material/badge:", color="blue")
    for role, what in MAY.items():
        allowed = you.role >= role
        st.markdown(f"{':material/check: You may' if allowed else ':material/block: You may not'} {what}.")
    if you.role < Role.EDITOR:
        st.caption("Whoever runs this dashboard gives roles.")
    st.button("Sign out", icon=":material/logout:", on_click=st.logout)
