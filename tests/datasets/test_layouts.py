"""What folders stand for: taken where it is clear, asked where it is not."""

from __future__ import annotations

import random
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.datasets.reading.folders.layout import Layout
from engine.datasets.reading.folders.layouts import fixed, weigh
from engine.datasets.reading.folders.level_names import splits_of
from engine.datasets.reading.folders.masks import without_masks
from engine.datasets.reading.questions import Question
from engine.datasets.reading.tables.csv_files import cells_of
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import FolderTree
from engine.datasets.reading.zip_names import best_encoding
from engine.store.errors import ErsatzError
from engine.store.home import Home

Make = Callable[..., Path]
Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


def names(counts: dict[str, int]) -> list[str]:
    """So many image names in each folder."""
    return [f"{folder}/{number:03d}.png" for folder, count in counts.items() for number in range(count)]


def below(outer: list[str], inner: list[str], count: int = 3) -> dict[str, int]:
    """Every folder of `inner` in every one of `outer`."""
    return {f"{one}/{two}": count for one in outer for two in inner}


def classes(layout: Layout) -> dict[str, int]:
    return dict(Counter(one.label for one in layout.labelled().values()))


def folders_asked(layout: Layout) -> list[str]:
    """The settings that a doubtful layout offers."""
    assert layout.doubt.endswith(".")
    return [option.settings["folders"] for option in layout.options]


def test_splits_in_some_classes_only_are_asked_about():
    layout = weigh(names({"yes": 6, "no": 6, "rcnn/TRAIN": 4, "rcnn/VAL": 4, "rcnn/TEST": 4}), "set")
    assert "folders of splits in some of the folders" in layout.doubt
    assert folders_asked(layout) == ["class", "class/split"]
    assert not weigh(names(below(["yes", "no"], ["train", "test"])), "set").doubt


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["train", "eval"], ["train", "test"]),
        (["train", "eval", "test"], ["train", "valid", "test"]),
        (["train", "dev", "evaluation"], ["train", "valid", "test"]),
        (["trn", "tst"], ["train", "test"]),
        (["imagesTr", "imagesTs"], ["train", "test"]),
        (["Training", "Validierung", "Testdaten"], ["train", "valid", "test"]),
        (["TS", "control"], []),
    ],
)
def test_further_words_for_splits(found: list[str], expected: list[str]):
    assert list(splits_of(found).values()) == expected


def test_folder_called_as_a_split_among_classes_is_asked_about(home: Home, make_tree: Make, config: Config):
    source = make_tree({"Benign cases": 6, "Normal cases": 6, "Test cases": 6})
    with pytest.raises(Question, match="Test cases 6 among the folders of the classes") as caught:
        preview(config(source))
    without, every = [preview(config(source, **option.settings)).counts for option in caught.value.options]
    assert list(without) == ["Benign-cases", "Normal-cases"]
    assert len(every) == 3


def test_folder_of_what_is_not_known_is_mentioned(make_tree: Make, config: Config):
    source = make_tree({"benign": 6, "malignant": 6, "unlabeled": 6})
    assert any("'unlabeled' may mean that nothing is known" in note for note in preview(config(source)).notes)
    named = preview(config(source, only_classes=("benign", "unlabeled")))
    assert not any("nothing is known" in note for note in named.notes)


def test_images_directly_in_splits_are_told_as_such(make_tree: Make, refused: Refused):
    refused(
        make_tree({"train": 6, "car": 6}),
        "directly in folders such as train, by their names splits",
        "folders to class",
    )


