"""`network import` and `network show`, from the file to a run that samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.network import app
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests.gans.nvidia_pkl.writing import content, dumped, small_networks


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    g, d = small_networks(classes=2, freeze_d=4, num_fp16_res=2, conv_clamp=256)
    body = content(g, d, training_set_kwargs={"path": "[/red]\x1b[31m/data/x.zip", "max_size": 7})
    path = tmp_path / "x.pkl"
    path.write_bytes(dumped(body))
    return path


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_show_tells_what_is_in_a_file_and_writes_nothing(home: Home, network_file: Path) -> None:
    printed = run("show", str(network_file))
    assert "StyleGAN2 of 2 classes for grey images of 16 px" in printed
    assert "8, 8, 2" in printed and "stylegan2-ada-pytorch" in printed
    assert "[/red][31m/data/x.zip" in printed  # text of the file neither marks up nor steers the terminal
    values = json.loads(run("show", str(network_file), "--json"))
    g, d = small_networks(classes=2)
    count = {"G": g, "D": d, "G_ema": g}
    assert values["parameters"] == {name: sum(p.numel() for p in net.parameters()) for name, net in count.items()}
    assert values["g_architecture"]["conv_clamp"] == 256
    assert values["d_architecture"]["freeze_d"] == 4
    assert values["augment_p"] == 0.25
    assert not home.root.exists()


@pytest.mark.parametrize("command", [["show"], ["import", "--name", "x"]])
def test_a_refused_file_leaves_nothing(home: Home, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(ErsatzError, match=r"asks for 'os.system'"):
        run(*command, str(path))
    assert not (home.root / "runs").exists()


def test_an_import_needs_a_name(home: Home, network_file: Path) -> None:
    with pytest.raises(ErsatzError, match="The network has no name"):
        run("import", str(network_file))
    assert not home.root.exists()


@pytest.mark.slow
def test_an_import_ends_in_a_generator(home: Home, network_file: Path) -> None:
    values = json.loads(run("import", str(network_file), "--name", "toy", "--class-names", "cat,dog", "--json"))
    assert values["state"] == "finished"
    assert Sampler.open(Path(values["path"]), "cpu").sample([3], "dog").shape == (1, 16, 16, 1)
