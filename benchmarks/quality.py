"""FID and KID from images to scores, against torch-fidelity, on the CPU, with the same images and the same weights.

Half of the images are drawn phantoms of one class and half of the other (64 px, resized to 299 by the network's rule).
Both sides begin with images in memory and end with FID and KID of the one half against the other:

* Ersatz: features through an empty cache on disk, Frechet distance, kernel distance with its interval of 200 resamples
  over all images. Once in float32, and once as it runs by itself, in bfloat16 where the CPU multiplies it.
* torch-fidelity (pip install --no-deps torch-fidelity; no part of Ersatz): `calculate_metrics` with fid and kid, batch
  64, no cache, images from the same process (save_cpu_ram, so that no time goes into starting workers), 100 KID subsets
  of all images (1000 at most), which is its default.

The weights are the FID Inception network's of 2015 from wherever they are found on this machine, else random ones.
Agreement is the relative difference of the scores; KID agrees only up to 1000 images a half, since more are not all in
torch-fidelity's subsets.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

from engine.datasets.phantom import phantom
from engine.devices import describe
from engine.features.backbones import Backbone
from engine.features.cache import FeatureCache
from engine.features.extractors import open_extractor
from engine.features.inception import read_weights
from engine.features.sources import available, resolve_weights
from engine.quality.fid_kid import frechet_distance, kernel_distance
from engine.store.home import Home

CPU = torch.device("cpu")


def drawn_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` phantom slices without and as many with a bleed, uint8 [count, 64, 64, 3] each."""
    found: dict[str, list[np.ndarray]] = {"normal": [], "bleed": []}
    seed = 0
    while min(map(len, found.values())) < count:
        for image in phantom(seed):
            found[image.class_name].append(image.pixels)
        seed += 1
    normal, bleed = (np.stack(found[name][:count])[..., None].repeat(3, axis=3) for name in ("normal", "bleed"))
    return normal, bleed


def ersatz(extractor: Backbone, sets: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Seconds and scores of Ersatz."""
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Home(Path(folder)), extractor)
        began = time.perf_counter()
        a, b = (
            cache.features(images, [f"{name}-{row}" for row in range(len(images))])
            for name, images in zip("ab", sets, strict=True)
        )
    featured = time.perf_counter()
    fid, kid = frechet_distance(a, b), kernel_distance(a, b).value
    ended = time.perf_counter()
    return {
        "features_s": featured - began,
        "scores_s": ended - featured,
        "total_s": ended - began,
        "fid": fid,
        "kid": kid,
    }


class InMemory(torch.utils.data.Dataset):
    """What torch-fidelity reads: images uint8 [3, H, W]."""

    def __init__(self, images: np.ndarray):
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.images[row]


def torch_fidelity(weights: Path, sets: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Seconds and scores of torch-fidelity, which gives no times of its parts."""
    from torch_fidelity import calculate_metrics

    began = time.perf_counter()
    found = calculate_metrics(
        input1=InMemory(sets[0]), input2=InMemory(sets[1]), fid=True, kid=True, cuda=False, batch_size=64, cache=False,
        save_cpu_ram=True, verbose=False, kid_subset_size=min(1000, len(sets[0])),
        feature_extractor_weights_path=str(weights),
    )  # fmt: skip
    return {
        "total_s": time.perf_counter() - began,
        "fid": found["frechet_inception_distance"],
        "kid": found["kernel_inception_distance_mean"],
    }


def state_dict(weights: Path, to: Path) -> Path:
    """The same weights as the state dict that torch-fidelity loads; the classes, which no score needs, are zeros."""
    with torch.device("meta"):
        net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    net.fc = nn.Identity()
    state, _ = read_weights(weights, net)
    torch.save({**state, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, to)
    return to


def random_weights(to: Path) -> Path:
    """Random numbers in the layout of the published file: they cost the same time."""
    torch.manual_seed(0)
    torch.save(torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False).state_dict(), to)
    return to


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="images in all; half are compared with half")
    parser.add_argument("--weights", default="", help="the FID network's weights; empty: looked for as always")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    if importlib.util.find_spec("torch_fidelity") is None:
        print("torch-fidelity is not installed; it is what is compared with: pip install --no-deps torch-fidelity")
        return
    if not options.weights and not available("inception"):
        options.weights = str(random_weights(Path(tempfile.mkdtemp()) / "random.pth"))
    weights = resolve_weights("inception", options.weights)
    sets = drawn_images(options.images // 2)
    own = open_extractor("inception", CPU, str(weights))
    exact = dataclasses.replace(own, precision=torch.float32)
    for extractor in {own.precision: own, exact.precision: exact}.values():
        extractor.features(sets[0][:2])  # the first pass prepares
    result: dict[str, Any] = {
        "what": "FID and KID from images to scores on the CPU, against torch-fidelity",
        "aim": {"ratio": 3, "agreement": 1e-3},
        "images": options.images,
        "weights": weights.name,
        "ersatz_float32": ersatz(exact, sets),
    }
    if own.precision != exact.precision:
        result["ersatz_bfloat16"] = ersatz(own, sets)
    with tempfile.TemporaryDirectory() as folder:
        result["torch_fidelity"] = torch_fidelity(state_dict(weights, Path(folder) / "inception.pth"), sets)
    theirs = result["torch_fidelity"]
    for name in ("ersatz_float32", "ersatz_bfloat16"):
        if name not in result:
            continue
        ours = result[name]
        ours["ratio"] = theirs["total_s"] / ours["total_s"]
        ours |= {f"{score}_agreement": abs(ours[score] / theirs[score] - 1) for score in ("fid", "kid")}
        print(
            f"{name}: {ours['total_s']:.1f} s (features {ours['features_s']:.1f} s, scores {ours['scores_s']:.1f} s), "
            f"ratio {ours['ratio']:.2f} (aim: at least 3); agreement FID {ours['fid_agreement']:.1e}, "
            f"KID {ours['kid_agreement']:.1e} (aim: 1e-3)"
        )
    print(f"torch-fidelity: {theirs['total_s']:.1f} s; FID {theirs['fid']:.6g}, KID {theirs['kid']:.6g}")
    result |= {"device": describe(CPU), "torch": torch.__version__, "machine": platform.platform()}
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
