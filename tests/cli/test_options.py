"""Options are made from the configs, so each field must arrive as the config wants it."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engine.cli.options import assignments, with_options
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


def test_assignments() -> None:
    assert assignments(["train.kimg=5", "sweep.classifier=small-cnn", "import.name=x"]) == {
        "train": {"kimg": 5},
        "sweep": {"classifier": "small-cnn"},
        "import": {"name": "x"},
    }
    with pytest.raises(ErsatzError, match=r"expected STEP\.FIELD=VALUE"):
        assignments(["kimg=5"])
