"""Generate: without a generator, exploring one, making a pool, and pools in every state."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.configs import Config, PoolConfig, ProjectionConfig
from engine.jobs import slots
from engine.jobs.prepare import prepare
from engine.jobs.slots import Slot
from engine.projection.results import ProjectionResult
from engine.sampling.latents import save_w
from engine.sampling.pool_making import make
from engine.sampling.pools import Pool
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError, OutOfMemory
from engine.store.files import read_json, write_json
from engine.store.home import Home
from engine.store.locks import is_held
from engine.store.read_only import READ_ONLY
from engine.store.runs import Run, State, create_run
from pages.components import runs as parts
from pages.components.people import DEMO_PICTURES
from pages.components.pool_standing import SAMPLES
from pages.datasets.browsing import FIELD
from pages.generate import painting, unexported
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts

URL = "data:image/png;base64,"


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


def test_kept_seeds_are_in_the_link(open_page: OpenPage, trainings: list[Run]) -> None:
    app = open_page("generate", run=trainings[0].id, seed="7", kept="3,5,x,3,99999999999")
    assert "--seeds 3,5" in texts(app), "what is no seed is passed over"
    press(app, "Keep")
    assert app.query_params["kept"] == "3,5,7"
    assert len(app.image) == 1 + 16 + 3
    press(app, "Remove")
    assert app.query_params["kept"] == "3,5"
    press(app, "Remove all")
    assert "kept" not in app.query_params


def test_the_large_picture_comes_before_the_wall(
    open_page: OpenPage, trainings: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[int] = []
    monkeypatch.setattr(painting, "_seed", lambda path, written, seed, look: wanted.append(seed) or (URL, URL))
    open_page("generate", run=trainings[0].id, seed="300")
    assert wanted[:3] == [300, 300, 301], "whoever moves the slider waits for one picture only"


def test_a_picture_is_painted_once_for_everybody(
    open_page: OpenPage, trainings: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "randrange", lambda most: most - 1)  # where Random goes, which is painted ahead
    open_page("generate", run=trainings[0].id, seed="400")
    painted = painting._seed.cache_info().misses
    open_page("generate", run=trainings[0].id, seed="401")
    misses = painting._seed.cache_info().misses
    assert misses == painted + 1, "fifteen of the sixteen were there, and what is painted ahead"
    fabricated.make_training(trainings[0].home, "bleed")
    (trainings[0].path / "generator.json").touch()
    open_page("generate", run=trainings[0].id, seed="401")
    anew = painting._seed.cache_info().misses - painted - 1
    assert anew == 16 + 2, "a newer export paints anew, and ahead the seed to the left and the one by chance"


def test_a_public_demo_paints_within_bounds(
    open_page: OpenPage, trainings: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    app = open_page("generate", run=trainings[0].id, seed="500")
    assert max(int(option) for option in app.selectbox(key="count").options) + 1 + 8 <= DEMO_PICTURES
    view(app, "Walk")
    assert next(button for button in app.button if button.label == "Make the video").disabled
    held = painting._turns()
    assert held.acquire() and held.acquire()
    monkeypatch.setattr(painting, "PATIENCE", 0.01)
    try:
        assert "Many visitors" in texts(open_page("generate", run=trainings[0].id, seed="600"))
    finally:
        held.release()
        held.release()


def test_a_training_that_was_stopped_can_be_looked_at(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.make_dataset(home)
    stopped = fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    (stopped.path / "snapshots").mkdir(exist_ok=True)
    (stopped.path / "snapshots" / "network-000003000.safetensors").write_bytes(b"")
    asked: list[str] = []

    def fail(run: Run, snapshot: str) -> None:
        asked.append(snapshot)
        raise ErsatzError("It is broken.")

    monkeypatch.setattr(unexported, "run_export", fail)
    app = open_page("generate")
    assert "There is no generator yet" in texts(app)
    press(app, "Look at it")
    assert asked == ["network-000003000.safetensors"]
    assert "It is broken." in texts(app)
    app = open_page("generate", run=stopped.id)
    assert "ended after 3 kimg" in texts(app)
    press(app, "Make its generator")
    assert asked == 2 * ["network-000003000.safetensors"]


def test_one_press_leads_from_a_stopped_training_to_its_pictures(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.make_dataset(home)
    stopped = fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    (stopped.path / "snapshots").mkdir(exist_ok=True)
    (stopped.path / "snapshots" / "network-000003000.safetensors").write_bytes(b"")
    asked: list[tuple[str, str]] = []
    led: list[dict[str, str]] = []
    monkeypatch.setattr(unexported, "run_export", lambda run, snapshot: asked.append((run.id, snapshot)))
    monkeypatch.setattr(unexported.st, "switch_page", lambda page, query_params: led.append(query_params))
    press(open_page("train", run=stopped.id), "Generate with it")
    assert asked == [(stopped.id, "network-000003000.safetensors")]
    assert led == [{"run": stopped.id}]


def test_a_pool_without_one_of_the_classes_is_warned_of(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    fabricated.make_training(home, "bleed", State.FINISHED)
    waiting = fabricated.make_training(home, "normal", State.QUEUED, done=0)
    app = open_page("generate", view="Pools")
    assert "No generator is chosen for normal" in texts(app)
    queries = [link.proto.query_string for link in app.get("page_link")]
    assert f"run={waiting.id}" in queries, "the way to the training that it waits for"


def test_a_dcgan_morphs_and_says_that_it_has_no_w(open_page: OpenPage, trainings: list[Run]) -> None:
    app = open_page("generate", run=trainings[0].id)
    view(app, "Morph")
    assert len(app.image) == 11 + 1, "the way, and where it stands"
    assert "--space z" in app.code[0].value
    offered = app.segmented_control(key="view").options
    assert not {"Style mixing", "Projection"} & {*offered}, "a view that could show nothing"
    app = open_page("generate", run=trainings[0].id, view="Style mixing")
    assert "needs a generator with an intermediate latent w" in texts(app)
    assert len(app.image) > 1, "and the usual view"


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
    result = ProjectionResult(loss="pixels", distance=0.25, distance_of_w_alone=0.5, notice="No VGG16 here.").plain()
    run = projection(home, stylegan, State.FINISHED, result=result)
    app = open_page("generate", run=run.id)
    assert len(app.image) == 1 + 2, "what could be projected next, the target, and what was found"
    assert "Distance (pixels): 0.25. No VGG16 here." in texts(app)
    view(app, "Morph")
    app.selectbox(key="to-is").set_value("Projection").run()
    assert not app.exception
    assert len(app.image) == 12


def test_the_way_from_a_projection_to_its_morph_is_in_the_address(
    open_page: OpenPage, home: Home, stylegan: Run
) -> None:
    result = ProjectionResult(loss="pixels", distance=0.25, distance_of_w_alone=0.5, notice="").plain()
    older = projection(home, stylegan, State.FINISHED, result=result)
    projection(home, stylegan, State.FINISHED, result=result)
    app = press(open_page("generate", run=older.id), "Morph from it")
    assert app.query_params["view"] in ("Morph", ["Morph"])
    assert app.query_params["run"] in (stylegan.id, [stylegan.id])
    assert app.selectbox(key="from-is").value == "Projection"
    assert app.selectbox(key="end-run-From").value == older.id, "this one, not the newest"


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

    def submit(home: Home, config: PoolConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        submitted.append(config)
        return pool_run(home, trainings, State.FAILED, error="This disk is full.")

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("generate")
    view(app, "Pools")
    next(field for field in app.number_input if field.label == "Images per class").set_value(40)
    next(field for field in app.multiselect if field.label == "Only these classes").set_value(["bleed"])
    press(app, "Save pool")
    assert submitted[0].only_classes == ("bleed",)
    assert {reference.run for reference in submitted[0].generators} == {run.id for run in trainings}
    assert (submitted[0].dataset, submitted[0].images_per_class) == ("phantom", 40)
    assert "This disk is full." in texts(app), "the new run is shown"


def test_a_control_is_made_from_the_page_and_never_shown_as_synthetic(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any generator too: nothing here needs one."""
    fabricated.make_dataset(home)

    def submit(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
        complete = prepare(home, config)
        run = create_run(home, complete.plain(), "pool")
        assert make(run, complete) == "finished"
        return fabricated.set_state(run, State.FINISHED)

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("generate")
    app.segmented_control(key="which-control").set_value("noise").run()
    press(app, "Make control")
    assert "Control: noise images, no synthetic images" in texts(app)
    assert "a negative control" in texts(app)
    assert "python -m engine pool control noise --control noise --dataset phantom" in app.code[-1].value
    folder = home.root / "made elsewhere"
    for name in fabricated.CLASSES:
        (folder / name).mkdir(parents=True)
        Image.fromarray(fabricated.picture(9_000 + len(name), name)).save(folder / name / "1.png")
    app.text_input(key=FIELD).set_value(str(folder)).run()
    press(app, "Import pool")
    assert "2 images that were made elsewhere" in texts(app)
    assert "Whether their generator saw test images is not known." in texts(app)


def test_a_finished_pool_shows_its_pictures(open_page: OpenPage, home: Home, trainings: list[Run]) -> None:
    pool = fabricated.make_pool_run(home, trainings, images=16)
    app = open_page("generate", run=pool.id)
    assert len(app.image) == SAMPLES + 16
    assert "Pictures 1 to 16 of 16 of bleed" in texts(app)
    app.segmented_control(key="of-class").set_value("normal").run()
    assert "16 of normal" in texts(app)
    press(app, "Seed 3")
    assert "**normal**, seed 3" in texts(app), "the dialog"
    press(app, "Seed 3", "Explore around it")
    assert app.segmented_control(key="view").value == "Explore"
    assert app.query_params["run"] in (trainings[1].id, [trainings[1].id])
    assert app.number_input(key="seed").value == 3


def test_a_page_of_a_pool_is_linked_and_another_class_begins_on_the_first(
    open_page: OpenPage, home: Home, trainings: list[Run]
) -> None:
    pool = fabricated.make_pool_run(home, trainings, images=60)
    app = open_page("generate", run=pool.id, page="2")
    assert "Pictures 31 to 60 of 60 of bleed" in texts(app)
    app.segmented_control(key="of-class").set_value("normal").run()
    assert "Pictures 1 to 30 of 60 of normal" in texts(app)


def test_a_picture_of_a_pool_is_explored_as_it_was_made(open_page: OpenPage, home: Home, trainings: list[Run]) -> None:
    pool = fabricated.make_pool_run(home, trainings, images=4)
    manifest = pd.read_csv(pool.path / "manifest.csv", keep_default_na=False)
    manifest.assign(generator=fabricated.make_stylegan(home).id).to_csv(pool.path / "manifest.csv", index=False)
    write_json(pool.path / "pool.json", read_json(pool.path / "pool.json") | {"psi": 0.7, "psi_cutoff": 2})
    app = open_page("generate", run=pool.id)
    app.segmented_control(key="of-class").set_value("normal").run()
    press(app, "Seed 3")
    press(app, "Seed 3", "Explore around it")
    assert app.code[0].value.endswith("--seeds 3-18 --out pictures --class-name normal --psi 0.7 --cutoff 2")


def test_left_out_pictures_say_why(open_page: OpenPage, home: Home, trainings: list[Run]) -> None:
    run = fabricated.make_pool_run(home, trainings, images=60)
    pool = Pool.open(run)
    pool.exclude([pool.rows("bleed")["path"].iloc[0]], "blurred")
    app = open_page("generate", run=run.id)
    assert len(app.image) == SAMPLES + 30
    app.segmented_control(key="shows").set_value("Left out").run()
    assert len(app.image) == SAMPLES + 1
    press(app, "Seed 0")
    assert "Left out: blurred" in texts(app)


def test_a_pool_can_be_made_again_with_changes(open_page: OpenPage, home: Home, trainings: list[Run]) -> None:
    former = pool_run(home, trainings[:1], State.FAILED)
    app = open_page("generate", again=former.id)
    assert app.segmented_control(key="view").value == "Pools"
    assert app.multiselect[0].value == [trainings[0].id]
    assert next(field for field in app.text_input if field.label == "Name").value == "pool"


def test_a_running_pool_is_followed_and_a_failed_one_says_why(
    open_page: OpenPage, home: Home, trainings: list[Run], hold
) -> None:
    running = hold(pool_run(home, trainings, State.RUNNING, done=64, total=1000, unit="images", stage="sampling"))
    app = open_page("generate", run=running.id)
    assert "64 of 1,000 images" in app.get("progress")[0].proto.text
    failed = pool_run(home, trainings, State.FAILED, error="No generator of the pool makes bleed.")
    assert "No generator of the pool makes bleed." in texts(open_page("generate", run=failed.id))


@pytest.fixture
def gpu(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    """A GPU, by its slot; what is opened on it stays on the processor all the same."""
    slot = Slot("cuda:0", {"CUDA_VISIBLE_DEVICES": "0"})
    for module in (slots, painting):
        monkeypatch.setattr(module, "cuda_slots", lambda: [slot])
    painting._open_on_gpu.clear()
    yield slot
    painting._open_on_gpu.clear()


def test_pictures_are_painted_on_a_gpu_that_no_run_has(
    gpu: Slot, home: Home, trainings: list[Run], monkeypatch
) -> None:
    opened: list[dict[str, object]] = []
    open_as_ever = Sampler.open

    def look(path: Path, device: str = "auto", **named: object) -> Sampler:
        opened.append({"device": device, **named})
        return open_as_ever(path, "cpu")

    def held(sampler: Sampler) -> bool:
        return is_held(gpu.lock(home).path)

    monkeypatch.setattr(Sampler, "open", look)
    (trainings[0].path / "generator.json").touch()  # opened by nobody yet
    for _ in range(2):
        assert painting.paint(trainings[0], held), "the slot is taken for the time of a picture"
        assert not is_held(gpu.lock(home).path)
    assert opened == [{"device": "auto", "gpu": 0, "gpu_bytes": painting.GPU_BYTES}], "and the network stays open"
    assert painting.painted_on() == ""

    with gpu.lock(home):  # as a run has it
        assert painting.paint(trainings[0], lambda sampler: sampler) is painting.opened(trainings[0])
        assert painting.painted_on() == " · painted on the processor, since runs have the GPU"
    assert opened[1:] == [{"device": "cpu"}]
    assert painting.paint(trainings[0], held)
    assert len(opened) == 3, "the GPU's memory was given back to the run"


def test_a_second_visitor_takes_the_processor_meanwhile(gpu: Slot, home: Home, trainings: list[Run]) -> None:
    here = painting.opened(trainings[0])

    def beside(first: Sampler) -> None:
        assert painting.paint(trainings[0], lambda second: second) is here
        assert painting.painted_on() == "", "no run has it"
        assert first is not here

    painting.paint(trainings[0], beside)
    painting.paint(trainings[0], beside)


def test_a_full_gpu_leaves_the_picture_to_the_processor(
    gpu: Slot, trainings: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    here = painting.opened(trainings[0])

    def work(sampler: Sampler) -> str:
        if sampler is not here:
            raise OutOfMemory("The memory of the GPU is full.")
        return "painted"

    assert painting.paint(trainings[0], work) == "painted"
    assert capsys.readouterr().err == "The memory of the GPU is full. The processor paints this one.\n"


def test_where_runs_have_the_gpu_that_is_said(gpu: Slot, home: Home, open_page: OpenPage, trainings: list[Run]) -> None:
    assert "painted on the processor" not in texts(open_page("generate", run=trainings[0].id, seed="800"))
    with gpu.lock(home):
        said = texts(open_page("generate", run=trainings[0].id, seed="900"))
        assert "painted on the processor, since runs have the GPU" in said
        assert "painted on the processor" in texts(open_page("generate", run=trainings[0].id, view="Neighbours"))
