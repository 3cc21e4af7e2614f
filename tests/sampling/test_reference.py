"""The reference's arrays, through import, export and ONNX Runtime. They are not part of the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.configs import NetworkConfig
from engine.gans.nvidia_pkl.importing import import_network
from engine.sampling.export import export_generator
from engine.sampling.sampler import Sampler, StyleganSampler
from engine.store.hashing import sha256_file
from engine.store.home import REPOSITORY, Home
from engine.store.runs import create_run

FIXTURES = REPOSITORY.parent / "shared" / "fixtures" / "stylegan2-ada"
NETWORKS = sorted(FIXTURES.glob("network-*.pkl"))


def sampler_of(home: Home, path: Path) -> StyleganSampler:
    config = NetworkConfig(name="reference", source=str(path), source_sha256=sha256_file(path))
    run = create_run(home, config.plain(), "network")
    assert import_network(run, config) == "finished"
    export_generator(run)
    sampler = Sampler.open(run.path, device="cpu")
    assert isinstance(sampler, StyleganSampler)
    return sampler


@pytest.mark.skipif(not NETWORKS, reason=f"the reference's networks are not in {FIXTURES}")
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_a_seed_gives_the_references_image(home, path):
    sampler = sampler_of(home, path)
    expected = np.load(path.with_name(f"{path.stem}.outputs.npz"))
    labels = expected["c"].argmax(1) if expected["c"].shape[1] else [None] * 4
    for index, (seed, label) in enumerate(zip(expected["seeds"].tolist(), labels, strict=True)):
        name = None if label is None else sampler.classes[label]
        for psi, cutoff, key in [(1.0, 0, "psi1"), (0.7, 0, "psi07"), (0.5, 3, "psi05_cutoff3")]:
            w = sampler.map([seed], name, psi, cutoff)
            np.testing.assert_allclose(w, expected[f"ws_{key}"][index : index + 1], rtol=0, atol=1e-5)
            for noise, planes in [("const", None), ("none", sampler._noise("none", [0]))]:
                if f"img_{noise}_{key}" in expected:
                    image = expected[f"img_{noise}_{key}"][index]
                    np.testing.assert_allclose(sampler.images(w, planes)[0], image, rtol=0, atol=5e-5)
        # Rounded to the nearest level, where the reference adds half a level and cuts off.
        different = sampler.sample([seed], name)[0] != expected["u8_const_psi1"][index]
        assert different.mean() < 0.002
