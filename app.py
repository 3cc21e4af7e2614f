"""The dashboard: `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from pages.components.entrance import banner, go_where_wanted, let_in, show_entrance
from pages.components.errors import done
from pages.components.people import login_is_on, person
from pages.components.query_params import keep

# a picture of our own: Streamlit would fetch a named icon for the browser's tab from the network
ICON = Path(__file__).with_name("pages") / "icon.svg"
st.set_page_config(page_title="Ersatz", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")

allowed = let_in()
pages = [
    st.Page("pages/overview/page.py", title="Overview", icon=":material/home:", default=True),
    st.Page("pages/datasets/page.py", title="Datasets", icon=":material/photo_library:", url_path="datasets"),
    st.Page("pages/train/page.py", title="Train", icon=":material/model_training:", url_path="train"),
    st.Page("pages/generate/page.py", title="Generate", icon=":material/auto_awesome:", url_path="generate"),
    st.Page("pages/quality/page.py", title="Quality", icon=":material/fact_check:", url_path="quality"),
    st.Page("pages/evaluate/page.py", title="Evaluate", icon=":material/query_stats:", url_path="evaluate"),
    st.Page("pages/review/page.py", title="Review", icon=":material/rate_review:", url_path="review"),
    st.Page("pages/runs/page.py", title="Runs", icon=":material/list_alt:", url_path="runs"),
]
if allowed and login_is_on():
    name = person().name.partition("@")[0]
    pages.append(st.Page("pages/account/page.py", title=name, icon=":material/account_circle:", url_path="account"))
page = st.navigation(pages, position="top" if allowed else "hidden")
if not allowed:
    show_entrance(page)
    st.stop()
go_where_wanted(page, pages)
keep(page.url_path)
banner()
done(page.run)
