"""A training that begins with another one: done again, mended, fine-tuned, or from a file of networks."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from engine.configs import NetworkConfig
from engine.configs.gans import gans
from engine.store.home import Home
from engine.store.runs import State, list_runs
from pages.train.alarms import NAMES, remedies
from tests.fabricated import make_dataset, make_stylegan, set_state
from tests.pages.conftest import OpenPage, press
from tests.pages.train.conftest import (
    BUDGET,
    CHANNELS,
    FORM_OF_D,
    Submissions,
    clean,
    entered,
    links,
    press_start,
    text,
    write_snapshot,
)


@pytest.mark.parametrize("alarm", NAMES)
@pytest.mark.parametrize("gan", gans())
def test_every_remedy_is_a_setting_that_the_config_takes(gan: str, alarm: str) -> None:
    if gan == "dcgan" and alarm in ("leaking", "ada-off", "ada-saturated", "overfitting"):
        return  # only StyleGAN2-ADA can tell
    config = gans()[gan].config(dataset="phantom").plain()
    taken = [gans()[gan].config.build({**config, **changes}).plain() for _, changes in remedies(alarm, config)]
    assert taken
    assert all(changed != config for changed in taken)


def test_a_training_is_done_again_with_what_a_link_changes(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    run = make_stylegan(home)
    submissions = Submissions(monkeypatch)
    app = open_page("train", view="new", again=run.id, change="gamma=0.5,mirror=true,nothing=1")
    assert "but with **gamma 0.5, mirror true**" in text(app)
    app = press_start(app)
    (config,) = submissions.configs
    changed = {name: value for name, value in config.plain().items() if value != run.config()[name]}
    assert changed == {"gamma": 0.5, "mirror": True, "dataset_fingerprint": ""}
    assert not {"again", "change", "view"} & {*app.query_params}
    app = open_page("train", view="new", again=run.id, change="gamma=much")
    assert any("gamma is 'much'" in error.value for error in app.error)
    app = press(app, "Begin without it")
    assert entered(app, "Preset").value == "demo"


def test_fine_tuning_begins_with_the_runs_settings_and_shapes(
    home: Home, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    make_dataset(home)
    run = make_stylegan(home)
    write_snapshot(run, mapping_lr=0.05, d_mapping_layers=0)
    submissions = Submissions(monkeypatch)
    app = open_page("train", run=run.id)
    assert links(app)["Rank its snapshots"] == f"run={run.id}"
    assert "python -m engine train phantom --gan stylegan2-ada --conditional --kimg 12" in text(app)
    app = press(app, "Fine-tune from this")
    assert app.query_params["from"] == run.id
    assert (entered(app, "GAN").value, entered(app, "Start from").value) == ("stylegan2-ada", run.id)
    assert entered(app, "Generators").value == "One for all classes (conditional)"
    assert (entered(app, BUDGET).value, entered(app, "Adaptation speed in kimg (ADA)").value) == (12.0, 100.0)
    assert (entered(app, CHANNELS).value, entered(app, FORM_OF_D).value) == (
        16,
        "orig",
    )
    entered(app, "Frozen discriminator layers (Freeze-D)").set_value(4)
    app = press_start(app)
    (config,) = submissions.configs
    assert (config.start_from, config.conditional, config.freeze_d) == (run.id, True, 4)
    assert (config.z_dim, config.channel_base, config.d_architecture) == (64, 512, "orig")
    assert (config.mapping_lr, config.d_mapping_layers) == (0.05, 0)
    assert "from" not in app.query_params


def test_a_network_file_becomes_a_run_to_start_from(
    stylegan_form: AppTest, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = Submissions(monkeypatch)
    app = press(stylegan_form, "Import")
    assert any("No file was chosen" in error.value for error in app.error)
    inputs = {field.label: field for field in app.text_input}
    inputs["or its path on this machine"].set_value("/files/faces.pkl")
    inputs["Names of its classes"].set_value("a, b")
    app = press(app, "Import")
    (config,) = submissions.configs
    assert config == NetworkConfig(name="faces", source="/files/faces.pkl", class_names=("a", "b"))
    (run,) = list_runs(home, "network")
    set_state(run, State.FINISHED)
    write_snapshot(run, z_dim=512)
    app = clean(app.run())
    (box,) = [box for box in app.selectbox if box.label == "Start from"]
    assert [option.partition(" · ")[0] for option in box.options] == ["From scratch", "Network faces"]
    app = clean(box.set_value(run.id).run())
    assert (
        entered(app, "Dimensions of the latent vector z").value,
        entered(app, CHANNELS).value,
    ) == (512, 16)
