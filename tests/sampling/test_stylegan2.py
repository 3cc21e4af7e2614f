"""StyleGAN2 through ONNX Runtime: torch's images, the same in any batch, with truncation, classes and noise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from engine.configs import PoolConfig
from engine.gans.stylegan2.networks import (
    Generator,
)
from engine.sampling import stylegan2_onnx
from engine.sampling.export import TOLERANCE, export_generator
from engine.sampling.exported import has_generator
from engine.sampling.latents import latents, noise_planes
from engine.sampling.pools import Pool, make_pool
from engine.sampling.sampler import Sampler, StyleganSampler, save_images, to_pixels
from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.runs import Run, create_run

SEEDS = range(100, 107)


def opened(made: tuple[Run, Generator]) -> tuple[StyleganSampler, Generator]:
    run, generator = made
    export_generator(run)
    sampler = Sampler.open(run.path, device="cpu")
    assert isinstance(sampler, StyleganSampler)
    return sampler, generator


def condition(generator: Generator, label: int, batch: int) -> torch.Tensor | None:
    classes = generator.architecture.classes
    return torch.eye(classes)[[label] * batch] if classes else None


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 3, "size": 32, "conv_clamp": 256.0},
        {"classes": 2, "conv_clamp": 0.4, "mapping_lr": 0.1},
        {"g_architecture": "orig"},
        {"g_architecture": "resnet", "classes": 2, "conv_clamp": 0.8, "channels": 3},
    ],
    ids=str,
)
def test_onnx_equals_torch(imported, changes, capfd):
    sampler, generator = opened(imported(**changes))
    assert capfd.readouterr() == ("", "")
    for name in ("mapping.onnx", "synthesis.onnx"):
        onnx.checker.check_model(onnx.load(sampler.graphs[name].path), full_check=True)

    z = torch.from_numpy(latents(SEEDS, 20))
    for label, name in enumerate(sampler.classes or [None]):
        c = condition(generator, label, len(z))
        for psi, cutoff in [(1.0, 0), (0.5, 3), (0.7, 0), (-1.0, 1)]:
            with torch.inference_mode():
                w = generator.mapping(z, c, psi, cutoff or None)
                images = generator.synthesis(w).numpy()
            found = sampler.map(SEEDS, name, psi, cutoff)
            np.testing.assert_allclose(found, w, rtol=0, atol=1e-5)
            np.testing.assert_allclose(sampler.images(found, None), images, rtol=0, atol=1e-5)
            assert images.std() > 0.05
            drawn = sampler.sample(SEEDS, name, psi, cutoff)
            assert np.abs(drawn.astype(int) - to_pixels(images)).max() <= 1
            np.testing.assert_array_equal(sampler.draw(z.numpy(), name, psi, cutoff), drawn)


def test_noise_is_that_of_torch(imported):
    sampler, generator = opened(imported(size=32))
    w = sampler.map(SEEDS)
    resolutions = sampler.info.noise
    assert resolutions == (4, 8, 8, 16, 16, 32, 32)
    drawn = noise_planes(SEEDS, sum(side**2 for side in resolutions))
    rows = np.split(drawn, np.cumsum([side**2 for side in resolutions])[:-1], axis=1)
    planes = [torch.from_numpy(row.reshape(-1, 1, side, side)) for row, side in zip(rows, resolutions, strict=True)]
    expected: dict[str, Any] = {"const": "const", "none": "none", "random": planes}
    seen = []
    for noise, given in expected.items():
        with torch.inference_mode():
            images = generator.synthesis(torch.from_numpy(w), given).numpy()
        found = sampler.sample(SEEDS, noise=noise)
        assert np.abs(found.astype(int) - to_pixels(images)).max() <= 1
        seen.append(images)
    assert all(np.abs(a - b).max() > 0.1 for a, b in [(seen[0], seen[1]), (seen[0], seen[2]), (seen[1], seen[2])])


@pytest.mark.parametrize("noise", ["const", "random", "none"])
def test_a_seed_gives_the_same_image_in_every_batch(imported, noise):
    sampler, _ = opened(imported(size=32, classes=2))
    together = sampler.sample(SEEDS, "bleed", 0.7, 5, noise)
    assert len({image.tobytes() for image in together}) == len(SEEDS)
    for size in (1, 2, 5):
        parts = [SEEDS[first : first + size] for first in range(0, len(SEEDS), size)]
        apart = np.concatenate([sampler.sample(part, "bleed", 0.7, 5, noise) for part in parts])
        np.testing.assert_array_equal(apart, together)
    np.testing.assert_array_equal(sampler.sample(SEEDS[::-1], "bleed", 0.7, 5, noise)[::-1], together)


def test_threads_may_share_a_sampler(stylegan):
    expected = stylegan.sample(range(24), psi=0.7, noise="random")
    with ThreadPoolExecutor(8) as threads:
        parts = threads.map(lambda first: stylegan.sample(range(first, first + 4), psi=0.7, noise="random"), range(20))
        for first, images in enumerate(parts):
            np.testing.assert_array_equal(images, expected[first : first + 4])


def test_memory_is_bounded_by_sampling_in_parts(imported, monkeypatch):
    sampler, _ = opened(imported())
    whole = sampler.sample(SEEDS, noise="random")
    monkeypatch.setattr("engine.sampling.sampler.PIXELS_AT_ONCE", 3 * 16 * 16)
    np.testing.assert_array_equal(sampler.sample(SEEDS, noise="random"), whole)


def test_psi_zero_is_the_mean_and_psi_may_differ_by_image(imported):
    sampler, generator = opened(imported())
    np.testing.assert_array_equal(sampler.w_avg, generator.mapping.w_avg)
    mean = sampler.synthesize(np.tile(sampler.w_avg, (1, 6, 1)))
    truncated = sampler.sample(SEEDS, psi=0)
    np.testing.assert_array_equal(truncated, np.broadcast_to(mean, truncated.shape))
    each = sampler.map([5, 5, 5], psi=[0, 0.5, 1])
    np.testing.assert_array_equal(each[0], np.broadcast_to(sampler.w_avg, (6, 24)))
    np.testing.assert_array_equal(each[2], sampler.map([5])[0])
    np.testing.assert_allclose(each[1], (each[0] + each[2]) / 2, atol=1e-6)


def test_the_cutoff_leaves_later_layers_alone(imported):
    sampler, _ = opened(imported())
    full, half = sampler.map([3]), sampler.map([3], psi=0.5, cutoff=2)
    np.testing.assert_array_equal(half[:, 2:], full[:, 2:])
    assert np.abs(half[:, :2] - full[:, :2]).min() > 0
    np.testing.assert_array_equal(sampler.map([3], psi=0.5, cutoff=6), sampler.map([3], psi=0.5))
    for wrong in (-1, 7):
        with pytest.raises(ErsatzError, match=f"cutoff is {wrong};.* has 6 layers"):
            sampler.sample([3], psi=0.5, cutoff=wrong)


def test_wrong_wishes_are_a_sentence(imported, make_generator):
    sampler, _ = opened(imported(classes=2))
    with pytest.raises(ErsatzError, match="asked for class None; expected one of bleed, normal"):
        sampler.sample([1])
    with pytest.raises(ErsatzError, match="noise is 'loud'; expected const, random or none"):
        sampler.sample([1], "bleed", noise="loud")
    with pytest.raises(ErsatzError, match="seed is -1"):
        sampler.synthesize(sampler.map([1], "bleed"), "random", [-1])
    dcgan = Sampler.open(make_generator("bleed").path)
    assert (sampler.has_w, dcgan.has_w) == (True, False)
    for wish in ({"psi": 0.5}, {"cutoff": 1}, {"noise": "none"}):
        with pytest.raises(ErsatzError, match="is a DCGAN: truncation"):
            dcgan.sample([1], **wish)
    with pytest.raises(ErsatzError, match="is a DCGAN: it has no intermediate latent w"):
        dcgan.map([1])
    with pytest.raises(ErsatzError, match="no intermediate latent w"):
        _ = dcgan.w_avg


def test_an_imported_network_says_what_it_is(imported):
    run, _ = imported(size=32)
    assert not has_generator(run.path)
    info = read_json(export_generator(run))
    assert has_generator(run.path)
    assert {path.name for path in run.path.glob("*.onnx")} == set(info["files"]) == {"mapping.onnx", "synthesis.onnx"}
    assert info["agreement"] <= TOLERANCE
    expected = {"gan": "stylegan2-ada", "run": run.id, "kimg": 0, "z_dim": 20, "w_dim": 24, "num_ws": 8, "mode": "L"}
    expected |= {"size": 32, "channels": 1, "classes": [], "conditional": False, "dataset": ""}
    assert {key: info[key] for key in expected} == expected


def test_the_graphs_are_the_same_bytes_again_and_sealed(imported):
    run, _ = imported()
    info = read_json(export_generator(run))
    assert read_json(export_generator(run)) == info
    path = run.path / "synthesis.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ErsatzError, match=f"mapping.onnx or synthesis.onnx of run {run.id} was changed"):
        Sampler.open(run.path)
    path.unlink()
    with pytest.raises(ErsatzError, match=r"synthesis\.onnx is missing"):
        Sampler.open(run.path)


@pytest.mark.parametrize("name", ["mapping", "synthesis"])
@pytest.mark.parametrize("wrong", [1.01, float("nan")])
def test_an_export_that_disagrees_is_not_written(imported, monkeypatch, name, wrong):
    run, _ = imported()
    build = getattr(stylegan2_onnx, f"{name}_graph")
    part = {"mapping": "fc0", "synthesis": "b16.conv0"}[name]

    def disturbed(generator: Generator) -> bytes:
        other = Generator(generator.architecture)
        state = generator.state_dict()
        other.load_state_dict({key: value * wrong if part in key else value for key, value in state.items()})
        return build(other)

    monkeypatch.setattr(stylegan2_onnx, f"{name}_graph", disturbed)
    with pytest.raises(ErsatzError, match="differs from torch by"):
        export_generator(run)
    assert not list(run.path.glob("*.onnx"))
    assert not has_generator(run.path)


def test_pools_are_made_as_their_config_says(home, make_generator, trained_stylegan):
    make_generator("bleed")  # for its data set
    run = trained_stylegan()
    look = {"psi": 0.6, "psi_cutoff": 2, "noise": "random"}
    references = [{"run": run.id, "sha256": read_json(run.path / "generator.json")["sha256"]}]
    values = {"name": "pool", "dataset": "tiny", "generators": references, "images_per_class": 6, "batch": 4, **look}
    pool_config = PoolConfig.build(values)
    pool_run = create_run(home, pool_config.plain(), "pool")
    answers = iter([False, True])
    assert make_pool(pool_run, pool_config, should_stop=lambda: next(answers)) == "stopped"
    assert make_pool(pool_run, pool_config) == "finished"
    pool = Pool.open(pool_run)
    assert {key: getattr(pool.info, key) for key in look} == look
    expected = Sampler.open(run.path).sample(range(6), "normal", 0.6, 2, "random")
    np.testing.assert_array_equal(pool.pixels(pool.rows("normal")), expected)

    paths = save_images(Sampler.open(run.path), [4], "bleed", home.root / "out", psi=0.5, with_w=True)
    with np.load(paths[0].with_suffix(".npz")) as file:
        np.testing.assert_array_equal(file["w"], Sampler.open(run.path).map([4], "bleed", 0.5))


def test_a_dcgan_pool_with_truncation_is_refused(home, make_generator):
    generators = [make_generator("bleed"), make_generator("normal")]
    references = [{"run": run.id} for run in generators]
    config = PoolConfig.build({"name": "pool", "dataset": "tiny", "generators": references, "psi": 0.5})
    run = create_run(home, config.plain(), "pool")
    with pytest.raises(ErsatzError, match="is a DCGAN: truncation"):
        make_pool(run, config)
    assert not (run.path / "pool.json").exists()