DISEASES = (
    "glioma", "meningioma", "no tumor", "pituitary_tumor", "Normal", "COVID-19", "Viral Pneumonia", "Lung_Opacity",
    "melanoma", "basal cell carcinoma", "Non-COVID", "HER2+", "HER2-", "squamous.cell.carcinoma_left.hilum_T1_N2_M0",
    "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib", "benign", "malignant", "class_0", "Grade 2", "CT_COVID",
    "tuberculosis", "MildDemented", "VeryMildDemented", "Proliferate_DR", "test positive", "dev. delay", "valve",
    "trainable", "imaging",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_ordinary_names_of_diseases_are_classes_whatever_their_order(seed: int):
    draw = random.Random(seed)
    found = draw.sample(DISEASES, draw.randint(2, 9))
    splits = draw.choice([[], ["train", "test"], ["Training Data", "Validation Data", "Testing Data"]])
    wrap = draw.choice(["", "archive/Data/"])
    order = draw.choice(["split/class", "class/split"]) if splits else "class"
    counts = {one: draw.randint(2, 30) for one in found}
    if order == "split/class":
        tree = {f"{wrap}{split}/{one}": count for split in splits for one, count in counts.items()}
    elif order == "class/split":
        tree = {f"{wrap}{one}/{split}": count for split in splits for one, count in counts.items()}
    else:
        tree = {f"{wrap}{one}": count for one, count in counts.items()}
    layout = weigh(draw.sample(names(tree), sum(tree.values())), "set")
    assert (layout.doubt, layout.words) == ("", order)
    assert classes(layout) == {one: count * max(len(splits), 1) for one, count in counts.items()}


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [
        ("train", "val", "test"),
        ("Training Data", "Validation images", "Testing"),
        ("TrainSet", "ValSet", "TestSet"),
        ("train_images", "val2", "test_set"),
        ("TRAIN", "DEV", "HOLDOUT"),
        ("01_training", "02_validation", "03_test"),
        ("ISIC2018_Task3_Training_Input", "ISIC2018_Task3_Validation_Input", "ISIC2018_Task3_Test_Input"),
        ("trainingset", "validationset", "hold-out"),
        ("X_train", "X_valid", "X_test"),
    ],
)
def test_splits_are_known_by_their_words(train: str, valid: str, test: str):
    assert splits_of([train, valid, test]) == {train: "train", valid: "valid", test: "test"}
    layout = weigh(names(below([train, valid, test], ["a", "b"])), "set")
    assert Counter(one.split for one in layout.labelled().values()) == {"train": 6, "valid": 6, "test": 6}


@pytest.mark.parametrize("found", [["test positive", "control"], ["training injury", "normal"], ["a", "b"], ["trace"]])
def test_other_names_are_no_splits(found: list[str]):
    assert splits_of(found) == {}


def test_splits_in_folders_of_the_classes_are_given(home: Home, make_tree: Make, config: Config):
    dataset = import_dataset(home, config(make_tree(below(["a", "b"], ["train", "test"], 5))))
    assert dataset.rows().groupby(["class", "given"]).size().to_dict() == {
        (name, split): 5 for name in "ab" for split in ("train", "test")
    }


@pytest.mark.parametrize(
    "patients",
    [
        [f"P{n:03d}" for n in range(12)],
        [f"case_{n}" for n in range(1, 13)],
        [f"LIDC-IDRI-{n:04d}" for n in range(1, 13)],
        [str(10253 + 7 * n) for n in range(12)],
        [f"SOB_{kind}_14-{n}" for n in range(2980, 2986) for kind in ("B_A", "M_DC")],
        [f"1.3.6.1.4.1.14519.{n}.77" for n in range(12)],
        ["patient1", "patient2"],
        [f"DOE^{name}" for name in "ABC"],
        [str(n) for n in range(1, 13)],
        [f"TCGA-A{n}-A0S{letter}" for n in (1, 2) for letter in "BEHJ"],
        [f"case {n} {('benign', 'malignant')[n % 2]}" for n in range(1, 9)],
        ["a3f09c1e", "77bc01dd", "00fa81b2", "b2c4d6e8", "9f8e7d6c"],
    ],
)
def test_patients_are_no_classes(patients: list[str]):
    layout = weigh(names(dict.fromkeys(patients, 4)), "set")
    assert "patients" in layout.doubt
    assert folders_asked(layout) == ["class"]
    assert f"{len(patients)} classes" in layout.options[0].text
    assert "patients" in weigh(names(below(["train", "test"], patients)), "set").doubt


@pytest.mark.parametrize(
    "found",
    [
        ["0", "1"],
        ["0", "1", "2", "3", "4"],
        ["grade1", "grade2"],
        ["Stage 0", "Stage 1"],
        ["1. Eczema 1677", "2. Melanoma 1575", "3. Atopic 125", "4. Carcinoma 3323", "5. Nevi 7970"],
    ],
)
def test_numbers_of_classes_are_classes(found: list[str]):
    layout = weigh(names(dict.fromkeys(found, 4)), "set")
    assert not layout.doubt
    assert len(classes(layout)) == len(found)


