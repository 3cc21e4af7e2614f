"""How often the search for copies and the attack accuse a clean pool, and which planted copies are found.

Chest films of 28 pixels (`pneumoniamnist.npz` of MedMNIST v2), the program's own phantom, and simulated patients with
several alike images each. Every repetition draws training, held-out and other images anew, whole patients at a time.

* **Clean** pools: unseen real images, as they are and softened; draws of a Gaussian of 10 principal components and of a
  mixture of Gaussians, fitted on unseen images or on the training images themselves (smooth, as a small GAN's are); a
  pool that repeats ten pictures. An accusation of any of them is false.
* **Planted**: a tenth of a smooth clean pool, and of a sharp one, is replaced by copies of training images: exact,
  noisy, mirrored, brighter, moved by 4 pixels, enlarged by 8 %, turned by 5 degrees, the last three by half
  together.
* **Overfitted**: the whole pool are training images with noise.

Rates are printed with exact binomial 95 % intervals, and written as JSON:

    python -m benchmarks.copy_calibration --data FOLDER --repetitions 100 --out copies.json
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.ndimage import affine_transform, gaussian_filter, rotate, shift
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from engine.configs import QualityConfig
from engine.datasets.phantom import phantom
from engine.features.extractors import open_extractor
from engine.quality.copies import Copies, Features, find_copies
from engine.store.hashing import sha256_pixels

TRAIN, HELD_OUT, OTHERS, POOL = 240, 60, 240, 200
"""Images of each part; a fifth of the seen and unseen reals is held out, as the presets do."""
PLANTED = 20
SIZE = 28
Draw = np.random.Generator


@dataclass(frozen=True)
class Reals:
    """Real images of one repetition, uint8 [N, H, W, 1], and the patient of each."""

    train: np.ndarray
    held_out: np.ndarray
    others: np.ndarray
    patients: dict[str, list[str]]


def films(folder: Path) -> Callable[[Draw], Reals]:
    """Chest films; two of one child cannot be told, so every film stands for a patient.

    Films that the set holds twice are left out but for one of each: to find those is right and no false accusation.
    """
    with np.load(folder / "pneumonia-mnist" / "pneumoniamnist.npz") as file:
        images = np.unique(file["train_images"], axis=0)[..., None]

    def draw(random: Draw) -> Reals:
        rows = random.permutation(len(images))[: TRAIN + HELD_OUT + OTHERS]
        return _cut(images[rows], [f"film {row}" for row in rows], TRAIN, TRAIN + HELD_OUT)

    return draw


def phantoms(random: Draw) -> Reals:
    """Slices of the program's procedural phantom, halved to 32 pixels: 3 to 5 of each of 60 and of 15 patients."""
    first, second = (phantom(int(random.integers(2**31))) for _ in range(2))
    x = [np.stack([image.pixels for image in each]).reshape(-1, 32, 2, 32, 2).mean((2, 4)) for each in (first, second)]
    names = [image.group for image in first]
    seen = [int(name[1:]) <= 60 for name in names].count(True)
    images = _grey(np.concatenate(x))[..., None]
    return _cut(images, names, seen, len(first))


def clustered(random: Draw) -> Reals:
    """Patients of 8 images each, more alike than two patients are; 30 train, 8 are held out."""
    patients, images = (TRAIN + HELD_OUT + OTHERS) // 8 + 1, 8
    own = gaussian_filter(random.standard_normal((patients, 1, SIZE, SIZE)), (0, 0, 2.5, 2.5))
    detail = gaussian_filter(random.standard_normal((patients, images, SIZE, SIZE)), (0, 0, 1.2, 1.2))
    x = own / own.std() + 0.5 * detail / detail.std()
    x = (128 + 40 * x).clip(0, 255).astype(np.uint8).reshape(-1, SIZE, SIZE, 1)
    names = [f"patient {row // images}" for row in range(len(x))]
    return _cut(x, names, TRAIN, TRAIN + 64)


def _cut(images: np.ndarray, names: list[str], first: int, second: int) -> Reals:
    patients = {"train": names[:first], "held-out": names[first:second]}
    return Reals(images[:first], images[first:second], images[second:], patients)


def unseen(reals: Reals, random: Draw) -> np.ndarray:
    return reals.others[:POOL]


def softened(reals: Reals, random: Draw) -> np.ndarray:
    return _grey(gaussian_filter(reals.others[:POOL].astype(float), (0, 1, 1, 0)))


