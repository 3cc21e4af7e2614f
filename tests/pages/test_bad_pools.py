"""A bad pool is seen to be one wherever it is met: coloured answers and twelve pictures first, and no main button."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.report.pool_verdict import PoolChecks, checks_of
from engine.sampling.pool_info import PoolInfo, PoolOrigin
from engine.store.home import Home
from engine.store.runs import Run, State
from pages.components import pool_standing
from pages.evaluate import chosen_pools
from tests import fabricated
from tests.pages.conftest import OpenPage, texts

NOISE = {"precision": 0.0, "density": 0.0, "recall": 0.0, "coverage": 0.0, "two_sample": 0.99}
GREY = {"recall": 0.0, "diversity": 0.01}


@pytest.fixture
def pool(home: Home) -> Run:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    return fabricated.make_pool_run(home, trainings, images=16)


@pytest.fixture
def checked(home: Home, pool: Run) -> Callable[[dict[str, float]], Run]:
    def make(values: dict[str, float]) -> Run:
        check = fabricated.make_quality(home, pool, flags=False)
        found = QualityScores.read(check.path / SCORES_FILE)
        scores = [
            row.model_copy(update={"value": value, "low": value, "high": value})
            if (value := values.get(row.metric)) is not None
            else row.model_copy(update={"value": row.floor, "low": row.floor_low, "high": row.floor_high})
            for row in found.scores
        ]
        clean = [
            row.model_copy(update=dict.fromkeys(("value", "low", "high"), row.expected)) for row in found.memorisation
        ]
        changed = {"scores": tuple(scores), "memorisation": tuple(clean)}
        found.model_copy(update=changed).write_to(check.path / SCORES_FILE)
        return check

    return make


def kinds(app: AppTest) -> dict[str, str]:
    return {button.label: button.proto.type for button in app.button}


def samples(app: AppTest) -> int:
    shown = [each.alt for image in app.get("image") for each in image.proto.imgs]
    return sum(alt.startswith("Synthetic picture of the class") for alt in shown)


@pytest.mark.parametrize("values", [NOISE, GREY])
def test_red_comes_first_and_demotes_the_button(
    values: dict[str, float], checked: Callable[[dict[str, float]], Run], open_page: OpenPage
) -> None:
    check = checked(values)
    app = open_page("quality", run=check.id)
    assert "Do not evaluate with this pool" in app.error[0].value
    assert samples(app) == 12
    order = [element.type for element in app.main if element.type in ("error", "image", "button", "metric", "info")]
    assert order.index("error") < order.index("image") < order.index("button"), "before every button and number"
    assert kinds(app)["Evaluate with it all the same"] == "secondary"
    assert kinds(app)["Look at all its pictures"] == "primary"
    assert not app.info


def test_a_good_pool_keeps_its_button(checked: Callable[[dict[str, float]], Run], open_page: OpenPage) -> None:
    app = open_page("quality", run=checked({}).id)
    assert not app.error and "Nothing speaks against" in app.success[0].value
    assert kinds(app)["Evaluate with this pool"] == "primary"


def test_the_pool_of_a_new_sweep_and_of_generate_say_it_too(
    checked: Callable[[dict[str, float]], Run], pool: Run, open_page: OpenPage
) -> None:
    app = open_page("evaluate", view="New sweep", pool=pool.id)
    assert "Not checked yet" in app.info[0].value and samples(app) == 12
    assert kinds(app)["Start sweep"] == "primary"
    checked(NOISE)
    app = open_page("evaluate", view="New sweep", pool=pool.id)
    assert "0 % of the synthetic images lie among the real ones" in app.error[0].value
    assert kinds(app)["Start sweep"] == "secondary"
    app = open_page("generate", view="Pools", run=pool.id)
    assert "Do not evaluate with this pool" in app.error[0].value and samples(app) == 12


def test_a_check_under_way_is_no_missing_one(
    home: Home, pool: Run, open_page: OpenPage, hold: Callable[[Run], Run]
) -> None:
    hold(fabricated.make_quality(home, pool, State.RUNNING))
    app = open_page("evaluate", view="New sweep", pool=pool.id)
    assert "A check is under way" in app.info[0].value
    assert [link.label for link in app.get("page_link")].count("Watch the check") == 1


def test_a_pool_has_its_newest_finished_check_else_one_under_way(
    home: Home, pool: Run, hold: Callable[[Run], Run]
) -> None:
    assert checks_of(home, pool.id) == PoolChecks()
    running = hold(fabricated.make_quality(home, pool, State.RUNNING))
    assert checks_of(home, pool.id) == PoolChecks(under_way=running)
    check = fabricated.make_quality(home, pool)
    assert checks_of(home, pool.id) == PoolChecks(finished=check)
    (check.path / SCORES_FILE).unlink()
    assert checks_of(home, pool.id) == PoolChecks(under_way=running)


def test_a_plan_looks_for_the_checks_of_its_pool_once(
    pool: Run, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def look(home: Home, pool: str) -> PoolChecks:
        looked.append(pool)
        return checks_of(home, pool)

    for module in (pool_standing, chosen_pools):
        monkeypatch.setattr(module, "checks_of", look)
    app = open_page("evaluate", view="New sweep", pool=pool.id)
    assert "Not checked yet" in app.info[0].value
    assert looked == [pool.id]


def test_a_control_is_a_control_wherever_it_is_met(
    checked: Callable[[dict[str, float]], Run], pool: Run, open_page: OpenPage
) -> None:
    path = pool.path / "pool.json"
    origin = PoolOrigin(kind="noise", trained_on="recorded")
    PoolInfo.read(path).model_copy(update={"origin": origin}).write_to(path)
    check = checked(NOISE)
    asked = ({"page": "quality", "run": check.id}, {"page": "generate", "view": "Pools", "run": pool.id})
    for query in (*asked, {"page": "evaluate", "view": "New sweep", "pool": pool.id}):
        app = open_page(query.pop("page"), **query)
        assert "A control: noise images, no synthetic images" in app.error[0].value
        assert "Do not evaluate" not in texts(app)


def test_a_damaged_check_does_not_hide_its_pool(
    checked: Callable[[dict[str, float]], Run], pool: Run, open_page: OpenPage
) -> None:
    check = checked({})
    (check.path / SCORES_FILE).write_text("{")
    app = open_page("generate", view="Pools", run=pool.id)
    assert [error.value for error in app.error] == []
    assert len(app.image) >= 16
    app = open_page("evaluate", view="New sweep", pool=pool.id)
    assert [error.value for error in app.error] == []
    assert "Start sweep" in kinds(app)