def test_patients_in_the_folders_of_the_classes_are_groups(home: Home, make_tree: Make, config: Config):
    patients = [f"P{n:03d}" for n in range(6)]
    source = make_tree({**below(["covid"], patients), **below(["healthy"], [f"H{n:03d}" for n in range(6)])})
    dataset = import_dataset(home, config(source))
    rows = dataset.manifest
    assert rows.groupby("class")["group"].nunique().to_dict() == {"covid": 6, "healthy": 6}
    assert rows.groupby("group")["split"].nunique().max() == 1
    assert any("12 folders are taken for patients" in note for note in dataset.info.provenance.notes)
    again = import_dataset(home, config(source, name="again", folders="class/-"))
    assert set(again.manifest["group"]) == {""}


def test_one_name_in_two_classes_is_one_patient():
    layout = weigh(names(below(["covid", "healthy"], [f"P{n:03d}" for n in range(8)])), "set")
    assert layout.words == "class/patient"
    assert len({one.group for one in layout.labelled().values()}) == 8
    assert "8 of them are in several classes" in layout.notes[0]


@pytest.mark.parametrize("order", ["split/class/patient", "class/split/patient", "split/patient/class"])
def test_levels_are_found_in_any_order(order: str):
    values = {"split": ["train", "test"], "class": ["a", "b"], "patient": [f"P{n:03d}" for n in range(6)]}
    outer, middle, inner = (values[role] for role in order.split("/"))
    layout = weigh(names(below([f"{one}/{two}" for one in outer for two in middle], inner)), "set")
    assert (layout.doubt, layout.words) == ("", order)
    assert {(one.split, one.label, one.group) for one in layout.labelled().values()} == {
        (split, label, group) for split in values["split"] for label in values["class"] for group in values["patient"]
    }


def test_idc_has_classes_below_patients():
    layout = weigh(names(below([str(n) for n in range(10253, 10273)], ["0", "1"])), "set")
    assert (layout.doubt, layout.words) == ("", "patient/class")
    assert classes(layout) == {"0": 60, "1": 60}


def test_sequences_below_patients_are_asked_about():
    layout = weigh(names(below([f"P{n:03d}" for n in range(10)], ["T1", "T2", "FLAIR"])), "set")
    assert folders_asked(layout) == ["patient/class", "class"]


def test_series_of_lidc_are_asked_about():
    tree = {f"LIDC-IDRI-{n:04d}/01-01-2000-3{n}178/{n}000566.000000-NA-03192": 4 for n in range(1, 9)}
    layout = weigh(names(tree), "set")
    assert "8 folders named like patients" in layout.doubt
    assert "CSV" in layout.doubt


def test_breakhis_asks_for_the_level_of_the_class():
    tree = {
        f"BreaKHis_v1/histology_slides/breast/{kind}/SOB/{subtype}/SOB_{code}_14-{slide}/{magnification}": 2
        for kind, subtype, code in (
            ("benign", "adenosis", "B_A"),
            ("benign", "fibroadenoma", "B_F"),
            ("malignant", "ductal_carcinoma", "M_DC"),
            ("malignant", "lobular_carcinoma", "M_LC"),
        )
        for slide in ("22549AB", "22549CD", "29960AB")
        for magnification in ("40X", "100X", "200X", "400X")
    }
    layout = weigh(names(tree), "set")
    told = {option.settings["folders"]: option.text for option in layout.options}
    assert list(told) == ["class/-/-/patient", "-/-/class/patient", "-/-/-/patient/class"]
    assert "benign 48, malignant 48" in told["class/-/-/patient"]
    assert "12 patients" in told["-/-/class/patient"]
    assert "40X 24" in told["-/-/-/patient/class"]
    chosen = fixed(names(tree), ("-", "-", "class", "patient"))
    assert classes(chosen) == dict.fromkeys(("adenosis", "fibroadenoma", "ductal_carcinoma", "lobular_carcinoma"), 24)


def test_images_in_their_class_folder_and_deeper(home: Home, make_tree: Make, config: Config):
    dataset = import_dataset(home, config(make_tree({"a": 4, "a/more": 2, "b": 5})))
    assert dataset.manifest["class"].value_counts().to_dict() == {"a": 6, "b": 5}
    layout = weigh(names({"normal": 6, "tumour/glioma": 4, "tumour/meningioma": 4}), "set")
    assert folders_asked(layout) == ["class", "-/class"]
    assert not weigh(names({"normal/normal_png": 6, "covid/covid_png": 4}), "set").doubt


