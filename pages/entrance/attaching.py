"""Runs on the cluster whose supervisor is gone, as after a restart of this machine, get one when the server starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread

import streamlit as st

from engine.cluster.settings import read_settings
from engine.jobs.submit import attach_all
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.read_only import read_only
from pages.components.home import home


@asynccontextmanager
async def attaching(app: st.App) -> AsyncIterator[None]:
    """For the life of the server, which does not wait for it."""
    if not read_only():
        Thread(target=attach_runs, args=(home(),), daemon=True).start()
    yield


def attach_runs(at: Home) -> None:
    """Look after the runs of a home that uses a cluster; one whose cluster.toml is wrong has its runs left alone."""
    with suppress(ErsatzError):
        if read_settings(at) is not None:
            attach_all(at)
