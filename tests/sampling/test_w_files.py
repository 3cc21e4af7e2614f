"""w in files: written and read as other StyleGAN2 programs do, and nothing else is read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.sampling.latents import load_w, noise_planes, save_w, w_content
from engine.store.errors import ErsatzError


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


class Trap:
    """Would be run by a reader that unpickles."""

    def __reduce__(self):
        return (Path("trapped").touch, ())


def test_w_survives_a_file(stylegan, tmp_path):
    w = stylegan.map([5], psi=0.7)
    save_w(tmp_path / "w.npz", w)
    with np.load(tmp_path / "w.npz", allow_pickle=False) as file:
        assert file.files == ["w"]
        assert (file["w"].shape, file["w"].dtype) == ((1, 6, 24), np.float32)
    np.testing.assert_array_equal(stylegan.load_w(tmp_path / "w.npz"), w)
    np.testing.assert_array_equal(load_w(io.BytesIO(w_content(w)), 6, 24), w)
    np.testing.assert_array_equal(stylegan.synthesize(w), stylegan.sample([5], psi=0.7))


@pytest.mark.parametrize("dtype", [">f8", "f2", "f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_programs_files_are_read(tmp_path, dtype, order):
    w = np.asarray(np.arange(12).reshape(1, 3, 4), dtype, order=order)
    np.savez_compressed(tmp_path / "w.npz", w=w, other=np.arange(3))
    found = load_w(tmp_path / "w.npz", 3, 4)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, w)


def claiming(shape: tuple[int, ...]) -> bytes:
    """A file whose w says that it has this shape, with no numbers behind."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("w.npy", header.getvalue())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no .npz file"),
        (b"not a file of arrays" * 30, "is no .npz file"),
        (npz(w=np.zeros((1, 3, 4), np.float32))[:-30], "is no .npz file"),
        (npz(z=np.zeros((1, 3, 4))), "has no readable array 'w'"),
        (npz(w=np.zeros((1, 4, 3))), r"holds w of shape \[1, 4, 3\]"),
        (npz(w=np.zeros((3, 4))), r"holds w of shape \[3, 4\]"),
        (npz(w=np.zeros((2, 3, 4))), r"holds w of shape \[2, 3, 4\]"),
        (npz(w=np.zeros((1, 3, 4), int)), "type int64"),
        (npz(w=np.full((1, 3, 4), np.nan)), "not finite"),
        (npz(w=np.array([[[Trap()] * 4] * 3])), "type object"),
        (npz(w=np.array(Trap())), "type object"),
        (claiming((1, 3, 4)), "is damaged"),
        (claiming((10**6, 10**6, 10**6)), "holds w of shape"),
    ],
    ids=range(13),
)
def test_wrong_files_are_a_sentence(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    for source in (path, io.BytesIO(content)):
        with pytest.raises(ErsatzError, match=rf"{said}.*shape \[1, 3, 4\] is expected.*Choose another file"):
            load_w(source, 3, 4)
    assert not (tmp_path / "trapped").exists()


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(ErsatzError, match="There is no file"):
        load_w(tmp_path / "w.npz", 3, 4)


def test_noise_is_drawn_from_its_seed_and_is_not_z():
    planes = noise_planes([3, 4], 1000)
    np.testing.assert_array_equal(planes[1:], noise_planes([4], 1000))
    np.testing.assert_array_equal(planes[:, :500], noise_planes([3, 4], 500))
    assert abs(planes.mean()) < 0.1
    assert planes.std() == pytest.approx(1, abs=0.1)
    z = np.random.RandomState(3).randn(1000)
    assert abs(np.corrcoef(planes[0], z)[0, 1]) < 0.15