@pytest.mark.parametrize(
    "found",
    [
        ["part1", "part2"],
        ["HAM10000_images_part_1", "HAM10000_images_part_2"],
        ["images_001/images", "images_002/images"],
        ["batch-01", "batch-02"],
    ],
)
def test_parts_of_a_download_are_no_classes(found: list[str]):
    layout = weigh(names(dict.fromkeys(found, 4)), "set")
    assert "parts of one lot" in layout.doubt
    assert folders_asked(layout) == ["class"]
    assert not weigh(names(below(found, ["a", "b"])), "set").doubt, "parts of a set with classes"


def test_class_and_split_in_one_name_are_asked_about():
    layout = weigh(names({"covid_train": 6, "covid_test": 3, "normal_train": 6, "normal_test": 3}), "set")
    assert "both a split and a class" in layout.doubt


def test_folders_beside_splits_are_asked_about():
    layout = weigh(names(below(["train", "test", "extra"], ["a", "b"])), "set")
    assert "extra 6" in layout.doubt
    assert folders_asked(layout) == ["split/class"]


def test_a_copy_of_the_set_beside_its_splits_is_asked_about():
    """As the chest X-rays of Kermany come from Kaggle."""
    once = below(["train", "test"], ["NORMAL", "PNEUMONIA"])
    layout = weigh(names({**once, **{f"chest_xray/{folder}": count for folder, count in once.items()}}), "set")
    assert "chest_xray 12" in layout.doubt
    assert folders_asked(layout) == ["split/class"]
    assert "NORMAL 6, PNEUMONIA 6), 12 images in none" in layout.options[0].text


def test_many_folders_of_few_images_are_asked_about():
    assert "patients or cases" in weigh(names({f"{a}{b}na": 3 for a in "ABCDEF" for b in "aeiou"}), "set").doubt


def test_a_folder_within_each_class_is_no_patient():
    assert weigh(names({"covid/P1": 3, "normal/P2": 3}), "set").words == "class"


def test_folders_taken_together_are_told():
    assert weigh(names(below(["fold1", "fold2"], ["a", "b"])), "set").notes == (
        "Folders fold1, fold2 are taken together.",
    )


def test_augmented_copies_are_told():
    notes = weigh(names(below(["original", "augmented"], ["a", "b"])), "set").notes
    assert any("6 images lie in the folder 'augmented'" in note for note in notes)


@pytest.mark.parametrize(
    ("folders", "words"),
    [("split/klass", "'klass'"), ("class/class", "class twice"), ("split/patient", "no class"), ("/class", "level ''")],
)
def test_wrong_folders_are_refused(folders: str, words: str):
    with pytest.raises(ErsatzError, match=words):
        ImportConfig.build({"name": "x", "source": "y", "folders": folders})


def test_folders_that_are_not_there_are_refused(make_tree: Make, refused: Refused):
    refused(make_tree({"a": 3, "b": 3}), "in folders as split/class/patient says", folders="split/class/patient")


# Masks


def test_masks_beside_their_images_are_left_out(home: Home, tmp_path: Path, config: Config, blobs):
    """As in BUSI: `benign (1).png` has `benign (1)_mask.png` and for a second lesion `benign (1)_mask_1.png`."""
    for number, name in enumerate(["benign", "malignant"]):
        (tmp_path / "set" / name).mkdir(parents=True)
        for n in range(6):
            for mask in ("", "_mask", "_mask_1")[: 3 if n == 1 else 2]:
                image = Image.fromarray(blobs(100 * number + 10 * n + len(mask)))
                image.save(tmp_path / "set" / name / f"{name} ({n}){mask}.png")
    dataset = import_dataset(home, config(tmp_path / "set"))
    assert dataset.manifest["class"].value_counts().to_dict() == {"benign": 6, "malignant": 6}
    assert not dataset.manifest["source"].str.contains("mask").any()
    assert any("14 files are masks" in note for note in dataset.info.provenance.notes)
    assert len(import_dataset(home, config(tmp_path / "set", name="all", mask_suffix="-", freeze=False)).manifest) == 26
    assert len(import_dataset(home, config(tmp_path / "set", name="own", mask_suffix="_mask")).manifest) == 12


