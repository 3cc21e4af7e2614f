"""Options are made from the configs, so each field must arrive as the config wants it."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engine.cli.options import assignments, fields, with_options
from engine.configs import DcganConfig, ImportConfig, ProjectionConfig, StyleganConfig, SweepConfig
from engine.configs.base import Config
from engine.store.errors import ErsatzError


def parse(config: type[Config], *arguments: str, others: tuple[type[Config], ...] = ()) -> dict[str, Any]:
    """The settings a command receives for these arguments."""
    received: dict[str, Any] = {}
    app = typer.Typer()

    @app.command()
    @with_options(config, *others)
    def command(settings: dict[str, Any]) -> None:
        received.update(settings)

    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return received


def test_only_given_options_arrive() -> None:
    assert parse(DcganConfig) == {}
    assert parse(DcganConfig, "--kimg", "2.5", "--mirror") == {"kimg": 2.5, "mirror": True}
    assert parse(DcganConfig, "--no-mirror", "--dropout", "0") == {"mirror": False, "dropout": 0.0}


def test_two_configs_share_one_command() -> None:
    given = parse(DcganConfig, "--gamma", "3", "--dropout", "0.1", "--metrics", "kid,fid", others=(StyleganConfig,))
    assert given == {"gamma": 3.0, "dropout": 0.1, "metrics": ["kid", "fid"]}


def test_compound_values_validate() -> None:
    given = parse(ImportConfig, "--split-counts", "144,34,22", "--window", "40,80", "--remedies", "drop-copies")
    config = ImportConfig.build({"name": "a", "source": "b", **given})
    assert (config.split_counts, config.window, config.remedies) == ((144, 34, 22), (40, 80), ("drop-copies",))
    assert SweepConfig.build(
        {"name": "a", "dataset": "b", "pool": "c", **parse(SweepConfig, "--ratios", "0.5,1")}
    ).ratios == (0.5, 1)


@pytest.mark.parametrize(
    ("given", "window"),
    [("lung", (-600, 1500)), ("Soft tissue", (50, 400)), ("40,80", (40, 80)), ("0.05, 0.1", (0.05, 0.1))],
)
def test_windows_by_name_and_number(given: str, window: tuple[float, float]) -> None:
    for value in (parse(ImportConfig, "--window", given)["window"], given):
        assert ImportConfig.build({"name": "a", "source": "b", "window": value}).window == window


@pytest.mark.parametrize("given", ["lungs", "40", "40,80,3", "40,0", "40,-1", "nan,80", "a,b"])
def test_wrong_windows_are_named(given: str) -> None:
    with pytest.raises(ErsatzError, match=r"window is .*(expected brain, .*centre,width such as 40,80|above 0)"):
        ImportConfig.build({"name": "a", "source": "b", **parse(ImportConfig, f"--window={given}")})


def test_class_names_are_pairs() -> None:
    given = parse(ImportConfig, "--class-names", "0=normal", "--class-names", "1=bleed")
    assert given == {"class_names": {"0": "normal", "1": "bleed"}}


def test_every_field_has_help() -> None:
    for config in (ImportConfig, DcganConfig, StyleganConfig, ProjectionConfig, SweepConfig):
        without = [
            name for name, field in config.model_fields.items() if name not in ("kind", "gan") and not field.description
        ]
        assert without == []


STEPS = {"import": [ImportConfig], "train": [DcganConfig, StyleganConfig], "sweep": [SweepConfig]}


def test_assignments() -> None:
    assert assignments(["train.kimg=5", "sweep.classifier=small-cnn", "import.name=7"], STEPS) == {
        "train": {"kimg": 5},
        "sweep": {"classifier": "small-cnn"},
        "import": {"name": "7"},
    }
    with pytest.raises(ErsatzError, match=r"expected STEP\.FIELD=VALUE"):
        assignments(["kimg=5"], STEPS)
    assert assignments(["trian.kimg=[1]", "train.kimgs=x"], STEPS) == {"trian": {"kimg": [1]}, "train": {"kimgs": "x"}}


WRITTEN = {
    "remedies=drop-copies,join-groups": ("drop-copies", "join-groups"),
    "remedies=[drop-copies, join-groups]": ("drop-copies", "join-groups"),
    "remedies=(drop-copies,join-groups,)": ("drop-copies", "join-groups"),
    'remedies=["drop-copies", "join-groups"]': ("drop-copies", "join-groups"),
    "remedies=['drop-copies', 'join-groups']": ("drop-copies", "join-groups"),
    "remedies=drop-copies": ("drop-copies",),
    "remedies=": (),
    "remedies=[]": (),
    "metadata_columns=1,2": ("1", "2"),
    "metadata_columns=1": ("1",),
    'metadata_columns="age, in years",sex': ("age, in years", "sex"),
    "split_counts=12, 6, 6": (12, 6, 6),
    "split_counts=[12,6,6]": (12, 6, 6),
    "split_counts=none": None,
    "split_counts=null": None,
    "window=40,80": (40.0, 80.0),
    "window=-600,1500": (-600.0, 1500.0),
    "class_names=0=normal,1=bleed": {"0": "normal", "1": "bleed"},
    "class_names={0=normal, 1=bleed}": {"0": "normal", "1": "bleed"},
    'class_names={"a, b": "c"}': {"a, b": "c"},
    'class_names="a, b=c",d=e': {"a, b": "c", "d": "e"},
    "size=128": 128,
    "skip_unreadable=yes": True,
    "freeze=False": False,
    "train_share=6e-1": 0.6,
    "max_pixels=1e6": 1_000_000,
    "label_column=5": "5",
    "image_column='file name'": "file name",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_settings_are_read_as_people_write_them(written: str) -> None:
    """The same by --set of a journey, and of a run of any kind."""
    wanted, name = WRITTEN[written], written.partition("=")[0]
    for given in (assignments([f"import.{written}"], STEPS)["import"], fields([written], [ImportConfig])):
        config = ImportConfig.build({"name": "a", "source": "b", **given})
        assert getattr(config, name) == wanted


def test_the_fields_of_every_gan_are_known() -> None:
    given = assignments(["train.metrics=kid,fid", "train.g_channels=8", "sweep.ratios=0.25,.5"], STEPS)
    assert given == {"train": {"metrics": ["kid", "fid"], "g_channels": 8}, "sweep": {"ratios": [0.25, 0.5]}}


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("sweep.ratios=0.25,half", "'half' is no number"),
        ("sweep.ratios=[0.25,0.5", "the bracket '\\[' is not closed"),
        ("sweep.ratios=0.25,,0.5", "nothing between two commas"),
        ("import.class_names=a=b,c", "'c' has no '='"),
        ("import.skip_unreadable=perhaps", "neither yes nor no"),
        ("train.kimg=0,5", "'0,5' is no number"),
        ("sweep.seeds=2.5", "2.5 is no whole number"),
        ('import.remedies="a,b', "a quote is not closed"),
        ("sweep.folds=a,b", "no list in JSON"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_was_expected(written: str, sentence: str) -> None:
    with pytest.raises(ErsatzError, match=rf"--set .* cannot be read: .*{sentence}.*; expected .*\."):
        assignments([written], STEPS)
