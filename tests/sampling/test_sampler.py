"""The sampler: no torch, one seed one image, and a sentence for every file that is not what it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from engine.sampling import sampler as module
from engine.sampling.graphs import Graph
from engine.sampling.latents import latents, parse_seeds, slerp
from engine.sampling.sampler import Sampler, save_images, to_pixels
from engine.store.errors import ErsatzError
from engine.store.files import write_json
from engine.store.hashing import sha256_file


def test_a_seed_gives_the_same_image_in_every_batch(make_generator):
    sampler = Sampler.open(make_generator("bleed", channels=3).path)
    together = sampler.sample(range(10, 34))
    assert together.shape == (24, 16, 16, 3)
    assert together.dtype == np.uint8
    assert len({image.tobytes() for image in together}) == 24
    for size in (1, 5, 7):
        apart = [sampler.sample(range(first, min(first + size, 34))) for first in range(10, 34, size)]
        np.testing.assert_array_equal(np.concatenate(apart), together)


def test_seeds_may_come_in_any_order_and_number(make_generator):
    sampler = Sampler.open(make_generator("bleed").path)
    images = sampler.sample([7, 3, 7])
    np.testing.assert_array_equal(images[0], images[2])
    np.testing.assert_array_equal(images[1], sampler.sample([3])[0])
    assert sampler.sample([]).shape == (0, 16, 16, 1)


def test_threads_may_share_a_sampler(make_generator):
    sampler = Sampler.open(make_generator("bleed").path)
    expected = sampler.sample(range(40))
    with ThreadPoolExecutor(8) as threads:
        for first, images in enumerate(threads.map(lambda first: sampler.sample(range(first, first + 8)), range(32))):
            np.testing.assert_array_equal(images, expected[first : first + 8])


def test_the_value_of_one_graph_feeds_the_next(make_generator):
    """As a mapping network feeds a synthesis network, without a copy to the host in between."""
    sampler = Sampler.open(make_generator("bleed").path)
    node = helper.make_node("Neg", ["z"], ["w"])
    z, w = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 8]) for name in "zw")
    graph = helper.make_graph([node], "mapping", [z], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    mapping = Graph(model.SerializeToString(), Path("mapping.onnx"))
    latent = latents([1, 2], 8)
    images = sampler.graphs["generator.onnx"].run({"z": mapping.run({"z": latent}, "w")}).numpy()
    np.testing.assert_array_equal(to_pixels(images), sampler.draw(-latent))


def test_many_images_are_made_in_parts_and_stay_the_same(make_generator, monkeypatch):
    sampler = Sampler.open(make_generator("bleed").path)
    expected, sizes = sampler.sample(range(20)), []
    graph = sampler.graphs["generator.onnx"]

    def run(inputs, output):
        sizes.append(len(inputs["z"]))
        return Graph.run(graph, inputs, output)

    monkeypatch.setattr(graph, "run", run)
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 9 * 16**2)
    np.testing.assert_array_equal(sampler.sample(range(20)), expected)
    monkeypatch.setattr(graph, "limited", True)
    monkeypatch.setattr(module, "PIXELS_IF_LIMITED", 1)
    np.testing.assert_array_equal(sampler.sample(range(3)), expected[:3])
    assert sizes == [9, 9, 2, 1, 1, 1]


def test_latents_are_fixed_by_their_seed():
    z = latents([0, 1], 3)
    assert z.dtype == np.float32
    # The first draws of numpy's legacy generator, whose stream is frozen for all versions of numpy.
    np.testing.assert_allclose(z[0], [1.7640524, 0.4001572, 0.978738], rtol=1e-6)
    np.testing.assert_allclose(z[1], [1.6243454, -0.6117564, -0.5281718], rtol=1e-6)


def test_pixels_invert_what_training_reads():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    read = levels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
    np.testing.assert_array_equal(to_pixels(read), levels)
    np.testing.assert_array_equal(to_pixels(np.float32([[[[-3.0, 3.0]]]])).ravel(), [0, 255])
    assert to_pixels(np.zeros((2, 3, 4, 5), np.float32)).shape == (2, 4, 5, 3)


def test_a_conditional_generator_makes_each_class(make_generator):
    sampler = Sampler.open(make_generator(conditional=True).path)
    first, second = sampler.sample([5], "bleed"), sampler.sample([5], "normal")
    assert second.mean() > first.mean()
    for wrong in (None, "cat"):
        with pytest.raises(ErsatzError, match="expected one of bleed, normal"):
            sampler.sample([5], wrong)


def test_a_generator_of_one_class_refuses_another(make_generator):
    sampler = Sampler.open(make_generator("bleed").path)
    np.testing.assert_array_equal(sampler.sample([1], "bleed"), sampler.sample([1]))
    with pytest.raises(ErsatzError, match="asked for class 'normal'; expected one of bleed"):
        sampler.sample([1], "normal")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_a_sentence(make_generator, seed):
    with pytest.raises(ErsatzError, match=f"seed is {seed}; expected a whole number from 0"):
        Sampler.open(make_generator("bleed").path).sample([seed])


def test_a_run_without_an_export_is_a_sentence(make_generator):
    run = make_generator("bleed")
    (run.path / "generator.onnx").unlink()
    with pytest.raises(ErsatzError, match=f"engine export {run.id}"):
        Sampler.open(run.path)


def test_a_shortened_description_is_a_sentence(make_generator):
    run = make_generator("bleed")
    write_json(run.path / "generator.json", {"sha256": "0"})
    with pytest.raises(ErsatzError, match="lacks channels, classes"):
        Sampler.open(run.path)


def test_a_gan_of_a_later_version_is_a_sentence(make_generator):
    path = make_generator("bleed").path
    description = json.loads((path / "generator.json").read_text())
    write_json(path / "generator.json", {**description, "gan": "gan-of-2030"})
    with pytest.raises(
        ErsatzError, match="'gan-of-2030', which this version does not know; expected one of dcgan, style"
    ):
        Sampler.open(path)


def test_a_changed_file_is_a_sentence(make_generator):
    run = make_generator("bleed")
    content = bytearray((run.path / "generator.onnx").read_bytes())
    content[-100] ^= 1
    (run.path / "generator.onnx").write_bytes(content)
    with pytest.raises(ErsatzError, match="was changed after its export"):
        Sampler.open(run.path)


@pytest.mark.parametrize("content", [b"", b"not a network " * 100, "half"])
def test_a_damaged_network_is_a_sentence(make_generator, content):
    run = make_generator("bleed")
    path = run.path / "generator.onnx"
    path.write_bytes(path.read_bytes()[:1000] if content == "half" else content)
    _set_info(run.path, sha256=sha256_file(path))
    with pytest.raises(ErsatzError, match="is not a network that ONNX Runtime can run"):
        Sampler.open(run.path)


@pytest.mark.parametrize("changes", [{"z_dim": 9}, {"size": 32}, {"channels": 3}, {"conditional": True}])
def test_a_network_of_another_shape_is_a_sentence(make_generator, changes):
    run = make_generator("bleed")
    _set_info(run.path, **changes)
    with pytest.raises(ErsatzError, match="Export the training run again"):
        Sampler.open(run.path)


def test_sampling_imports_no_torch_and_prints_nothing(make_generator):
    """Also where onnxruntime-gpu is installed and there is no GPU."""
    run = make_generator("bleed")
    script = (
        "import sys; from pathlib import Path\n"
        "import engine.sampling.exploring, engine.sampling.pools, engine.sampling.video, engine.sampling.walks\n"
        "from engine.sampling.sampler import Sampler\n"
        f"assert Sampler.open(Path({str(run.path)!r})).sample([1, 2]).shape == (2, 16, 16, 1)\n"
        "found = {'torch', 'torchvision', 'onnxscript'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exhausted_memory_is_a_sentence(make_generator, monkeypatch):
    sampler = Sampler.open(make_generator("bleed").path)

    def exhausted(*_):
        raise RuntimeError("[ONNXRuntimeError] : Failed to allocate memory for requested buffer of size 1")

    monkeypatch.setattr(sampler.graphs["generator.onnx"].session, "run_with_iobinding", exhausted)
    with pytest.raises(ErsatzError, match="sample fewer images at once"):
        sampler.sample([1])


def test_slerp_keeps_to_the_sphere():
    a, b = latents([0, 1], 50)
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    walk = slerp(a, b, np.linspace(0, 1, 5))
    np.testing.assert_allclose(walk[[0, -1]], [a, b], rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(walk, axis=1), np.linalg.norm(a), rtol=1e-5)
    steps = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
    np.testing.assert_allclose(slerp(a, a, np.array([0.3])), a[None], rtol=1e-6)


def test_draw_makes_the_image_of_a_latent(make_generator):
    sampler = Sampler.open(make_generator("bleed").path)
    np.testing.assert_array_equal(sampler.draw(latents([4, 9], 8).astype(np.float64)), sampler.sample([4, 9]))


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-3", [0, 1, 2, 3]), ("7", [7]), ("1, 5 ,7-9,5", [1, 5, 7, 8, 9, 5]), ("4294967295", [4294967295])],
)
def test_seeds_are_lists_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "-1", "1-", "0-4294967296", "0-9999999999", "0-1000000"])
def test_wrong_seeds_are_a_sentence(text):
    with pytest.raises(ErsatzError, match="expected whole numbers and growing ranges"):
        parse_seeds(text)


def test_images_are_saved_by_run_class_and_seed(make_generator, tmp_path):
    grey, colour = Sampler.open(make_generator("bleed").path), Sampler.open(make_generator("normal", channels=3).path)
    for sampler, mode in ((grey, "L"), (colour, "RGB")):
        paths = save_images(sampler, [3, 1, 2], None, tmp_path / "new", batch=2)
        expected = [f"{sampler.info.run}-{sampler.classes[0]}-00000{seed}.png" for seed in (3, 1, 2)]
        assert [path.name for path in paths] == expected
        with Image.open(paths[1]) as image:
            assert image.mode == mode
            np.testing.assert_array_equal(np.asarray(image).reshape(16, 16, -1), sampler.sample([1])[0])


def _set_info(folder: Path, **changes: object) -> None:
    write_json(folder / "generator.json", {**json.loads((folder / "generator.json").read_text()), **changes})