@pytest.mark.parametrize(
    "folders", [("images", "masks"), ("COVID/images", "COVID/masks"), ("CXR_png", "mask"), ("", "GT")]
)
def test_folders_of_masks_are_no_classes(folders: tuple[str, str]):
    image, mask = (f"{folder}/".lstrip("/") for folder in folders)
    found = [f"{folder}{n:03d}.png" for folder in (image, mask) for n in range(5)]
    told = without_masks(found, "", "set")
    assert told.images == found[:5]
    assert "5 files" in told.notes[0]


def test_masks_that_may_be_a_class_are_asked_about():
    with pytest.raises(Question, match="masks of them, or be a class") as caught:
        without_masks(names({"roi": 4, "background": 4}), "", "set")
    assert [option.settings for option in caught.value.options] == [{"mask_suffix": "roi"}, {"mask_suffix": "-"}]
    assert without_masks(names({"roi": 4, "background": 4}), "roi", "set").images == names({"background": 4})
    with pytest.raises(Question, match="only 2 of them"):
        without_masks(
            ["a/1.png", "a/1_seg.png", "a/2.png", "a/2_seg.png", *(f"a/x{n}_seg.png" for n in range(5))], "", "s"
        )


@pytest.mark.parametrize("found", [{"with_mask": 3, "without_mask": 3}, {"mask": 3, "no mask": 3}, {"a": 3, "b": 3}])
def test_what_has_no_image_to_mask_is_an_image(found: dict[str, int]):
    assert without_masks(names(found), "", "set").images == names(found)
    lone = ["a/scan_seg.png", "a/other_seg.png"]
    assert without_masks(lone, "", "set").images == lone


# Beside a CSV


def table(header: str, images: list[Path], row: str, kinds: Sequence[str] = "ab") -> str:
    rows = [row.format(file=image.name, id=image.stem, kind=kinds[n % len(kinds)]) for n, image in enumerate(images)]
    return "\n".join([header, *rows]) + "\n"


@pytest.fixture
def parts(make_tree: Make) -> tuple[Path, list[Path]]:
    """HAM10000 as published: two folders of images that differ by a number."""
    source = make_tree({"HAM10000_images_part_1": 8, "HAM10000_images_part_2": 8})
    images = []
    for number, image in enumerate(sorted(source.rglob("*.png"))):
        images.append(image.rename(image.with_name(f"ISIC_{24306 + number:07d}.png")))
    return source, images


def test_ham10000_is_read_by_its_csv(home: Home, parts: tuple[Path, list[Path]], config: Config, refused: Refused):
    source, images = parts
    refused(source, "parts of one lot", "--folders class", "HAM10000_images_part_1 8")
    text = table("lesion_id,image_id,dx,dx_type", images, "HAM_{id},{id},{kind},histo", ["nv", "mel"])
    (source / "HAM10000_metadata.csv").write_text(text)
    dataset = import_dataset(home, config(source))
    assert dataset.manifest["class"].value_counts().to_dict() == {"mel": 8, "nv": 8}


def test_csv_of_patients_is_mentioned(make_tree: Make, refused: Refused):
    source = make_tree({f"P{n:03d}": 3 for n in range(6)})
    (source / "patients.csv").write_text("id,label\n" + "".join(f"P{n:03d},{'ab'[n % 2]}\n" for n in range(6)))
    refused(source, "6 folders named like patients", "patients.csv names these folders")


def test_two_csvs_that_name_the_images_are_asked_about(parts: tuple[Path, list[Path]], config: Config):
    """ISIC 2019 has its classes in one and the patients' age and sex in the other."""
    source, images = parts
    (source / "GroundTruth.csv").write_text(table("image,MEL", images, "{id},{kind}"))
    (source / "Metadata.csv").write_text(table("image,sex", images, "{id},{kind}"))
    with pytest.raises(Question, match=r"--csv GroundTruth\.csv .*MEL"):
        preview(config(source))


def test_chest_xray14_is_read_by_the_csv_that_names_all(home: Home, make_tree: Make, config: Config):
    source = make_tree({"images_001/images": 6, "images_002/images": 6})
    images = [
        image.rename(image.with_name(f"{n:08d}_000.png")) for n, image in enumerate(sorted(source.rglob("*.png")))
    ]
    (source / "BBox_List_2017.csv").write_text(table("Image Index,Finding Label", images[:2], "{file},{kind}"))
    (source / "Data_Entry_2017.csv").write_text(table("Image Index,Finding Labels", images, "{file},{kind}"))
    dataset = import_dataset(home, config(source))
    assert len(dataset.manifest) == 12
    assert "'Finding Labels'" in dataset.info.provenance.layout
    assert dataset.classes == ["a", "b"]


