"""Generate: without a generator, exploring one, making a pool, and pools in every state."""

from __future__ import annotations

import pytest

from engine.configs import PoolConfig
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from pages.parts import runs as parts
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts


@pytest.fixture
def trainings(home: Home) -> list[Run]:
    fabricated.make_dataset(home)
    return [fabricated.make_training(home, class_name) for class_name in fabricated.CLASSES]


def pool_run(home: Home, trainings: list[Run], state: State, **changes: object) -> Run:
    references = [{"run": run.id} for run in trainings]
    config = PoolConfig.build({"name": "pool", "dataset": "phantom", "generators": references})
    return fabricated.set_state(create_run(home, config.plain(), "pool"), state, **changes)


def test_without_a_generator_it_says_what_to_do(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    fabricated.make_training(home, "bleed", State.RUNNING, done=3)
    app = open_page("generate")
    assert "There is no generator yet" in texts(app)
    assert any(link.proto.page == "train" for link in app.get("page_link"))


def test_a_generator_paints_at_once(open_page: OpenPage, trainings: list[Run]) -> None:
    app = open_page("generate", run=trainings[0].id, seed="7")
    assert len(app.image) == 1 + 16 + 11 + 1, "the picture, its neighbours, the walk, and where the walk stands"
    assert "makes bleed" in texts(app)
    assert ":orange-badge[:material/science: Phantom data: says nothing about patients]" in texts(app)
    assert f"sample {trainings[0].id} --seeds 7-22" in app.code[0].value


def test_moving_the_seed_paints_another_picture(open_page: OpenPage, trainings: list[Run]) -> None:
    app = open_page("generate", run=trainings[0].id)
    app.slider(key="seed").set_value(42).run()
    assert "--seeds 42-57" in app.code[0].value


def test_a_damaged_generator_is_said_in_a_sentence(open_page: OpenPage, trainings: list[Run]) -> None:
    (trainings[0].path / "generator.onnx").write_bytes(b"other bytes")
    app = open_page("generate", run=trainings[0].id)
    assert "was changed after its export" in texts(app)


def test_a_pool_is_submitted_with_a_generator_for_each_class(
    open_page: OpenPage, home: Home, trainings: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[PoolConfig] = []

    def submit(home: Home, config: PoolConfig) -> Run:
        submitted.append(config)
        return pool_run(home, trainings, State.FAILED, error="This disk is full.")

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("generate")
    app.segmented_control[0].set_value("Pools").run()
    next(field for field in app.number_input if field.label == "Images per class").set_value(40)
    press(app, "Save pool")
    assert {reference.run for reference in submitted[0].generators} == {run.id for run in trainings}
    assert (submitted[0].dataset, submitted[0].images_per_class) == ("phantom", 40)
    assert "This disk is full." in texts(app), "the new run is shown"


def test_a_finished_pool_shows_its_pictures(open_page: OpenPage, home: Home, trainings: list[Run]) -> None:
    pool = fabricated.make_pool_run(home, trainings, images=16)
    app = open_page("generate", run=pool.id)
    assert len(app.image) == 16
    assert "16 pictures of bleed" in texts(app)


def test_a_running_pool_is_followed_and_a_failed_one_says_why(
    open_page: OpenPage, home: Home, trainings: list[Run], hold
) -> None:
    running = hold(pool_run(home, trainings, State.RUNNING, done=64, total=1000, unit="images", stage="sampling"))
    app = open_page("generate", run=running.id)
    assert "64 of 1,000 images" in app.get("progress")[0].proto.text
    failed = pool_run(home, trainings, State.FAILED, error="No generator of the pool makes bleed.")
    assert "No generator of the pool makes bleed." in texts(open_page("generate", run=failed.id))
