"""Small folders laid out exactly as the four published sources are, defects included, with pictures drawn here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

STAGED = "squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa"


def picture(seed: int, ill: bool, size: tuple[int, int] = (48, 48), mode: str = "RGB") -> Image.Image:
    """A bright oval with a texture that no other seed has; the ill ones have a spot."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    texture = rng.normal(0, 1, (6, 6)).repeat(8, 0).repeat(8, 1)
    levels = np.where(x**2 + 0.7 * y**2 < 0.8, 110 + 35 * texture, 10.0)
    if ill:
        centre = rng.uniform(-0.4, 0.4, 2)
        levels[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < 0.04] += 90
    pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode).resize(size, Image.Resampling.BILINEAR)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def nearly(image: Image.Image) -> Image.Image:
    """The neighbouring slice of a scan: the same picture to the eye, and to no pixel."""
    return Image.fromarray(np.clip(np.asarray(image).astype(int) + 3, 0, 255).astype(np.uint8))


def chest_ct(folder: Path) -> Path:
    """`{train,valid,test}/<class>/`: sizes and modes mixed, normals that stand in training and test alike, to the pixel
    and as neighbouring slices."""
    seed = 0
    counts = {"train": 8, "valid": 3, "test": 4}
    for split, count in counts.items():
        cancer = "squamous.cell.carcinoma" if split == "test" else STAGED
        other = "adenocarcinoma" if split == "test" else "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib"
        for name, number in ((cancer, count), ("normal", count), (other, 2)):
            for i in range(number):
                seed += 1
                form = ((64, 40), "RGB") if i % 3 else ((48, 48), ("L", "RGBA")[i % 2])
                save(picture(seed, name == cancer, *form), folder / "Data" / split / name / f"{i} ({split}).png")
    twin = picture(seed + 1, ill=False)
    for place in ("train/normal/7 - Copy.png", "train/normal/n7.png", "test/normal/n7.png"):
        save(twin, folder / "Data" / place)
    scan = picture(seed + 2, ill=False)
    save(scan, folder / "Data" / "valid/normal/scan 4.png")
    save(nearly(scan), folder / "Data" / "test/normal/scan 5.png")
    return folder


def head_ct(folder: Path) -> Path:
    """`head_ct/000.png`.. sorted by class, and `labels.csv` with a space in its header and ids without zeros."""
    for number in range(24):
        mode = "RGBA" if number % 9 == 0 else "RGB"
        save(picture(1000 + number, number < 12, (40 + number, 60), mode), folder / "head_ct" / f"{number:03d}.png")
    rows = "\n".join(f"{number},{int(number < 12)}" for number in range(24))
    (folder / "labels.csv").write_text(f"id, hemorrhage\n{rows}\n")
    return folder


def skin_lesions(folder: Path) -> Path:
    """JPEGs in one folder and a CSV with `image_name`, `target` and `patient_id`; few melanomas, one of them also
    called none."""
    rows = []
    for number in range(32):
        name, ill = f"ISIC_{number:07d}", number // 2 % 3 == 0
        save(picture(2000 + number, ill, (64, 56)), folder / "train" / f"{name}.jpg")
        sex = "male" if number // 2 % 2 else "female"
        rows.append({"image_name": name, "patient_id": f"IP_{number // 2:07d}", "sex": sex, "target": int(ill)})
    save(picture(2000, True, (64, 56)), folder / "train" / "ISIC_0000032.jpg")
    rows.append({"image_name": "ISIC_0000032", "patient_id": "IP_0000099", "sex": "", "target": 0})
    pd.DataFrame(rows).to_csv(folder / "train.csv", index=False)
    return folder


def brain_mri(folder: Path) -> Path:
    """A folder for each class, fewer images without a tumour, exact copies, and one picture under both labels."""
    for name, count in (("yes", 20), ("no", 12)):
        for number in range(count):
            seed = 3000 + number + 100 * (name == "yes")
            save(
                picture(seed, name == "yes", (70, 60)), folder / "brain_tumor_dataset" / name / f"{name[0]}{number}.jpg"
            )
    for place, seed, ill in (("yes/y20", 3100, True), ("no/n12", 3000, False), ("no/n13", 3105, True)):
        save(picture(seed, ill, (70, 60)), folder / "brain_tumor_dataset" / f"{place}.jpg")
    return folder
