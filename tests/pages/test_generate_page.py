"""Generate: without a generator, exploring one, making a pool, and pools in every state."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.configs import PoolConfig, ProjectionConfig
from engine.sampling.latents import save_w
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
    assert len(app.image) == 1 + 16, "the picture, and those after it"
    assert "makes bleed" in texts(app)
    assert ":orange-badge[:material/science: Phantom data: says nothing about patients]" in texts(app)
    assert f"sample {trainings[0].id} --seeds 7-22" in app.code[0].value


def test_moving_the_seed_paints_another_picture(open_page: OpenPage, trainings: list[Run]) -> None:
    app = open_page("generate", run=trainings[0].id)
    app.slider(key="around").set_value(42).run()
    assert "--seeds 42-57" in app.code[0].value
    assert app.number_input(key="seed").value == 42
    app.number_input(key="seed").set_value(123_456).run()
    slider = app.slider(key="around")
    assert (slider.min, slider.value, slider.max) == (123_000, 123_456, 123_999), "the slider goes where the seed is"
    press(app, "Random")
    assert app.slider(key="around").value == app.number_input(key="seed").value != 123_456


def test_a_dcgan_morphs_and_says_that_it_has_no_w(open_page: OpenPage, trainings: list[Run]) -> None:
    app = open_page("generate", run=trainings[0].id)
    view(app, "Morph")
    assert len(app.image) == 11 + 1, "the way, and where it stands"
    assert "--space z" in app.code[0].value
    view(app, "Style mixing")
    assert "has no intermediate latent w" in texts(app)


@pytest.fixture
def stylegan(home: Home) -> Run:
    fabricated.make_dataset(home)
    return fabricated.make_stylegan(home)


def view(app: AppTest, name: str) -> None:
    app.segmented_control(key="view").set_value(name).run()
    assert not app.exception


def test_truncation_class_and_noise_are_in_the_command(open_page: OpenPage, stylegan: Run) -> None:
    app = open_page("generate", run=stylegan.id)
    assert len(app.image) == 1 + 16 + 8, "the picture, those after it, and the truncation sweep"
    app.slider(key="psi").set_value(0.5)
    app.slider(key="cutoff-4").set_value(2)
    app.segmented_control(key="noise").set_value("random").run()
    assert app.code[0].value.endswith(
        f"sample {stylegan.id} --seeds 0-15 --out pictures --class-name bleed --psi 0.5 --cutoff 2 --noise random"
    )


@pytest.mark.parametrize(
    ("name", "pictures"), [("Morph", 12), ("Style mixing", 1), ("Neighbours", 1 + 16), ("Walk", 0), ("Projection", 1)]
)
def test_every_tool_paints(open_page: OpenPage, stylegan: Run, name: str, pictures: int) -> None:
    app = open_page("generate", run=stylegan.id)
    view(app, name)
    assert len(app.image) == pictures
    assert not app.error


def test_what_a_tool_cannot_do_is_a_sentence(open_page: OpenPage, stylegan: Run) -> None:
    app = open_page("generate", run=stylegan.id)
    view(app, "Style mixing")
    app.text_input(key="rows").set_value("a-b").run()
    assert "The seeds are 'a-b'" in texts(app)
    app.text_input(key="rows").set_value("0-99").run()
    assert "at most 256 are painted here" in texts(app)


def test_a_walk_becomes_a_video(open_page: OpenPage, stylegan: Run) -> None:
    app = open_page("generate", run=stylegan.id)
    view(app, "Walk")
    app.slider(key="frames").set_value(6)
    app.text_input(key="walk").set_value("1,2").run()
    press(app, "Make the video")
    assert len(app.get("video")) == 1
    assert "Made with other settings" not in texts(app)


def projection(home: Home, generator: Run, state: State, **changes: object) -> Run:
    config = ProjectionConfig(generator=generator.id, image=str(generator.path / "samples" / "reals.png"))
    run = create_run(home, config.plain(), "projection")
    for name in ("target.png", "projected.png"):
        shutil.copy(generator.path / "samples" / "reals.png", run.path / name)
    save_w(run.path / "w.npz", np.zeros((1, 4, 100)))
    return fabricated.set_state(run, state, **changes)


def test_a_projection_is_shown_and_serves_a_morph(open_page: OpenPage, home: Home, stylegan: Run) -> None:
    result = {"loss": "pixels", "distance": 0.25, "notice": "No VGG16 here."}
    run = projection(home, stylegan, State.FINISHED, result=result)
    app = open_page("generate", run=run.id)
    assert len(app.image) == 1 + 2, "what could be projected next, the target, and what was found"
    assert "Distance (pixels): 0.25. No VGG16 here." in texts(app)
    view(app, "Morph")
    app.selectbox(key="to-is").set_value("Projection").run()
    assert not app.exception
    assert len(app.image) == 12


def test_a_failed_projection_says_why(open_page: OpenPage, home: Home, stylegan: Run) -> None:
    run = projection(home, stylegan, State.FAILED, error="This picture is broken.")
    assert "This picture is broken." in texts(open_page("generate", run=run.id))


def test_a_damaged_generator_is_said_in_a_sentence(open_page: OpenPage, trainings: list[Run]) -> None:
    (trainings[0].path / "generator.onnx").write_bytes(b"other bytes")
    app = open_page("generate", run=trainings[0].id)
    assert "was changed after its export" in texts(app)


def test_a_pool_is_submitted_with_a_generator_for_each_class(
    open_page: OpenPage, home: Home, trainings: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[PoolConfig] = []

    def submit(home: Home, config: PoolConfig, owner: str = "") -> Run:
        submitted.append(config)
        return pool_run(home, trainings, State.FAILED, error="This disk is full.")

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("generate")
    view(app, "Pools")
    next(field for field in app.number_input if field.label == "Images per class").set_value(40)
    next(field for field in app.multiselect if field.label == "Only classes").set_value(["bleed"])
    press(app, "Save pool")
    assert submitted[0].only_classes == ("bleed",)
    assert {reference.run for reference in submitted[0].generators} == {run.id for run in trainings}
    assert (submitted[0].dataset, submitted[0].images_per_class) == ("phantom", 40)
    assert "This disk is full." in texts(app), "the new run is shown"


def test_a_finished_pool_shows_its_pictures(open_page: OpenPage, home: Home, trainings: list[Run]) -> None:
    pool = fabricated.make_pool_run(home, trainings, images=16)
    app = open_page("generate", run=pool.id)
    assert len(app.image) == 16
    assert "Pictures 1 to 16 of 16 of bleed" in texts(app)
    app.segmented_control(key="of-class").set_value("normal").run()
    assert "16 of normal" in texts(app)


def test_a_running_pool_is_followed_and_a_failed_one_says_why(
    open_page: OpenPage, home: Home, trainings: list[Run], hold
) -> None:
    running = hold(pool_run(home, trainings, State.RUNNING, done=64, total=1000, unit="images", stage="sampling"))
    app = open_page("generate", run=running.id)
    assert "64 of 1,000 images" in app.get("progress")[0].proto.text
    failed = pool_run(home, trainings, State.FAILED, error="No generator of the pool makes bleed.")
    assert "No generator of the pool makes bleed." in texts(open_page("generate", run=failed.id))
