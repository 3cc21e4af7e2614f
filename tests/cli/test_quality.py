"""`quality`, `rank`, `exclude` and `restore`: the pool that they change, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.sampling.pools import Pool
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from tests.cli.conftest import Ending
from tests.fabricated import CLASSES, make_dataset, make_pool_run, make_quality, make_training
from tests.sweep.conftest import make_dataset as make_spots
from tests.sweep.conftest import make_pool as make_spots_pool

Command = Callable[..., Ending]


@pytest.fixture
def pool(home: Home) -> Run:
    make_dataset(home)
    return make_pool_run(home, [make_training(home, name) for name in CLASSES])


def excluded(pool: Run) -> dict[str, str]:
    manifest = Pool.open(pool).manifest.set_index("path")["excluded"]
    return manifest[manifest != ""].to_dict()


def test_flagged_images_leave_the_pool_and_come_back(home: Home, command: Command, pool: Run) -> None:
    before = excluded(pool)
    check = make_quality(home, pool)
    ending = command("exclude", pool.id, "--from", check.id, "--flag", "repeat", "--json")
    assert ending.code == 0
    gone = excluded(pool)
    assert set(gone) - set(before) == set(ending.json["excluded"])
    assert len(ending.json["excluded"]) == 2
    assert {gone[path] for path in ending.json["excluded"]} == {f"repeat ({check.id})"}
    assert ending.json["left"] == len(Pool.open(pool).rows())
    back = command("restore", pool.id, "--json")
    assert excluded(pool) == {}
    assert set(back.json["restored"]) == set(gone)


def test_single_images_leave_with_their_reason(command: Command, pool: Run) -> None:
    first, second = Pool.open(pool).rows()["path"][:2]
    named = ["--image", first, "--image", second]
    assert command("exclude", pool.id, *named).code == 1  # no reason
    assert command("exclude", pool.id, *named, "--reason", "two heads").code == 0
    assert {excluded(pool)[path] for path in (first, second)} == {"two heads"}
    command("restore", pool.id, "--image", first)
    assert first not in excluded(pool)
    assert second in excluded(pool)


def test_what_cannot_be_excluded_changes_nothing(home: Home, command: Command, pool: Run) -> None:
    before = excluded(pool)
    check, running = make_quality(home, pool), make_quality(home, pool, State.FAILED)
    other = make_pool_run(home, [make_training(home, name) for name in CLASSES])
    for arguments, sentence in (
        ([pool.id], "expected either --from QUALITY_RUN or --image PATH"),
        ([pool.id, "--from", check.id, "--image", "images/x.png"], "expected either --from"),
        ([pool.id, "--image", "images/none.png", "--reason", "gone"], "is not in the manifest"),
        ([other.id, "--from", check.id], "is no quality run of the pool"),
        ([pool.id, "--from", running.id], "has flagged no image yet"),
        ([check.id, "--from", check.id], "a pool is expected"),
    ):
        ending = command("exclude", *arguments)
        assert (ending.code, ending.out) == (1, "")
        assert sentence in ending.err
    assert excluded(pool) == before


def test_only_pools_are_checked_and_only_trainings_ranked(home: Home, command: Command, pool: Run) -> None:
    training = list_runs(home, "train")[0]
    ending = command("quality", training.id)
    assert ending.code == 1
    assert "is a train run; a pool is expected" in ending.err
    ending = command("rank", pool.id)
    assert ending.code == 1
    assert "has no snapshots to rank" in ending.err
    assert not list_runs(home, "quality")
    assert not list_runs(home, "ranking")


@pytest.mark.slow
def test_a_check_from_the_command_line(home: Home, command: Command) -> None:
    pool = make_spots_pool(make_spots(home, {"train": 24, "valid": 12, "test": 4}), per_class=24)
    pool.run.update(state=State.FINISHED)
    ending = command("quality", pool.run.id, "--extractor", "pixels", "--device", "cpu")
    assert ending.code == 0
    run = list_runs(home, "quality")[0]
    assert run.state() is State.FINISHED
    for expected in (run.id, "two_sample", "real against real", "not privacy guarantees"):
        assert expected in ending.out
