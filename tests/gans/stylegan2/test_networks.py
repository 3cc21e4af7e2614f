"""The networks agree with the reference's arrays, with their plain form, and with the published counts of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks import plain_stylegan2 as plain
from engine.configs import StyleganConfig
from engine.gans.image_spec import ImageSpec
from engine.gans.nvidia_pkl.nvidia import read_networks
from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
    one_hot,
    with_minibatch_std,
)
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY

FIXTURES = REPOSITORY.parent / "shared" / "fixtures" / "stylegan2-ada"
IMAGES, LOGITS = 5e-5, 1e-5
"""Absolute tolerances of the arrays."""

SMALL = Architecture(
    size=16,
    channels=3,
    classes=3,
    z_dim=6,
    w_dim=5,
    mapping_layers=2,
    channel_base=64,
    channel_max=8,
    mbstd_group=2,
    d_mapping_layers=2,
)
FORMS = [("skip", "resnet"), ("orig", "orig"), ("resnet", "skip")]


def roughened(network: nn.Module) -> Any:
    """The network in float64 with every weight moved, so that biases, noise strengths and the mean w all count."""
    with torch.no_grad():
        for tensor in [*network.parameters(), *(b for name, b in network.named_buffers() if "filter" not in name)]:
            tensor += 0.3 * torch.randn_like(tensor)
    return network.double()


def both(**changes: Any) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    architecture = replace(SMALL, **changes)
    return roughened(Generator(architecture)), roughened(Discriminator(architecture))


def condition(network: Generator | Discriminator, count: int) -> Tensor | None:
    classes = network.architecture.classes
    c = one_hot(torch.arange(count) % max(classes, 1), classes)
    return None if c is None else c.double()


def files() -> list[Path]:
    return sorted(FIXTURES.glob("*.outputs.npz"))


@pytest.mark.skipif(not files(), reason=f"the reference's arrays are not at {FIXTURES}")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("file", files(), ids=lambda file: file.name.partition(".")[0])
@torch.no_grad()
def test_agree_with_the_arrays_of_the_reference(file: Path, layout: torch.memory_format) -> None:
    networks = read_networks(file.with_name(file.name.replace(".outputs.npz", ".pkl")))
    architecture, d_architecture = networks.g_architecture, networks.d_architecture
    assert networks.g is not None and networks.d is not None and d_architecture is not None
    g, g_ema, d = Generator(architecture), Generator(architecture), Discriminator(d_architecture)
    for network, state in ((g, networks.g), (g_ema, networks.g_ema), (d, networks.d)):
        network.load_state_dict(state)
        network.to(memory_format=layout)
    arrays = {name: torch.from_numpy(array) for name, array in np.load(file).items()}
    z, c = arrays["z"], arrays["c"] if architecture.classes else None

    def one_by_one(**how: Any) -> Tensor:
        return torch.cat([g_ema(z[i : i + 1], None if c is None else c[i : i + 1], **how) for i in range(len(z))])

    images = g_ema(z, c)
    found = {
        "ws_psi1": g_ema.mapping(z, c),
        "ws_psi07": g_ema.mapping(z, c, 0.7),
        "ws_psi05_cutoff3": g_ema.mapping(z, c, 0.5, 3),
        "img_const_psi1": one_by_one(),
        "img_const_psi1_unfused": one_by_one(),
        "img_const_psi1_batch4": images,
        "img_const_psi07": one_by_one(psi=0.7),
        "img_const_psi07_batch4": g_ema(z, c, 0.7),
        "img_none_psi1": one_by_one(noise="none"),
        "G_img_const_psi1": g(z, c),
    }
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, arrays[name], rtol=0, atol=IMAGES, msg=lambda m, name=name: f"{name}: {m}")
    bytes_ = (images.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    assert (bytes_.int() - arrays["u8_const_psi1"].int()).abs().max() <= 1  # a number within 5e-5 of a whole one
    assert (bytes_ == arrays["u8_const_psi1"]).float().mean() > 0.999

    shown = arrays["img_const_psi1"]
    logits = {
        "D_logits_on_img_const_psi1": d(shown, c),
        "D_logits_batch1": torch.cat([d(shown[i : i + 1], None if c is None else c[i : i + 1]) for i in range(4)]),
        "D_logits_in8": d(arrays["D_in8"], None if c is None else c.repeat(2, 1)),
    }
    for name, tensor in logits.items():
        torch.testing.assert_close(tensor, arrays[name], rtol=0, atol=LOGITS, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize(
    ("size", "channel_base", "mapping_layers", "g_count", "d_count", "num_ws"),
    [
        (64, 16384, 2, 22243608, 23407361, 10),
        (128, 16384, 2, 22949277, 23882369, 12),
        (256, 16384, 2, 23191522, 24001089, 14),
        (256, 32768, 8, 30034338, 28864129, 14),
        (512, 32768, 2, 28700647, 28982849, 16),
        (1024, 32768, 8, 30370060, 29012513, 18),
    ],
)
def test_have_as_many_weights_as_published(
    size: int, channel_base: int, mapping_layers: int, g_count: int, d_count: int, num_ws: int
) -> None:
    architecture = Architecture(size=size, channels=3, channel_base=channel_base, mapping_layers=mapping_layers)
    with torch.device("meta"):
        networks: list[nn.Module] = [Generator(architecture), Discriminator(architecture)]
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
    assert [*counts, architecture.num_ws] == [g_count, d_count, num_ws]


@pytest.mark.parametrize("clamp", [None, 1.0])
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("forms", FORMS, ids="-".join)
def test_equal_their_plain_form_and_so_do_their_gradients(
    forms: tuple[Any, Any], classes: int, clamp: float | None
) -> None:
    """In float64, where nothing but a mistake makes a difference; the clamp is low enough to matter."""
    g, d = both(g_architecture=forms[0], d_architecture=forms[1], classes=classes, conv_clamp=clamp)
    z = torch.randn(4, 6, dtype=torch.float64)

    ours = g(z, condition(g, 4))
    theirs = plain.synthesised(g, plain.mapped(g.mapping, z, condition(g, 4)))
    torch.testing.assert_close(ours, theirs)
    weighed = torch.randn_like(ours)
    for mine, reference in zip(
        gradients((ours * weighed).sum(), g), gradients((theirs * weighed).sum(), g), strict=True
    ):
        torch.testing.assert_close(mine, reference)
    assert clamp is None or not torch.allclose(ours, Generator.forward(without_clamp(g), z, condition(g, 4)))

    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    ours, theirs = d(images, condition(d, 4)), plain.discriminated(d, images, condition(d, 4))
    torch.testing.assert_close(ours, theirs)
    for mine, reference in zip(gradients(ours.sum(), d), gradients(theirs.sum(), d), strict=True):
        torch.testing.assert_close(mine, reference)


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [torch.zeros([]) if gradient is None else gradient for gradient in found]


def without_clamp(g: Generator) -> Generator:
    other = Generator(replace(g.architecture, conv_clamp=None)).double()
    other.load_state_dict(g.state_dict())
    return other


def test_each_sample_may_as_well_have_weights_of_its_own() -> None:
    g, _ = both()
    ws = torch.randn(3, g.architecture.num_ws, 5, dtype=torch.float64)
    torch.testing.assert_close(g.synthesis(ws), plain.synthesised(g, ws, per_sample=True))


def test_an_image_does_not_depend_on_its_batch() -> None:
    g, d = both(mbstd_group=1)
    z, c = torch.randn(5, 6, dtype=torch.float64), condition(g, 5)
    assert c is not None
    images, logits = g(z, c, 0.7, 3), d(g(z, c), c)
    for i in range(5):
        torch.testing.assert_close(g(z[i : i + 1], c[i : i + 1], 0.7, 3), images[i : i + 1])
        torch.testing.assert_close(d(g(z, c)[i : i + 1], c[i : i + 1]), logits[i : i + 1])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 32, 64, 128, 256, 512, 1024])
@torch.no_grad()
def test_every_size_makes_and_judges_images(size: int, channels: int) -> None:
    config = StyleganConfig(dataset="none", channel_max=8, z_dim=8, w_dim=8).completed(size)
    architecture = Architecture.from_config(config, ImageSpec(size, channels))
    g, d = Generator(architecture), Discriminator(architecture)
    images = g(torch.randn(1, 8))
    assert images.shape == (1, channels, size, size)
    assert d(images).shape == (1, 1)
    assert len(g.mapping(torch.randn(1, 8))[0]) == architecture.num_ws == 2 * np.log2(size) - 2


def test_noise_is_fixed_fresh_given_or_none() -> None:
    g, _ = both()
    ws = torch.randn(2, g.architecture.num_ws, 5, dtype=torch.float64)
    layers = [m for m in g.synthesis.modules() if hasattr(m, "noise_const")]
    planes = [layer.noise_const[None, None] for layer in layers]
    torch.testing.assert_close(g.synthesis(ws, planes), g.synthesis(ws, "const"))
    torch.testing.assert_close(g.synthesis(ws, [0 * plane for plane in planes]), g.synthesis(ws, "none"))
    torch.manual_seed(1)
    first = g.synthesis(ws, "random")
    assert not torch.allclose(first, g.synthesis(ws, "random"))
    torch.manual_seed(1)
    assert torch.equal(first, g.synthesis(ws, "random"))


def test_truncation_moves_w_towards_its_mean() -> None:
    g, _ = both(classes=0)
    z = torch.randn(4, 6, dtype=torch.float64)
    full, w_avg = g.mapping(z), g.mapping.w_avg
    torch.testing.assert_close(g.mapping(z, psi=0.3), w_avg + 0.3 * (full - w_avg))
    some = g.mapping(z, psi=0.0, cutoff=2)
    torch.testing.assert_close(some[:, :2], w_avg.expand(4, 2, -1))
    assert torch.equal(some[:, 2:], full[:, 2:])
    before = w_avg.clone()
    g.mapping.track(full)
    torch.testing.assert_close(g.mapping.w_avg, 0.995 * before + 0.005 * full[:, 0].mean(0))


def test_minibatch_std_tells_how_much_the_members_of_a_group_differ() -> None:
    x = torch.zeros(4, 2, 3, 3)
    x[0], x[2] = 1.0, -1.0  # images 0 and 2 are a group, 1 and 3 another
    seen = with_minibatch_std(x, 2)
    assert torch.equal(seen[:, :2], x)
    torch.testing.assert_close(seen[[0, 2], 2], torch.ones(2, 3, 3))
    torch.testing.assert_close(seen[[1, 3], 2], torch.full((2, 3, 3), 1e-4))
    assert torch.equal(with_minibatch_std(x, None), with_minibatch_std(x, 4))
    with pytest.raises(ValueError, match="6 images cannot be divided into groups of 4"):
        with_minibatch_std(torch.zeros(6, 2, 3, 3), 4)


@pytest.mark.parametrize(
    ("form", "count", "frozen"),
    [
        ("resnet", 5, {"b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip", "b8.conv0"}),
        ("orig", 4, {"b16.fromrgb", "b16.conv0", "b16.conv1", "b8.conv0"}),
        ("skip", 4, {"b16.fromrgb", "b16.conv0", "b16.conv1", "b8.fromrgb"}),
    ],
)
def test_frozen_layers_are_buffers_of_the_same_names(form: Any, count: int, frozen: set[str]) -> None:
    free = Discriminator(replace(SMALL, d_architecture=form))
    some = Discriminator(replace(SMALL, d_architecture=form, freeze_d=count))
    assert set(some.state_dict()) == set(free.state_dict())
    thawed = {name for name, _ in some.named_parameters()}
    fixed = {name.rpartition(".")[0] for name, _ in free.named_parameters() if name not in thawed}
    assert fixed == frozen


def test_a_conditional_network_asks_for_its_condition() -> None:
    g, _ = both()
    with pytest.raises(ValueError, match="conditional on 3 classes"):
        g(torch.randn(1, 6))


def test_sizes_that_are_no_power_of_two_are_refused() -> None:
    with pytest.raises(ValueError, match="size 48 is not a power of two"):
        Architecture(size=48, channels=3)
    with pytest.raises(ErsatzError, match="48 px"):
        Architecture.from_config(StyleganConfig(dataset="none"), ImageSpec(48, 3))


def test_pure_fp32_has_no_clamp() -> None:
    spec = ImageSpec(64, 3)
    lowered = Architecture.from_config(StyleganConfig(dataset="none"), spec)
    assert (lowered.conv_clamp, lowered.num_fp16_res) == (256, 4)
    exact = Architecture.from_config(StyleganConfig(dataset="none", precision="fp32"), spec)
    assert (exact.conv_clamp, exact.num_fp16_res) == (None, 0)
