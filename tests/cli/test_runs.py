"""What the command line says of runs, and what people say of them through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.store import index
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import State, create_run
from tests import fabricated

Command = Callable[..., Any]


def test_title_tags_and_archive(command: Command, home: Home) -> None:
    fabricated.make_dataset(home)
    good, other = (fabricated.make_training(home, name) for name in fabricated.CLASSES)
    said = command("about", good.id, "--title", "The good one", "--tag", "best", "--tag", "paper", "--json").json
    assert (said["title"], said["tags"]) == ("The good one", ["best", "paper"])
    assert command("about", good.id, "--untag", "paper", "--json").json["tags"] == ["best"]
    assert "The good one" in command("runs").out
    assert [run["run"] for run in command("runs", "--tag", "best", "--json").json] == [good.id]
    assert command("about", other.id, "--archive", "--json").json["archived"] is True
    assert [run["run"] for run in command("runs", "--json").json] == [good.id]
    assert {run["run"] for run in command("runs", "--archived", "--json").json} == {good.id, other.id}
    assert command("about", other.id, "--restore", "--json").json["archived"] is False
    refused = command("about", good.id, "--tag", "a,b")
    assert (refused.code, "cannot be a tag" in refused.err) == (1, True)


def test_queue_is_listed_and_reordered(command: Command, home: Home) -> None:
    runs = [create_run(home, {"kind": "train", "dataset": name}, name) for name in ("one", "two", "three")]
    locks = [FileLock(run.lock_path) for run in runs]
    for run, lock in zip(runs, locks, strict=True):
        assert lock.acquire()
        run.update(state=State.QUEUED)
        index.enqueue(home, run.id)
    first, second, third = (run.id for run in runs)
    assert command("queue", "--json").json == [first, second, third]
    assert command("queue", third, "--json").json == [third, first, second]
    assert command("queue", third, "--to", "2", "--json").json == [first, third, second]
    for lock in locks:
        lock.release()
    assert "No run is waiting" in command("queue").out


def test_delete_says_what_it_means_before_it_asks(command: Command, home: Home, monkeypatch) -> None:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    pool = fabricated.make_pool_run(home, trainings)
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda question, abort: asked.append(question))
    ending = command("delete", trainings[0].id)
    assert "nobody can make images with it any more" in ending.err
    assert f"Cannot be repeated without it: {pool.id}" in ending.err
    assert "MiB" in asked[0]
    assert not trainings[0].exists()
    assert pool.exists()
