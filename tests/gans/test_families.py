"""The table of GANs: complete, light, and open to a GAN that stands in one file."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

import numpy as np
import pytest

from engine.api import Workspace
from engine.configs import Config, PoolConfig, SweepConfig, parse_training
from engine.configs import gans as table
from engine.configs.gans import GanFamily, gan_named, gan_title, gans, register
from engine.gans.checkpoints import load_snapshot
from engine.gans.snapshots import latest_snapshot
from engine.gans.training import train
from engine.jobs.kinds import kind_named
from engine.jobs.prepare import prepare
from engine.jobs.worker import do
from engine.sampling.exported import read_info
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.plugins import PLUGINS, named
from engine.store.progress import never, silent
from engine.store.runs import Run, State, create_run
from tests.fabricated import make_dataset
from tests.jobs.scene import end_processes_of
from tests.pages.conftest import OpenPage, open_page, texts

__all__ = ["open_page"]

TRAINING = {"kimg": 0.1, "tick_kimg": 0.05, "batch": 8, "grid": 4, "device": "cpu"}
POOL = {"name": "toys", "dataset": "phantom", "images_per_class": 40}
SWEEP = {
    "name": "toys",
    "dataset": "phantom",
    "seeds": 2,
    "steps": 4,
    "batch": 8,
    "validations": 1,
    "ratios": (0.5,),
    "device": "cpu",
}


def done(home: Home, config: Config) -> Run:
    """A run of this config, done in this process."""
    run = create_run(home, prepare(home, config).plain(), "toy")
    assert do(run, prepare(home, config), silent, never) == "finished"
    run.update(state=State.FINISHED)
    return run


@pytest.fixture
def toy(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose processes, and this one, know the GAN of `tests/fabricated/toy_gan.py`."""
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv(PLUGINS, "tests.fabricated.toy_gan")
    register(importlib.import_module("tests.fabricated.toy_gan").TOY)  # imported before, it does not do so now
    yield home
    end_processes_of(home)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_gan_in_one_file_goes_all_the_way(toy: Home, open_page: OpenPage) -> None:
    """Trained by a real worker, exported, sampled, swept and reported, and in the form of a new training."""
    dataset = make_dataset(toy)
    work = Workspace(toy.root)
    runs = work.train(dataset, gan="toy", **TRAINING)
    for run in runs:
        run.result(progress=False)
    info = read_info(runs[0].path)
    assert (info.gan, info.num_ws, info.agreement < 1e-4) == ("toy", 0, True)
    sampler = Sampler.open(runs[0].path, "cpu")
    assert np.array_equal(sampler.sample([3, 4])[1:], sampler.sample([4]))
    with pytest.raises(ErsatzError, match="is a Toy GAN: "):
        sampler.sample([1], psi=0.5)

    pool = done(toy, PoolConfig.build({**POOL, "generators": [{"run": run.id} for run in runs]}))
    sweep = done(toy, SweepConfig.build({**SWEEP, "pool": pool.id}))
    assert "Toy GAN (two layers) trained on the training images alone" in (sweep.path / "report.html").read_text()

    assert kind_named("train").usual_title(runs[0].config()).endswith("· Toy GAN")
    shown = open_page("train", view="new")
    assert shown.selectbox(key=next(box.key for box in shown.selectbox if box.label == "GAN")).options[-1] == "Toy GAN"
    assert "Toy GAN · 32×32 px, grey" in texts(open_page("generate", run=runs[0].id))


def test_a_gan_of_another_package_resumes_as_if_it_had_never_stopped(toy: Home) -> None:
    config = parse_training({"gan": "toy", "dataset": make_dataset(toy).name, "class_name": "bleed", **TRAINING})

    def trained(stops: int) -> Run:
        run = create_run(toy, config.plain(), "toy")
        answers = iter([True] * stops)
        while train(run, config, should_stop=lambda: next(answers, False)) == "stopped":
            pass
        return run

    states = [load_snapshot(latest_snapshot(trained(stops).path))[0] for stops in (0, 1)]  # type: ignore[arg-type]
    assert states[0].keys() == states[1].keys()
    assert all((states[0][name] == states[1][name]).all() for name in states[0])


@pytest.mark.parametrize("family", gans().values(), ids=list(gans()))
def test_every_entry_is_complete(family: GanFamily) -> None:
    assert family.config.model_fields["gan"].default == family.name
    names = ["config", "spec", "labels", "device", "precision"]
    assert list(inspect.signature(named(family.build_trainer)).parameters) == names
    assert list(inspect.signature(named(family.load_generator)).parameters) == ["metadata"]
    assert {"graphs", "compare", "facts"} <= set(dir(named(family.export)))
    assert list(inspect.signature(named(family.open_sampler)).parameters) == ["graphs", "info"]


def test_an_unknown_gan_is_named() -> None:
    with pytest.raises(ErsatzError, match="gan is 'vae'; expected one of dcgan, stylegan2-ada"):
        gan_named("vae")
    assert gan_title("vae") == "vae"


def test_two_gans_of_one_name_are_refused() -> None:
    with pytest.raises(ErsatzError, match="There is a GAN 'dcgan' already"):
        register(GanFamily(**{**vars(gan_named("dcgan")), "title": "Another"}))
