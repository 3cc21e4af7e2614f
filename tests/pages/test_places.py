"""Where runs are done: the choice in every form of a home with a cluster, and runs there that wait and run."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.cluster.settings import FILE
from engine.configs import Config
from engine.store import index
from engine.store.home import Home
from engine.store.read_only import READ_ONLY
from engine.store.runs import Run, State, create_run, list_runs
from pages.components import runs as parts
from pages.entrance import attaching
from tests import fabricated
from tests.fabricated.clusters import break_cluster, make_cluster, on_cluster
from tests.pages.conftest import OpenPage, press, texts
from tests.pages.train.conftest import write_snapshot

WORDS = "Job 123 waits for a GPU of partition gpu."
FORMS: list[tuple[str, dict[str, str], str, list[str]]] = [
    ("train", {"view": "new"}, "train", ["Start training"]),
    ("train", {"view": "new"}, "train", ["Dry run"]),
    ("generate", {"view": "Pools", "new": "any"}, "pool", ["Save pool"]),
    ("generate", {"view": "Pools"}, "pool-control", ["Make control"]),
    ("quality", {"view": "New check"}, "check", ["Start check"]),
    ("quality", {"view": "Snapshots"}, "rank-TRAIN", ["Rank the snapshots"]),
    ("datasets", {"dataset": "phantom", "view": "map"}, "map-phantom", ["Draw the map"]),
    ("evaluate", {"view": "New sweep"}, "sweep", ["Start sweep"]),
    ("overview", {}, "demo", ["Try the demo"]),
]


def make_chain(home: Home) -> Run:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    fabricated.make_pool_run(home, trainings)
    return trainings[0]


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Kinds and places of the runs that pages start."""
    found: list[tuple[str, str]] = []

    def submit(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        found.append((config.plain()["kind"], place))
        run = create_run(home, config.plain(), "a run")
        run.update(state=State.FAILED, error="It was only asked for.")
        return run

    monkeypatch.setattr(parts, "submit", submit)
    return found


def choices(app: AppTest) -> dict[str, Any]:
    """The choices of a place on a page, by their keys."""
    return {str(one.key).removeprefix("place-"): one for one in app.segmented_control if one.label == "Where"}


@pytest.mark.parametrize(("page", "query", "key", "buttons"), FORMS, ids=[f"{form[0]} {form[3][0]}" for form in FORMS])
def test_every_form_has_a_choice_where_there_is_a_cluster(
    home: Home, open_page: OpenPage, submitted: list[tuple[str, str]], page: str, query: dict, key: str, buttons: list
) -> None:
    training = make_chain(home)
    write_snapshot(training)  # to be ranked
    key = key.replace("TRAIN", training.id)
    app = open_page(page, **query)
    assert not choices(app) and "--place" not in "".join(code.value for code in app.code)

    make_cluster(home)
    app = open_page(page, **query)
    where = choices(app)[key]
    assert (where.value, list(where.options)) == ("here", ["This machine", "The cluster: partition gpu"])
    assert "--place" not in "".join(code.value for code in app.code)
    where.set_value("slurm").run()
    shows_command = page != "overview" and key != "pool-control"
    assert any("--place slurm" in code.value for code in app.code) == shows_command, "the command says so too"
    press(app, *buttons)
    assert {place for _, place in submitted} == {"slurm"}


def test_the_usual_place_of_a_kind_comes_first(
    home: Home, open_page: OpenPage, submitted: list[tuple[str, str]]
) -> None:
    make_chain(home)
    make_cluster(home, partition="", places={"train": "slurm"})
    app = open_page("train", view="new")
    where = choices(app)["train"]
    assert (where.value, list(where.options)) == ("slurm", ["This machine", "The cluster"])
    where.set_value("here").run()
    assert any("--place here" in code.value for code in app.code), "else the command would take it to the cluster"
    press(app, "Start training")
    assert set(submitted) == {("train", "here")}


def test_a_broken_cluster_toml_is_a_sentence_and_runs_here_still_start(home: Home, open_page: OpenPage) -> None:
    make_chain(home)
    break_cluster(home)
    app = open_page("generate", view="Pools")
    assert not choices(app)
    assert any(FILE in error.value and "cpus" in error.value for error in app.error)
    press(app, "Make control")
    (run,) = [run for run in list_runs(home, "pool") if run.config().get("control")]
    assert run.status().place == "here"


def test_a_run_that_waits_on_the_cluster_says_for_what(home: Home, open_page: OpenPage, hold) -> None:
    make_cluster(home)
    make_chain(home)
    run = hold(on_cluster(fabricated.make_training(home, "bleed", State.QUEUED, done=0)))
    for page in ("runs", "train"):
        app = open_page(page, run=run.id)
        assert WORDS in texts(app)
        assert "It starts by itself" not in texts(app) and "job 123" in texts(app)

    app = open_page("runs")
    row = next(row for _, row in app.dataframe[0].value.iterrows() if row["run"] == run.id)
    assert row["where"] == WORDS
    assert "Waiting on the cluster" in texts(app) and "Queue" not in [each.value for each in app.subheader]
    press(press(app, "Cancel"), "Cancel", "Cancel the run")
    assert run.stop_requested()


def test_both_queues_stand_below_each_other(home: Home, open_page: OpenPage, hold) -> None:
    make_cluster(home)
    make_chain(home)
    hold(on_cluster(fabricated.make_training(home, "bleed", State.QUEUED, done=0)))
    here = hold(fabricated.make_training(home, "normal", State.QUEUED, done=0))
    index.enqueue(home, here.id)
    assert [each.value for each in open_page("runs").subheader] == ["Queue", "Waiting on the cluster"]


def test_a_run_on_a_node_names_it_and_an_array_counts_its_tasks(home: Home, open_page: OpenPage, hold) -> None:
    make_cluster(home)
    make_chain(home)
    running = {"state": "RUNNING", "node": "n7", "words": "", "running": 1, "waiting": 0}
    run = hold(on_cluster(fabricated.make_training(home, "bleed", State.RUNNING, done=3), State.RUNNING, **running))
    run.update(device="n7")
    app = open_page("runs", run=run.id)
    (facts,) = [caption.value for caption in app.caption if "job 123 on n7" in caption.value]
    assert facts.count("n7") == 1, "the node is said once"

    ids = tuple(f"123_{number}" for number in range(10))
    on_cluster(run, State.RUNNING, ids=ids, id="123_0", parts=True, running=5, waiting=3, words="")
    assert "5 of 10 tasks run, 3 wait, 2 are done." in texts(open_page("runs", run=run.id))
    on_cluster(run, State.RUNNING, ids=ids, id="123_0", parts=True, running=0, waiting=10)
    told = "None of 10 tasks runs yet, 10 wait; the next one waits for a GPU of partition gpu."
    assert told in texts(open_page("runs", run=run.id))


def test_a_damaged_job_json_hides_nothing(home: Home, open_page: OpenPage, hold) -> None:
    make_cluster(home)
    make_chain(home)
    run = hold(on_cluster(fabricated.make_training(home, "bleed", State.QUEUED, done=0)))
    (run.path / "job.json").write_text("{torn")
    assert "It is being handed to the scheduler." in texts(open_page("runs", run=run.id))


def test_the_logs_of_jobs_are_reachable(home: Home, open_page: OpenPage) -> None:
    make_cluster(home)
    make_chain(home)
    run = on_cluster(fabricated.make_training(home, "bleed", State.FAILED, done=3), State.FAILED)
    assert not [box for box in open_page("runs", run=run.id).selectbox if box.label == "Log"]
    (run.path / "slurm").mkdir()
    (run.path / "slurm" / "123_0_log.out").write_text("no such module: cuda/99")
    app = open_page("runs", run=run.id)
    assert [box.value for box in app.selectbox if box.label == "Log"] == ["123_0_log.out"]
    assert any("no such module: cuda/99" in code.value for code in app.code)


def test_run_again_and_resume_keep_the_place(
    home: Home, open_page: OpenPage, submitted: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cluster(home)
    make_chain(home)
    run = on_cluster(fabricated.make_training(home, "bleed", State.FAILED, done=3), State.FAILED)
    app = open_page("runs", run=run.id)
    assert any("--place slurm" in code.value for code in app.code)
    press(app, "Run again")
    assert submitted == [("train", "slurm")]


def test_an_export_leads_to_its_generator(home: Home, open_page: OpenPage, hold) -> None:
    training = make_chain(home)
    run = create_run(home, {"kind": "export", "run": training.id, "snapshot": "x", "snapshot_sha256": ""}, "export")
    hold(run)
    app = open_page("generate", run=run.id)
    assert "Export · Train phantom · bleed" in texts(app) and "Stop" in [button.label for button in app.button]
    run.update(state=State.FINISHED)
    assert open_page("generate", run=run.id).query_params["run"] in (training.id, [training.id])


def test_the_server_looks_after_runs_of_a_home_with_a_cluster(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of others it reads nothing, and a cluster.toml that is wrong leaves all runs alone."""
    looked: list[Home] = []
    monkeypatch.setattr(attaching, "attach_all", looked.append)
    attaching.attach_runs(home)
    make_cluster(home)
    attaching.attach_runs(home)
    break_cluster(home)
    attaching.attach_runs(home)
    assert looked == [home]


@pytest.mark.parametrize("demo", [False, True])
def test_the_server_looks_when_it_starts_but_not_in_a_demo(
    home: Home, monkeypatch: pytest.MonkeyPatch, demo: bool
) -> None:
    looked, begun = [], threading.Event()
    monkeypatch.setattr(attaching, "attach_runs", lambda at: (looked.append(at), begun.set()))
    monkeypatch.setenv(READ_ONLY, "1" if demo else "")

    async def live() -> None:
        async with attaching.attaching(None):
            assert begun.wait(0 if demo else 10) is not demo

    thread = threading.Thread(target=asyncio.run, args=(live(),))  # this one may have a loop of its own
    thread.start()
    thread.join(20)
    assert looked == ([] if demo else [home])