def test_covid_ct_keeps_its_folders_and_mentions_the_csv_of_one_class(home: Home, make_tree: Make, config: Config):
    source = make_tree({"Images-processed/CT_COVID": 6, "Images-processed/CT_NonCOVID": 7})
    images = sorted((source / "Images-processed" / "CT_COVID").iterdir())
    for n, image in enumerate(images):
        images[n] = image.rename(image.with_name(f"2020.01.24.919183-p27-{n}.png"))
    (source / "COVID-CT-MetaInfo.csv").write_text(table("File_name,Patient ID", images, "{file},P{kind}", "123"))
    dataset = import_dataset(home, config(source))
    assert dataset.manifest["class"].value_counts().to_dict() == {"CT_NonCOVID": 7, "CT_COVID": 6}
    assert any("COVID-CT-MetaInfo.csv names 6 of 13 images" in note for note in dataset.info.provenance.notes)
    assert set(dataset.manifest["group"]) == {"P1", "P2", "P3", ""}


def test_csv_that_says_otherwise_than_the_folders_is_asked_about(home: Home, make_tree: Make, config: Config):
    source = make_tree({"site": 6, "clinic": 6})
    images = [image.rename(image.with_name(f"x{n}.png")) for n, image in enumerate(sorted(source.rglob("*.png")))]
    (source / "labels.csv").write_text(table("image,label", images, "{file},{kind}"))
    with pytest.raises(Question) as caught:
        preview(config(source))
    assert [option.flags for option in caught.value.options] == ["--folders class", "--layout csv --csv labels.csv"]
    assert preview(config(source, folders="class")).counts == {"clinic": {"": 6}, "site": {"": 6}}
    assert preview(config(source, layout="csv")).counts == {"a": {"": 6}, "b": {"": 6}}
    (source / "labels.csv").write_text(table("image,label", images, "{file},{kind}", "0" * 6 + "1" * 6))
    assert any("agrees with the folders" in note for note in preview(config(source)).notes)


def renamed(source: Path) -> list[Path]:
    """The images of a source under names that differ."""
    return [image.rename(image.with_name(f"x{n}.png")) for n, image in enumerate(sorted(source.rglob("*.png")))]


def test_classes_swapped_between_csv_and_folders_do_not_agree(make_tree: Make, config: Config):
    source = make_tree({"a": 6, "b": 6})
    (source / "labels.csv").write_text(table("image,label", renamed(source), "{file},{kind}", "b" * 6 + "a" * 6))
    with pytest.raises(Question, match="may say otherwise"):
        preview(config(source))


@pytest.mark.parametrize("settings", [{}, {"folders": "class"}, {"group_column": "patient id"}])
def test_patients_in_a_csv_beside_class_folders_are_used(home: Home, make_tree: Make, config: Config, settings: dict):
    source = make_tree({"a": 6, "b": 6})
    (source / "info.csv").write_text(table("image,sex,patient id", renamed(source), "{file},m,P{kind}", "112233445566"))
    dataset = import_dataset(home, config(source, freeze=False, **settings))
    assert dataset.manifest["group"].nunique() == 6
    assert any("'patient id' of info.csv is taken for the patient: 6" in note for note in dataset.info.provenance.notes)


def test_patients_of_a_csv_beside_class_folders_can_be_refused(home: Home, make_tree: Make, config: Config):
    source = make_tree({"a": 6, "b": 6})
    (source / "info.csv").write_text(table("image,patient id", renamed(source), "{file},P{kind}", "112233445566"))
    dataset = import_dataset(home, config(source, freeze=False, group_column="-"))
    assert set(dataset.manifest["group"]) == {""}
    with pytest.raises(ErsatzError, match=r"info\.csv has no column 'case' \(group_column\)"):
        preview(config(source, group_column="case"))