def gaussian(of: str) -> Callable[[Reals, Draw], np.ndarray]:
    def pool(reals: Reals, random: Draw) -> np.ndarray:
        images = getattr(reals, of)
        fitted = PCA(10, svd_solver="full").fit(images.reshape(len(images), -1).astype(float))
        z = random.standard_normal((POOL, 10)) * np.sqrt(fitted.explained_variance_)
        return _grey(fitted.inverse_transform(z).reshape(POOL, *images.shape[1:]))

    return pool


def mixture(of: str) -> Callable[[Reals, Draw], np.ndarray]:
    def pool(reals: Reals, random: Draw) -> np.ndarray:
        images = getattr(reals, of)
        seed = int(random.integers(2**31))
        flat = images.reshape(len(images), -1).astype(float)
        reduced = PCA(20, svd_solver="full").fit(flat)
        model = GaussianMixture(3, covariance_type="diag", reg_covar=1.0, random_state=seed)
        z = model.fit(reduced.transform(flat)).sample(POOL)[0]
        return _grey(reduced.inverse_transform(z).reshape(POOL, *images.shape[1:]))

    return pool


def collapsed(reals: Reals, random: Draw) -> np.ndarray:
    pictures = gaussian_filter(reals.others[:10].astype(float), (0, 1, 1, 0))[random.integers(10, size=POOL)]
    return _grey(pictures + random.normal(0, 3, pictures.shape))


def _grey(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)


def changed(images: np.ndarray, how: str, random: Draw) -> np.ndarray:
    """Copies of images [N, H, W, 1] as a generator might make them."""
    x = images.astype(float)
    zoom, turn, move = {"zoom 8 %": (1.08, 0, 0), "turn 5 degrees": (1, 5, 0), "move 4 px": (1, 0, 4),
                        "all three by half": (1.04, 2.5, 2)}.get(how, (1, 0, 0))  # fmt: skip
    if zoom != 1:
        middle = (images.shape[1] - 1) / 2
        scale = np.array([1, 1 / zoom, 1 / zoom, 1])
        x = affine_transform(x, scale, middle * (1 - scale) * [0, 1, 1, 0], order=1, mode="nearest")
    if turn:
        x = rotate(x, turn, (1, 2), reshape=False, order=1, mode="nearest")
    if move:
        x = shift(x, (0, 0, move, 0), order=1, mode="nearest")
    if how == "noise":
        x = x + random.normal(0, 10, x.shape)
    if how == "mirrored":
        x = x[:, :, ::-1]
    if how == "brighter":
        x = 0.8 * x + 40
    return _grey(x)


CHANGES = ("exact", "noise", "mirrored", "brighter", "move 4 px", "zoom 8 %", "turn 5 degrees", "all three by half")
COPIES = re.compile(r"\d+ of \d+ synthetic images looks? like")
REMEMBERS = ("remembers its", "carries a trace", "below is copying")
CLEAN: dict[str, Callable[[Reals, Draw], np.ndarray]] = {
    "unseen reals": unseen,
    "unseen reals, softened": softened,
    "Gaussian of 10, fitted on unseen": gaussian("others"),
    "Gaussian of 10, fitted on training": gaussian("train"),
    "mixture, fitted on unseen": mixture("others"),
    "mixture, fitted on training": mixture("train"),
    "ten pictures repeated": collapsed,
}


def part(images: np.ndarray, name: str, patients: list[str] | None = None) -> Features:
    """Images with the features of the extractor that needs no weights."""
    rows = pd.DataFrame({"path": [f"{name}/{row}.png" for row in range(len(images))], "class": "all"})
    rows["sha256"] = [sha256_pixels(image) for image in images]
    rows["group"] = patients if patients is not None else ""
    return Features(open_extractor("pixels", torch.device("cpu")).features(images), images, rows)


def search(reals: Reals, pool: np.ndarray, seed: int) -> Copies:
    train = part(reals.train, "train", reals.patients["train"])
    held_out = part(reals.held_out, "valid", reals.patients["held-out"])
    config = QualityConfig(name="check", dataset="set", pool="pool", extractor="pixels", device="cpu", seed=seed)
    return find_copies(train, part(pool, "pool"), held_out, config)


