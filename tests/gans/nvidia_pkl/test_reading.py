"""Files in the layouts of both repositories come back number for number, whatever protocol wrote them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.gans.nvidia_pkl.nvidia import Networks, count_parameters, read_networks
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
)
from engine.store.home import REPOSITORY
from tests.gans.nvidia_pkl.writing import (
    content,
    converted,
    discriminator_kwargs,
    dumped,
    generator_kwargs,
    persistent,
    small_networks,
)

FIXTURES = REPOSITORY.parent / "shared" / "fixtures" / "stylegan2-ada"


def read(tmp_path: Path, value: Any, protocol: int = 4, **options: Any) -> Networks:
    path = tmp_path / "network.pkl"
    path.write_bytes(dumped(value, protocol, **options))
    return read_networks(path)


def assert_same(state: dict[str, torch.Tensor] | None, network: nn.Module) -> None:
    expected = network.state_dict()
    assert state is not None
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert state[name].dtype == torch.float32
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize("numpy_core", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize("layout", ["nested", "flat"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_and_layout(tmp_path: Path, protocol: int, layout: str, numpy_core: str) -> None:
    changes = {"num_fp16_res": 2, "conv_clamp": 256, "channels": 3}
    (g, d), (averaged, _) = small_networks(classes=2, **changes), small_networks(seed=1, classes=2, **changes)
    value = content(g, d, layout, ordered=protocol < 4, averaged=averaged)
    networks = read(tmp_path, value, protocol, numpy_core=numpy_core)
    assert_same(networks.g, g)
    assert_same(networks.g_ema, averaged)
    assert_same(networks.d, d)
    assert networks.g_architecture == g.architecture
    # The discriminator's options do not tell z, w and the depth of the generator's mapping.
    of_generator = {"z_dim": 512, "w_dim": 512, "mapping_layers": 8}
    assert networks.d_architecture == replace(d.architecture, **of_generator)  # type: ignore[arg-type]
    assert networks.facts["layout"] == {"nested": "stylegan2-ada-pytorch", "flat": "stylegan3"}[layout]
    assert networks.facts["augment_p"] == 0.25
    assert networks.facts["training_set_kwargs"]["path"] == "/data/x.zip"


def test_strided_weights_are_put_in_order(tmp_path: Path) -> None:
    g, d = small_networks()
    expected = {name: value.clone() for name, value in g.state_dict().items()}
    g, d = g.to(memory_format=torch.channels_last), d.to(memory_format=torch.channels_last)
    assert not g.synthesis.b8.conv0.weight.is_contiguous()
    networks = read(tmp_path, content(g, d))
    assert all(torch.equal(networks.g_ema[name], value) for name, value in expected.items())
    assert all(value.is_contiguous() for value in networks.g_ema.values())


def test_views_of_a_larger_storage(tmp_path: Path) -> None:
    g, d = small_networks()
    large = torch.randn(50)
    g.mapping.w_avg = large[7:23:2]  # offset 7, stride 2
    networks = read(tmp_path, content(g, d))
    assert torch.equal(networks.g_ema["mapping.w_avg"], large[7:23:2])


def test_frozen_layers_are_buffers_of_the_same_names(tmp_path: Path) -> None:
    g, d = small_networks(freeze_d=6)
    assert len(list(d.parameters())) < len(list(small_networks()[1].parameters()))
    networks = read(tmp_path, content(g, d))
    assert_same(networks.d, d)
    assert_same(networks.d, small_networks()[1])
    assert networks.d_architecture is not None
    assert networks.d_architecture.freeze_d == 6
    assert count_parameters(networks)["D"] == sum(p.numel() for p in small_networks()[1].parameters())


@pytest.mark.parametrize("form", ["orig", "skip"])
def test_other_discriminators(tmp_path: Path, form: str) -> None:
    g, d = small_networks(d_architecture=form, mbstd_group=None, channels=3)
    networks = read(tmp_path, content(g, d))
    assert_same(networks.d, d)
    assert networks.d_architecture is not None
    assert (networks.d_architecture.d_architecture, networks.d_architecture.mbstd_group) == (form, None)


def test_what_a_file_leaves_out_is_as_its_own_classes_have_it(tmp_path: Path) -> None:
    """Precision and clamp default to none in one repository, to 4 resolutions and 256 in the other."""
    for layout, left, expected in (
        ("nested", {"synthesis_kwargs": {"channel_base": 128, "channel_max": 16}}, (0, None)),
        ("flat", {"channel_base": 128, "channel_max": 16}, (4, 256)),
    ):
        g, d = small_networks()
        spec = {"z_dim": 8, "w_dim": 8, "c_dim": 0, "img_resolution": 16, "img_channels": 1}
        kwargs = {**spec, "mapping_kwargs": {"num_layers": 2}, **left}
        d_kwargs = {"c_dim": 0, "img_resolution": 16, "img_channels": 1, "channel_base": 128, "channel_max": 16}
        networks = read(
            tmp_path,
            content(g, d, layout, G=persistent(g, kwargs), G_ema=persistent(g, kwargs), D=persistent(d, d_kwargs)),
        )
        for architecture in (networks.g_architecture, networks.d_architecture):
            assert architecture is not None
            assert (architecture.num_fp16_res, architecture.conv_clamp) == expected
        assert networks.d_architecture is not None
        assert networks.d_architecture.mbstd_group == 4


def test_parts_may_be_missing(tmp_path: Path) -> None:
    g, _ = small_networks()
    kwargs = generator_kwargs(g.architecture)
    networks = read(tmp_path, {"G_ema": persistent(g, kwargs)})
    assert_same(networks.g_ema, g)
    assert networks.g is None
    assert networks.d is None
    assert networks.d_architecture is None
    networks = read(tmp_path, {"G": None, "D": None, "G_ema": persistent(g, kwargs), "augment_pipe": None})
    assert networks.facts == {
        "layout": "stylegan2-ada-pytorch",
        "networks": ["G_ema"],
        "augment_p": None,
        "training_set_kwargs": {},
        "left_out": {},
    }


def test_options_that_say_what_is_so_anyway(tmp_path: Path) -> None:
    """Files converted from TensorFlow, and some trainings, spell defaults out."""
    g, d = small_networks()
    kwargs = generator_kwargs(g.architecture, resample_filter=[1, 3, 3, 1], use_noise=True, fp16_channels_last=True)
    kwargs["mapping_kwargs"] |= {"embed_features": None, "layer_features": 8, "activation": "lrelu"}
    kwargs["mapping_kwargs"] |= {"lr_multiplier": 0.01, "w_avg_beta": 0.995}
    d_kwargs = discriminator_kwargs(d.architecture, cmap_dim=None)
    d_kwargs["block_kwargs"] |= {"activation": "lrelu", "fp16_channels_last": True}
    parts = {"G": persistent(g, kwargs), "G_ema": persistent(g, kwargs), "D": persistent(d, d_kwargs)}
    assert_same(read(tmp_path, content(g, d, **parts)).g_ema, g)


@pytest.mark.parametrize("form", ["resnet", "orig"])
def test_networks_converted_from_tensorflow(tmp_path: Path, form: str) -> None:
    """Their discriminators have options of a mapping that is not there: no layer, and the rate 0.1."""
    g, d = small_networks(channels=3, mbstd_group=None, d_architecture=form)
    networks = read(tmp_path, converted(g, d))
    for state, network in ((networks.g, g), (networks.g_ema, g), (networks.d, d)):
        assert_same(state, network)
    assert networks.g_architecture == small_networks(channels=3)[0].architecture
    assert networks.d_architecture is not None
    assert networks.d_architecture.mbstd_group is None
    assert networks.facts["left_out"] == {}


@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("mapping", {"num_layers": 5, "lr_multiplier": "high", "activation": "relu", "attention": 3}),
        ("epilogue", {"mbstd_num_channels": 0, "mbstd_group_size": 0}),
    ],
)
def test_options_of_a_part_that_is_not_there_mean_nothing(tmp_path: Path, part: str, options: dict[str, Any]) -> None:
    g, d = small_networks(mbstd_channels=int(part == "mapping"))
    kwargs = discriminator_kwargs(d.architecture)
    kwargs[f"{part}_kwargs"] |= options
    networks = read(tmp_path, content(g, d, D=persistent(d, kwargs)))
    assert_same(networks.d, d)


def mapped(state: dict[str, torch.Tensor], layers: int, rate: float, z: np.ndarray | None, c: np.ndarray) -> np.ndarray:
    """A mapping in float64, written down from the published formula: x @ (W rate / sqrt(inputs)).T + b rate."""
    weights = {name.removeprefix("mapping."): value.double().numpy() for name, value in state.items()}

    def norm2(x: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-8)

    embedded = c @ (weights["embed.weight"] / np.sqrt(c.shape[1])).T + weights["embed.bias"]
    x = norm2(embedded) if z is None else np.concatenate([norm2(z), norm2(embedded)], axis=1)
    for i in range(layers):
        weight, bias = weights[f"fc{i}.weight"], weights[f"fc{i}.bias"]
        x = x @ (weight * (rate / np.sqrt(weight.shape[1]))).T + bias * rate
        x = np.sqrt(2) * np.where(x < 0, 0.2 * x, x)
    return x


@pytest.mark.parametrize(("layers", "rate"), [(3, 0.1), (1, 1), (0, 0.1)])
def test_the_rate_of_a_mapping_is_carried(tmp_path: Path, layers: int, rate: float) -> None:
    """It scales weights and biases of the layers, in both networks of a conditional file."""
    rates = {"mapping_lr": rate / 2, "d_mapping_lr": rate, "d_mapping_layers": layers}
    g, d = small_networks(classes=2, **rates)
    networks = read(tmp_path, converted(g, d))
    assert networks.d_architecture is not None
    assert (networks.g_architecture.mapping_lr, networks.d_architecture.d_mapping_layers) == (rate / 2, layers)
    assert networks.d_architecture.d_mapping_lr == (rate if layers else 0.01)
    generator, discriminator = Generator(networks.g_architecture), Discriminator(networks.d_architecture)
    generator.load_state_dict(networks.g_ema)
    discriminator.load_state_dict(networks.d or {})
    z, c = torch.randn(4, 8), torch.eye(2)[[0, 1, 1, 0]]
    with torch.inference_mode():
        w, towards = generator.mapping(z, c)[:, 0], discriminator.mapping(c)
    expected = mapped(networks.g_ema, 2, rate / 2, z.double().numpy(), c.double().numpy())
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-4, atol=1e-5)
    expected = mapped(networks.d or {}, layers, rate, None, c.double().numpy())
    np.testing.assert_allclose(towards.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_parts_that_nothing_uses_are_named_and_left_out(tmp_path: Path) -> None:
    """Also an optimiser's state, a dict by number with tensors in it."""
    g, d = small_networks()
    state = {"state": {0: {"step": 3, "exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.002, "params": [0, 1]}]}
    parts = {"cur_nimg": 25_000_000, "note": "best\x1b[31m", "G_opt": state, "stats": None, "D_ema": persistent(d)}
    networks = read(tmp_path, content(g, d, **parts, training_set_kwargs="/data/x.zip"))
    assert_same(networks.g_ema, g)
    assert networks.facts["left_out"] == {
        "training_set_kwargs": "'/data/x.zip'",
        "cur_nimg": "25000000",
        "note": r"'best\x1b[31m'",
        "G_opt": "a dict",
        "stats": "None",
        "D_ema": "a module",
    }


@pytest.mark.parametrize("name", ["network-16-rgb", "network-32-grey-2class"])
def test_agreement_with_the_reference(name: str) -> None:
    if not FIXTURES.is_dir():
        pytest.skip(f"the reference's arrays are not at {FIXTURES}")
    networks = read_networks(FIXTURES / f"{name}.pkl")
    expected = np.load(FIXTURES / f"{name}.outputs.npz")
    assert networks.d_architecture is not None
    generator, discriminator = Generator(networks.g_architecture).eval(), Discriminator(networks.d_architecture).eval()
    discriminator.load_state_dict(networks.d or {})
    z = torch.from_numpy(expected["z"])
    c = torch.from_numpy(expected["c"]).float() if networks.g_architecture.classes else None
    with torch.inference_mode():
        for state, key, options in (
            (networks.g_ema, "img_const_psi1_batch4", {}),
            (networks.g_ema, "img_const_psi07_batch4", {"psi": 0.7}),
            (networks.g_ema, "img_none_psi1", {"noise": "none"}),
            (networks.g, "G_img_const_psi1", {}),
        ):
            generator.load_state_dict(state or {})
            np.testing.assert_allclose(generator(z, c, **options).numpy(), expected[key], rtol=0, atol=5e-5)
        images = torch.from_numpy(expected["D_in8"])
        eight = None if c is None else torch.cat([c, c])
        np.testing.assert_allclose(discriminator(images, eight).numpy(), expected["D_logits_in8"], rtol=0, atol=1e-5)


def test_no_module_is_imported_by_its_name_in_a_file(tmp_path: Path) -> None:
    g, d = small_networks()
    read(tmp_path, content(g, d))
    assert not {"dnnlib", "torch_utils"} & sys.modules.keys()