def test_folders_of_patients_are_kept_where_a_csv_has_the_labels(home: Home, make_tree: Make, config: Config):
    source = make_tree({f"patient{n:02d}": 2 for n in range(10)})
    lines = [f"patient{n:02d}/{k:03d}.png,{'ab'[n % 2]}" for n in range(10) for k in range(2)]
    (source / "labels.csv").write_text("\n".join(["path,label", *lines]))
    dataset = import_dataset(home, config(source, freeze=False))
    assert dataset.manifest["group"].nunique() == 10
    assert any("10 folders are taken for patients" in note for note in dataset.info.provenance.notes)
    (source / "labels.csv").write_text(
        "\n".join(["path,label,case", *(f"{line},c{line[7]}{line[8]}" for line in lines)])
    )
    dataset = import_dataset(home, config(source, name="named", freeze=False))
    assert set(dataset.manifest["group"]) == {f"c{n:02d}" for n in range(10)}
    dataset = import_dataset(home, config(source, name="none", freeze=False, group_column="-"))
    assert set(dataset.manifest["group"]) == {""}


def test_column_that_is_named_without_a_csv_is_missed(make_tree: Make, config: Config):
    with pytest.raises(ErsatzError, match=r"no CSV that names its images, .* column 'pid' \(group_column\)"):
        preview(config(make_tree({"a": 6, "b": 6}), group_column="pid"))


def test_splits_in_a_csv_beside_class_folders_are_used(home: Home, make_tree: Make, config: Config):
    source = make_tree({"a": 8, "b": 8})
    splits = (["train"] * 6 + ["test"] * 2) * 2
    lines = [f"{image.name},{split}" for image, split in zip(renamed(source), splits, strict=True)]
    (source / "info.csv").write_text("\n".join(["image,split", *lines]))
    dataset = import_dataset(home, config(source, freeze=False))
    assert dataset.manifest["given"].value_counts().to_dict() == {"train": 12, "test": 4}


@pytest.mark.parametrize(("name", "sign"), [("HAM10000_metadata", ","), ("train.txt", " "), ("labels.tab", "\t")])
def test_tables_with_other_endings_or_none_are_found(make_tree: Make, config: Config, name: str, sign: str):
    source = make_tree({"images_part_1": 6, "images_part_2": 6})
    (source / name).write_text(table("image,dx", renamed(source), "{file},{kind}").replace(",", sign))
    (source / "README.txt").write_text("All images\nx1.png to x9.png\nare good.\n")
    assert preview(config(source)).counts == {"a": {"": 6}, "b": {"": 6}}


def test_long_table_is_read_whole_only_if_it_begins_with_images(make_tree: Make):
    source = make_tree({"images": 6})
    line = ",".join(["12"] * 784)
    (source / "pixels.csv").write_text("\n".join([",".join(f"pixel{n}" for n in range(784)), *[line] * 60]))
    (source / "labels.csv").write_text("image,note\n" + "".join(f"{n % 6:03d}.png,{'x' * 2000}\n" for n in range(60)))
    tree = FolderTree(source)
    index = PictureNames(tree.names)
    assert cells_of(tree, "pixels.csv", index).empty
    assert len(cells_of(tree, "labels.csv", index)) == 60


def test_spreadsheet_beside_images_is_named(make_tree: Make, config: Config):
    source = make_tree({"images": 6})
    (source / "labels.xlsx").write_bytes(b"PK")
    with pytest.raises(ErsatzError, match=r"labels\.xlsx is a file of a spreadsheet program"):
        preview(config(source))


def test_tables_in_the_folders_of_splits_are_read_as_one(make_tree: Make, config: Config):
    source = make_tree({"train": 8, "test": 8})
    for split in ("train", "test"):
        (source / split / "labels.csv").write_text(
            "image,label\n" + "\n".join(f"{n:03d}.png,{'ab'[n % 2]}" for n in range(8))
        )
    assert preview(config(source)).counts == {"a": {"train": 4, "test": 4}, "b": {"train": 4, "test": 4}}


# What cannot be used


def test_class_without_an_image_is_named(home: Home, make_tree: Make, config: Config, refused: Refused):
    source = make_tree({"a": 6, "b": 0})
    refused(source, "in the folder a only", "the folder b (it is empty) holds no image")
    (source / "b" / "scan.nrrd").write_bytes(b"NRRD0004")
    refused(source, "b (1 with .nrrd)")
    for n in range(6):
        (source / "c").mkdir(exist_ok=True)
        Image.new("L", (20, 20), 30 * n).save(source / "c" / f"{n}.png")
    notes = preview(config(source)).notes
    assert any("the folder b (1 with .nrrd) holds no image" in note for note in notes)


