"""Eight browsers on two servers of one home press the same button at the same moment: it is done once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.served import Dashboard
from engine.jobs import submit as jobs
from engine.store.home import Home
from engine.store.runs import State, list_runs
from tests.e2e.conftest import Tab
from tests.jobs.scene import SCRIPTED, end_processes_of, ended, finish, make_dataset, training, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PRESS = """([name, at]) => {
    const button = [...document.querySelectorAll('button')].find(each => each.innerText.trim().endsWith(name));
    setTimeout(() => button.click(), at - Date.now());
}"""


@pytest.fixture
def servers(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Dashboard]]:
    """Two dashboards of one home, whose workers train by a script."""
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTED))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    make_dataset(home)
    started = [Dashboard(home, tmp_path / f"server-{number}.log") for number in range(2)]
    for server in started:
        server.start()
    yield started
    for server in started:
        server.kill()
    end_processes_of(home)


def test_one_button_in_eight_browsers(servers: list[Dashboard], home: Home, chromium: Browser) -> None:
    run = jobs.submit(home, training("patient"))
    until((run.path / "steps").exists)
    jobs.stop(run)
    assert ended(run) is State.STOPPED
    tabs = [Tab(chromium) for _ in range(8)]
    for number, tab in enumerate(tabs):
        tab.page.goto(servers[number % 2].url(f"train?run={run.id}"), wait_until="commit")
    for tab in tabs:
        tab.page.get_by_role("button", name="Resume").wait_for()
        tab.settle()
    at = 1000 * (time.time() + 1)
    for tab in tabs:
        tab.page.evaluate(PRESS, ["Resume", at])
    for tab in tabs:
        tab.page.get_by_role("button", name="Stop", exact=True).wait_for()  # whoever's press it was, it runs
        expect(tab.page.get_by_test_id("stException")).to_have_count(0)
        tab.close()
    assert [other.id for other in list_runs(home)] == [run.id]
    finish(home)
    assert ended(run) is State.FINISHED
    assert run.log_path.read_text().count(f" train {run.id}") == 2  # the first start, and one of eight
