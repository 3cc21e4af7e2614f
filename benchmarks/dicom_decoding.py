"""Decoding DICOM: what a compressed transfer syntax costs against the same pictures uncompressed.

CT-like slices (smooth anatomy with noise, 12 bits of 16) and colour ones (8 bits), made here and encoded losslessly,
are read from memory by the reader's `decode`, as an import reads them. All syntaxes take turns, so that whatever else
the machine does meets all; told are medians a slice and their ratio to explicit little endian.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid
from scipy.ndimage import gaussian_filter

from benchmarks.machine import describe_cpu
from engine.datasets.reading.dicom import reader as dicom

SIZE = 512
REPEATS = 20
BITS = {"grey": 12, "colour": 8}


def lossless_jpeg(pixels: np.ndarray, predictor: int) -> bytes:
    if pixels.ndim == 3:
        as_rgb = {"colorspace": "RGB", "outcolorspace": "RGB"}
        return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, **as_rgb)
    return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=BITS["grey"])


def lossy_jpeg(pixels: np.ndarray) -> bytes:
    bits = BITS["grey"] if pixels.ndim == 2 else BITS["colour"]
    return imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=bits)


J2K = partial(imagecodecs.jpeg2k_encode, level=0, codecformat="j2k", reversible=True)
ENCODERS: dict[str, tuple[str, Callable[[np.ndarray], bytes] | None]] = {
    "explicit little endian": (ExplicitVRLittleEndian, None),
    "RLE": (RLELossless, None),
    "JPEG (lossy)": ("1.2.840.10008.1.2.4.51", lossy_jpeg),
    "JPEG lossless .57": ("1.2.840.10008.1.2.4.57", partial(lossless_jpeg, predictor=6)),
    "JPEG lossless .70": ("1.2.840.10008.1.2.4.70", partial(lossless_jpeg, predictor=1)),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode),
    "JPEG 2000": ("1.2.840.10008.1.2.4.90", J2K),
    "HTJ2K": ("1.2.840.10008.1.2.4.201", partial(imagecodecs.htj2k_encode, reversible=True)),
}


def slice_of(kind: str, size: int) -> np.ndarray:
    """Smooth shapes with noise, which compress about as a CT does: uint16 `[S, S]` or uint8 `[S, S, 3]`."""
    random = np.random.default_rng(0)
    shape = (size, size) if kind == "grey" else (size, size, 3)
    smooth = gaussian_filter(random.normal(size=shape), (size / 16, size / 16, 0)[: len(shape)])
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    top = 2 ** BITS[kind] - 1
    noisy = smooth * top * 0.9 + random.normal(scale=top / 400, size=shape)
    return np.clip(noisy, 0, top).astype(np.uint16 if kind == "grey" else np.uint8)


def encoded(pixels: np.ndarray, syntax: str, encode: Callable[[np.ndarray], bytes] | None) -> bytes:
    """The whole DICOM file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    file.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated = 8 * pixels.dtype.itemsize
    file.BitsStored = BITS["colour" if pixels.ndim == 3 else "grey"]
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, 0
    file.PixelData = pixels.tobytes()
    if encode is not None:
        file.PixelData = encapsulate([bytes(encode(pixels))])
        file["PixelData"].VR, file["PixelData"].is_undefined_length = "OB", True
        meta.TransferSyntaxUID = UID(syntax)
    elif syntax != ExplicitVRLittleEndian:
        file.compress(UID(syntax), generate_instance_uid=False)
    stream = BytesIO()
    pydicom.dcmwrite(stream, file, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def compare(kind: str, size: int, repeats: int, threads: int) -> list[dict[str, object]]:
    """Median milliseconds a slice of each syntax, alone and in so many threads."""
    pixels = slice_of(kind, size)
    files: dict[str, bytes] = {}
    for name, (syntax, encode) in ENCODERS.items():
        if kind == "colour" and encode is lossy_jpeg:
            syntax = "1.2.840.10008.1.2.4.50"
        files[name] = encoded(pixels, syntax, encode)
        shown = dicom.decode(BytesIO(files[name]), size * size, None).pixels
        if encode is not lossy_jpeg and not np.array_equal(shown, pixels):
            raise ValueError(f"{name} does not give back the {kind} slice")

    def decode(content: bytes) -> None:
        dicom.decode(BytesIO(content), size * size, None)

    alone: dict[str, list[float]] = {name: [] for name in files}
    together: dict[str, list[float]] = {name: [] for name in files}
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats):
            for name, content in files.items():
                start = time.perf_counter()
                decode(content)
                alone[name].append(time.perf_counter() - start)
                start = time.perf_counter()
                list(pool.map(decode, [content] * threads))
                together[name].append((time.perf_counter() - start) / threads)
    plain = statistics.median(alone["explicit little endian"])
    return [
        {
            "slice": kind,
            "syntax": name,
            "share_of_size": len(content) / len(files["explicit little endian"]),
            "ms": statistics.median(alone[name]) * 1e3,
            "ms_in_threads": statistics.median(together[name]) * 1e3,
            "ratio": statistics.median(alone[name]) / plain,
        }
        for name, content in files.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--size", type=int, default=SIZE, help="width and height of the slices")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    rows = [row for kind in BITS for row in compare(kind, arguments.size, arguments.repeats, arguments.threads)]
    print(f"{'slice':<7} {'syntax':<23} {'size':>5} {'ms':>8} {'ms in threads':>14} {'ratio':>6}")
    for row in rows:
        print(
            f"{row['slice']:<7} {row['syntax']:<23} {row['share_of_size']:>5.2f} {row['ms']:>8.2f} "
            f"{row['ms_in_threads']:>14.2f} {row['ratio']:>6.1f}"
        )
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": "dicom_decoding",
            "cpu": describe_cpu(),
            "size": arguments.size,
            "repeats": arguments.repeats,
            "threads": arguments.threads,
            "pydicom": pydicom.__version__,
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