def test_class_without_a_readable_image_is_refused(make_tree: Make, refused: Refused, home: Home, config: Config):
    source = make_tree({"a": 6, "b": 6, "c": 3})
    for image in (source / "c").iterdir():
        image.write_bytes(b"")
    refused(source, "No file of the class 'c' (none of its 3 files) can be used", "only_classes", skip_unreadable=True)
    dataset = import_dataset(home, config(source, skip_unreadable=True, only_classes=("a", "b")))
    assert dataset.classes == ["a", "b"]


def test_class_whose_pixels_are_all_damaged_is_refused(make_tree: Make, refused: Refused):
    source = make_tree({"a": 6, "b": 6, "c": 3})
    for image in (source / "c").iterdir():
        image.write_bytes(image.read_bytes()[:60])
    refused(source, "No file of the class 'c'", skip_unreadable=True)


def test_dicom_without_ending_or_with_a_uid_for_a_name_is_found(tmp_path: Path, config: Config):
    file = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    for name in ("a/1.dcm", "a/2", "a/1.2.840.113619.3", "b/4.dcm", "b/5", "b/IM.IMA"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        file.save_as(tmp_path / "set" / name)
    (tmp_path / "set" / "a" / "README").write_text("No image.\n")
    seen = preview(config(tmp_path / "set", ignore_ids=True))
    assert seen.counts == {"a": {"": 3}, "b": {"": 3}}
    assert any("1 other files" in note for note in seen.notes)


def test_json_of_another_program_does_no_harm(make_tree: Make, config: Config):
    source = make_tree({"a": 3, "b": 3})
    (source / "dataset.json").write_text('{"name": "spleen", "labels": {"0": "background"}, "training": []}')
    seen = preview(config(source))
    assert seen.layout == "class folders"
    assert any("not the index of a StyleGAN data set" in note for note in seen.notes)


# Names


def test_signs_and_reserved_names_stay_apart(home: Home, make_tree: Make, config: Config):
    source = make_tree(dict.fromkeys(["HER2+", "HER2-", "con", "≥ 50%", "Non-COVID", "ER+ PR-"], 5))
    dataset = import_dataset(home, config(source, freeze=False))
    assert set(dataset.classes) == {"HER2plus", "HER2minus", "con_", "ge-50pct", "Non-COVID", "ERplus-PRminus"}
    (told,) = [note for note in dataset.info.provenance.notes if note.startswith("Class names")]
    assert "'HER2+' is 'HER2plus'" in told
    assert "Non-COVID" not in told


def test_one_name_in_two_forms_of_unicode_is_one_class(home: Home, make_tree: Make, config: Config):
    source = make_tree({"images": 12})
    images = sorted((source / "images").iterdir())
    kinds = ("M\u00fcller", "Mu\u0308ller", "normal")
    (source / "labels.csv").write_text(table("image,label", images, "{file},{kind}", kinds), encoding="utf-8")
    dataset = import_dataset(home, config(source))
    assert dataset.manifest["class"].value_counts().to_dict() == {"M\u00fcller": 8, "normal": 4}
    assert any("taken for one class, 'M\u00fcller'" in note for note in dataset.info.provenance.notes)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (["норма", "опухоль"], "cp866"),
        (["Müller", "größe"], "cp437"),
        (["正常", "肿瘤"], "gb2312"),
        (["正常", "がん"], "cp932"),
        (["норма", "größe"], "utf-8"),
    ],
)
def test_names_of_old_zips_are_read_in_their_code_page(text: list[str], encoding: str):
    found = [f"{word}/000.png".encode(encoding) for word in text]
    assert [name.decode(best_encoding(found)) for name in found] == [f"{word}/000.png" for word in text]


def test_zip_in_a_russian_code_page(home: Home, make_tree: Make, config: Config, tmp_path: Path):
    source, target = make_tree({"AAAAA": 5, "BBBBBBB": 5}), tmp_path / "set.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(source.rglob("*.png")):
            archive.write(file, file.relative_to(source).as_posix())
    content = target.read_bytes()
    for plain, name in ((b"AAAAA/", "норма/"), (b"BBBBBBB/", "опухоль/")):
        content = content.replace(plain, name.encode("cp866"))
    target.write_bytes(content)
    dataset = import_dataset(home, config(target))
    assert dataset.manifest["class"].value_counts().to_dict() == {"норма": 5, "опухоль": 5}
    assert any("read as cp866" in note for note in dataset.info.provenance.notes)
