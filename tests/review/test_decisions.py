"""Decisions of several reviewers, the rules, and what leaves a pool and comes back."""

from __future__ import annotations

import pytest

from engine.review.decisions import RULES, bring_back, decide, decisions, rejected, take_out, taken_out
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests import fabricated


@pytest.fixture
def pool(home: Home) -> Pool:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name, kimg=1.0) for name in fabricated.CLASSES]
    return Pool.open(fabricated.make_pool_run(home, trainings, images=4))


def test_rules_count_the_last_decision_of_each_reviewer(pool: Pool, home: Home) -> None:
    one, two, three, four, five = pool.manifest["path"].iloc[:5]
    decide(pool, [one, two, three], "Ada", "reject", "blurred")
    decide(pool, [two, three], "Grace", "accept")
    decide(pool, [three], "Emmy", "reject", "artefact")
    decide(pool, [four], "Ada", "reject", "blurred")
    decide(pool, [four], "Ada", "accept")  # changed her mind
    decide(pool, [five], "Ada", "reject", "blurred")
    decide(pool, [five], "Ada", "")  # says nothing any more
    table = decisions(home, pool.run.id)
    assert five not in set(table["path"])
    found = {rule: set(rejected(table, rule).index) for rule in RULES}
    assert found == {"any": {one, two, three}, "majority": {one, three}, "all": {one}}
    assert rejected(table, "any").loc[three, "reason"] == "rejected by Ada, Emmy: blurred; artefact"


def test_rejected_images_leave_the_pool_and_come_back_alone(pool: Pool, home: Home) -> None:
    one, two, three = pool.manifest["path"].iloc[:3]
    pool.exclude([two], "copy (quality)")
    decide(pool, [one, two], "Ada", "reject", "blurred")
    decide(pool, [three], "Grace", "reject", "artefact")
    assert sorted(take_out(pool, "any")) == [one, three], "what is out already stays out for its own reason"
    assert take_out(pool, "any") == []
    excluded = Pool.open(pool.run).manifest.set_index("path")["excluded"]
    assert dict(excluded[excluded != ""]) == {
        one: "rejected by Ada: blurred",
        two: "copy (quality)",
        three: "rejected by Grace: artefact",
    }
    assert sorted(bring_back(pool)) == [one, three]
    assert taken_out(pool) == []
    assert Pool.open(pool.run).manifest.set_index("path").loc[two, "excluded"] == "copy (quality)"


def test_decisions_need_reasons_and_known_images(pool: Pool, home: Home) -> None:
    path = pool.manifest["path"].iloc[0]
    with pytest.raises(ErsatzError, match="reject with a reason"):
        decide(pool, [path], "Ada", "reject", " ")
    with pytest.raises(ErsatzError, match="is not in the pool"):
        decide(pool, [path, "images/../../x.png"], "Ada", "accept")
    assert decisions(home, pool.run.id).empty
    assert rejected(decisions(home, pool.run.id), "any").empty
    assert take_out(pool, "majority") == []
