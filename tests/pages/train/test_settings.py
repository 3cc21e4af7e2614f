"""The settings of both GANs in the form of a new training."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from engine.configs import StyleganConfig
from engine.configs.gans import gans
from engine.store.home import Home
from pages.train.gans import CHOSEN_ABOVE, groups_of
from tests.fabricated import CLASSES, make_dataset
from tests.pages.conftest import OpenPage
from tests.pages.train.conftest import BATCH, BUDGET, FORM_OF_D, Submissions, choose, entered, press_start, text


def test_every_setting_of_both_gans_is_in_its_form() -> None:
    for family in gans().values():
        main = family.layout.main
        groups = groups_of(family, main)
        named = [*main, *(name for names in groups.values() for name in names)]
        assert len(named) == len(set(named))
        assert {*named} | CHOSEN_ABOVE >= {*family.config.model_fields}


def test_the_form_shows_what_the_configuration_says_for_this_size(stylegan_form: AppTest) -> None:
    app = stylegan_form
    expected = StyleganConfig(dataset="phantom").completed(32)
    shown = {label: entered(app, label).value for label in (BUDGET, BATCH, "R1 penalty weight (gamma)")}
    assert shown == {BUDGET: expected.kimg, BATCH: expected.batch, "R1 penalty weight (gamma)": expected.gamma}
    app = choose(app, "Configuration", "cifar")
    expected = StyleganConfig(dataset="phantom", cfg="cifar").completed(32)
    assert entered(app, "R1 penalty weight (gamma)").value == expected.gamma
    assert entered(app, FORM_OF_D).value == "orig"
    assert "--cfg cifar" in text(app)
    assert "each shown 5,000,000 times" in text(app)


def test_what_was_not_changed_stays_to_be_filled_in(stylegan_form: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    submissions = Submissions(monkeypatch)
    app = stylegan_form
    entered(app, BATCH).set_value(16)
    entered(app, "Augmentation pipeline").set_value("medical")
    press_start(app)
    assert [config.class_name for config in submissions.configs] == list(CLASSES)
    first = submissions.configs[0]
    assert first.model_fields_set >= {"batch", "augpipe"}
    assert not first.model_fields_set & {"gamma", "batch_gpu", "kimg", "ema_kimg"}
    completed = first.completed(32)
    assert (completed.batch, completed.batch_gpu, completed.augpipe) == (16, 0, "medical")


def test_values_that_do_not_fit_together_are_one_sentence(
    stylegan_form: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = Submissions(monkeypatch)
    entered(stylegan_form, "Augmentation probability p (fixed)").set_value(0.3)
    app = press_start(stylegan_form)
    assert any("aug_p is for aug fixed" in error.value for error in app.error)
    assert not submissions.configs


def test_presets_bring_their_gan_and_their_way(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    app = choose(open_page("train"), "Preset", "skin-lesions")
    assert entered(app, "GAN").value == "stylegan2-ada"
    assert entered(app, "Generators").value == "One for all classes (conditional)"
    assert entered(app, "Mirror left to right").value is True
    app = choose(app, "GAN", "dcgan")
    assert "says nothing about DCGAN" in text(app)


def test_another_configuration_replaces_the_presets_values(home: Home, open_page: OpenPage) -> None:
    make_dataset(home)
    app = choose(open_page("train"), "Preset", "chest-ct")
    assert (entered(app, "R1 penalty weight (gamma)").value, entered(app, BUDGET).value) == (50.0, 80.0)
    app = choose(app, "Configuration", "auto")
    assert entered(app, "R1 penalty weight (gamma)").value == StyleganConfig(dataset="phantom").completed(32).gamma
    assert entered(app, BUDGET).value == 80.0