def told(found: Copies) -> dict[str, float]:
    """What a reader of the check is told: the accusations, and the numbers behind them."""
    rows = {row.measure: row for row in found.measures if row.class_name == ""}
    said = " ".join(found.sentences)
    facts = {
        "flagged copy": found.flags["copy"] / len(found.table),
        "flagged near-copy": found.flags["near-copy"] / len(found.table),
        "says copies": float(any(COPIES.match(line) for line in found.sentences)),
        "says remembers": float(any(words in said for words in REMEMBERS)),
        "DCR above 50 %": float(rows["dcr_share"].low > 0.5),
        "C_T too low": float(rows["c_t"].high < rows["c_t"].expected or "below is copying" in said),
    }
    if "attack_auc" in rows:
        auc = rows["attack_auc"]
        facts["says attack tells"] = float("An attack tells" in said)
        facts["AUC holds 50 %"] = float(auc.low <= 0.5 <= auc.high)
        facts["AUC"] = auc.value
    facts["any accusation"] = float(
        any(facts.get(name) for name in ("says copies", "says remembers", "says attack tells"))
    )
    return facts


def interval(found: float, of: int) -> str:
    limits = stats.binomtest(round(found), of).proportion_ci()
    return f"{100 * found / of:.1f} % ({100 * limits.low:.1f} to {100 * limits.high:.1f})"


def summed(rows: list[dict[str, float]]) -> dict[str, str]:
    """Rates of pools with exact intervals; shares of images (and AUC) as means over the pools."""
    out = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        shares = name.startswith("flagged") or name == "AUC"
        out[name] = f"{100 * np.mean(values):.1f} % of images" if shares else interval(sum(values), len(rows))
        if name == "AUC":
            out[name] = f"{np.mean(values):.3f} on average"
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds pneumonia-mnist/pneumoniamnist.npz")
    parser.add_argument("--repetitions", type=int, default=100, help="clean pools of each kind")
    parser.add_argument("--planted", type=int, default=5, help=f"pools with {PLANTED} copies of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--worlds", nargs="*", help="only those whose name holds one of these words")
    parser.add_argument("--out", type=Path, help="JSON file for the rates")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sources = {"films": films(arguments.data), "phantom": phantoms, "clustered patients": clustered}
    wanted = arguments.worlds or [""]
    began, results = time.perf_counter(), {}
    seeds = range(arguments.first, arguments.first + arguments.repetitions)

    def note(name: str, row: dict[str, str]) -> None:
        results[name] = row
        print(f"{name}: " + "; ".join(f"{what} {value}" for what, value in row.items()), flush=True)

    for source, draw in sources.items():
        for kind, make in CLEAN.items():
            name = f"clean: {source}, {kind}"
            if not any(word in name for word in wanted):
                continue
            rows = []
            for seed in seeds:
                random = np.random.default_rng(seed)
                reals = draw(random)
                rows.append(told(search(reals, make(reals, random), seed)))
            note(name, summed(rows))
        for beside in ("unseen reals", "Gaussian of 10, fitted on unseen"):
            for how in CHANGES:
                name = f"planted: {source}, {how} in {beside}"
                if not any(word in name for word in wanted):
                    continue
                copies = near = said = 0
                for seed in range(arguments.first, arguments.first + arguments.planted):
                    random = np.random.default_rng(seed)
                    reals = draw(random)
                    pool = CLEAN[beside](reals, random).copy()
                    pool[:PLANTED] = changed(reals.train[:PLANTED], how, random)
                    found = search(reals, pool, seed)
                    copies += int((found.table["flag"][:PLANTED] == "copy").sum())
                    near += int((found.table["flag"][:PLANTED] == "near-copy").sum())
                    said += int(told(found)["says copies"])
                of = PLANTED * arguments.planted
                note(name, {"copy": interval(copies, of), "near-copy": interval(near, of),
                            "says copies": interval(said, arguments.planted)})  # fmt: skip
        name = f"overfitted: {source}, noisy training images"
        if any(word in name for word in wanted):
            rows = []
            for seed in seeds[: arguments.planted]:
                random = np.random.default_rng(seed)
                reals = draw(random)
                pool = changed(reals.train[random.integers(len(reals.train), size=POOL)], "noise", random)
                rows.append(told(search(reals, pool, seed)))
            note(name, summed(rows))
    print(f"{len(results)} worlds in {time.perf_counter() - began:.0f} s")
    if arguments.out:
        content = {"repetitions": arguments.repetitions, "planted": arguments.planted, "rates": results}
        arguments.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
