"""Every sentence of a report is held against its run, with everything changed: data, split, classifier, arms, flaws.

The truth is told by each case and by the files of its run, by no function that writes a sentence. The data sets are
really imported, with the defects of real ones; trainings, pools and trials are made up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import editing
from engine.datasets.dataset import Dataset, write_manifest
from engine.datasets.importing import import_dataset
from engine.report.data_facts import known_patients, without_value
from engine.report.headline_answers import answers
from engine.report.limits import limits
from engine.report.material_parts import data_part
from engine.report.methods import methods_text
from engine.report.publication_differences import AS_PUBLISHED, changed_settings, differences
from engine.report.sources import Sources, read_sources
from engine.store.home import Home
from engine.store.runs import Run
from tests.fabricated import CLASSES, make_pool_run, make_quality, make_stylegan, make_sweep, make_training

NETWORKS = ("ResNet-18", "ResNet-50", "EfficientNet-B0", "EfficientNet-B2", "DenseNet-121", "small convolutional")
EACH = 32
"""Images of each class, before any is left out."""


@dataclass(frozen=True)
class Case:
    """What is done to the data and in the sweep, and what is true of it."""

    importing: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    splits: bool = False
    """The source has splits of its own."""
    patients: str = "none"
    """Of the source: none, all (pairs of images), half, or in the names of the files."""
    copies: int = 0
    """Images of which the source holds an exact copy more, in the other split where there are splits."""
    move: int = 0
    network: str = "small convolutional"
    stylegan: bool = False
    quality: bool = True
    drawn: bool = True
    known: int = 0
    """Patients whom the source names, of all images."""


CASES = {
    "as simple as can be": Case(),
    "given splits without patients": Case(
        splits=True, drawn=False, sweep={"classifier": "resnet50", "repeats": "chest-ct"}, network="ResNet-50"
    ),
    "copies in two splits, joined": Case(
        splits=True,
        drawn=False,
        copies=3,
        importing={"remedies": ["join-groups"], "class_names": {"a": "bleed", "b": "normal"}},
        sweep={"repeats": "chest-ct", "seeds": 2, "arms": ["real", "real+synthetic"], "ratios": [0.125]},
    ),
    "copies dropped, moved by hand": Case(
        splits=True,
        drawn=False,
        copies=4,
        move=2,
        importing={"remedies": ["drop-copies"], "only_classes": list(CLASSES)},
        sweep={"classifier": "densenet121", "training": "fine-tuned", "level": "image", "patience": 2, "seeds": 6},
        network="DenseNet-121",
    ),
    "findings accepted": Case(splits=True, drawn=False, copies=2, importing={"freeze": False}, sweep={"seeds": 1}),
    "every patient known": Case(
        patients="all",
        known=EACH,
        stylegan=True,
        importing={"resize": "crop", "seed": 5, "metadata_columns": ["sex"]},
        sweep={"level": "patient", "subgroups": ["sex"], "metric": "auroc", "repeats": "skin-lesions"},
    ),
    "some patients known, and copies joined": Case(
        patients="half",
        known=EACH // 2,
        copies=2,
        importing={"split": "random", "metadata_columns": ["sex"]},
        sweep={"classifier": "efficientnet_b2", "subgroups": ["sex"], "head": "probe", "batch": 8},
        network="EfficientNet-B2",
    ),
    "patients guessed from names": Case(
        patients="names",
        importing={"remedies": ["group-by-name"], "train_per_class": 20, "split_counts": [44, 8, 12]},
        sweep={"level": "patient", "select": "last", "optimizer": "adam", "ratio_of": "gap", "repeats": "brain-mri"},
        quality=False,
    ),
    "as published, flaws and all": Case(
        sweep={
            "classifier": "resnet18",
            "repeats": "head-ct",
            "head": "head-ct",
            "epochs": 3,
            "optimizer": "rmsprop",
            "flaws": ["test-is-validation", "synthetic-in-test", "augmented-test"],
            "arms": ["real", "real+classical", "real+synthetic+classical"],
            "ratios": [1.0],
            "seeds": 1,
        },
        network="ResNet-18",
    ),
    "replaced arms": Case(
        importing={"size": 16, "skip_unreadable": True},
        sweep={"arms": ["real", "replaced+duplicates", "replaced+synthetic"], "ratios": [0.5, 1.0], "seeds": 3},
    ),
}


def picture(seed: int, ill: bool) -> np.ndarray:
    """32 x 32 pixels of patches that no other seed has."""
    image = np.random.default_rng(seed).integers(0, 160, (8, 8)).repeat(4, 0).repeat(4, 1)
    return (image + 90 * ill * (np.indices((32, 32)).sum(0) < 12)).astype(np.uint8)


def write_source(folder: Path, case: Case) -> None:
    """Pictures and a CSV that names them, with the defects of the case."""
    labels = ("a", "b") if "class_names" in case.importing else CLASSES
    rows = []
    for number in range(2 * EACH):
        ill, own = number % 2 == 0, number // 2
        name = (
            f"P{own // 2 + 100 * (number % 2):03d}_{own % 2}.png" if case.patients == "names" else f"i{number:03d}x.png"
        )
        Image.fromarray(picture(number, ill)).save(folder / name)
        patient = f"patient {'ab'[number % 2]}{own // 2}" if case.patients in ("all", "half") else ""
        split = ("train", "train", "train", "train", "train", "train", "valid", "test")[own % 8] if case.splits else ""
        sex = ("f", "m", "")[own % 3]
        rows.append({"file": name, "label": labels[number % 2], "patient": patient, "split": split, "sex": sex})
    for number in range(case.copies):
        name = f"copy{number}x.png"
        Image.fromarray(picture(number, number % 2 == 0)).save(folder / name)
        patient = f"copied {number}" if case.patients == "half" else ""
        rows.append({**rows[number], "file": name, "patient": patient, "split": "test" if case.splits else ""})
    if case.importing.get("skip_unreadable"):
        (folder / "broken.png").write_bytes(b"nothing")
        rows.append({**rows[0], "file": "broken.png"})
    table = pd.DataFrame(rows)
    unused = [name for name in ("patient", "split") if not (table[name] != "").any()]
    table.drop(columns=unused).to_csv(folder / "labels.csv", index=False)


def stylegan(home: Home) -> Run:
    run = make_stylegan(home)
    (run.path / "generator.onnx").touch()  # of which the made-up pool names the hash
    return run


def finished(case: Case, home: Home, tmp_path: Path) -> Sources:
    """The finished sweep of a case, and what is behind it."""
    source = tmp_path / "source"
    source.mkdir()
    write_source(source, case)
    columns = {"image_column": "file", "label_column": "label"}
    columns |= {"group_column": "patient"} if case.patients in ("all", "half") else {}
    columns |= {"split_column": "split"} if case.splits else {}
    columns |= {"freeze": not (case.move or case.patients == "half")}
    settings = {"name": "phantom", "source": str(source), "layout": "csv", "size": 32, **columns, **case.importing}
    dataset = import_dataset(home, ImportConfig.build(settings))
    if case.patients == "half":  # as of DICOM files of which some hold no id
        group = dataset.manifest["group"].where(dataset.manifest.index < EACH, "")
        write_manifest(dataset.path / "manifest.csv", dataset.manifest.assign(group=group))
        dataset = editing.apply_remedies(Dataset.open(home, "phantom"), ["join-groups"])
    if case.move:
        train = Dataset.open(home, "phantom").rows("train")
        dataset = editing.move(Dataset.open(home, "phantom"), list(train["path"].iloc[: case.move]), "valid")
    if not dataset.frozen:
        Dataset.open(home, "phantom").freeze(accept_findings=True)
    trainings = [stylegan(home)] if case.stylegan else [make_training(home, name) for name in CLASSES]
    pool = make_pool_run(home, trainings * (2 if case.stylegan else 1), images=40)
    if case.quality:
        make_quality(home, pool)
    run = make_sweep(home, pool, settings={"ratios": [0.5, 1.0], "seeds": 6, **case.sweep})
    return read_sources(run)


@pytest.mark.parametrize("name", CASES)
def test_every_sentence_is_true_of_its_run(name: str, home: Home, tmp_path: Path) -> None:
    case = CASES[name]
    sources = finished(case, home, tmp_path)
    check_sentences(case, sources)
    check_differences(case, sources)


def check_sentences(case: Case, sources: Sources) -> None:
    dataset, config = sources.dataset, sources.config
    assert dataset is not None
    methods = methods_text(sources)
    data = data_part(sources)
    assert data is not None
    ours = [words for each in differences([sources]) for words in each.ours]
    first_screen = [f"{each.answer} {each.detail}" for each in answers(sources)]
    limited = limits(config, sources.summary, False, False, len(sources.qualities), known_patients(sources))
    everything = " ".join([methods, *limited, *first_screen, *ours, data["split"], *data["facts"]])

    # The classifier and the preparation are those of the run.
    extractor = {quality.found.extractor.name for quality in sources.qualities}
    assert extractor <= {"pixels"}
    assert {name for name in NETWORKS if name in everything} == {case.network}
    assert set(re.findall(r"(\d+) x \d+ pixels", methods)) == {str(dataset.size)}
    assert set(re.findall(r"(?<!of )(\d+) (?:paired )?seeds?\b", everything)) <= {str(config.seeds)}
    shares = re.search(r"Shares were ([\d., ]+) %", methods)
    assert shares is not None
    assert [float(share) for share in shares[1].split(", ")] == [100 * ratio for ratio in config.ratios]
    gans = {"StyleGAN2-ADA"} if case.stylegan else {"DCGAN"}
    assert {name for name in ("StyleGAN2-ADA", "DCGAN") if name in methods} == gans

    # The split was drawn, or it was not; and its parts are as large as they are.
    assert ("split at random" in everything) == case.drawn
    assert ("as its source has it" in everything) == (not case.drawn)
    counts = {part: len(dataset.rows(part)) for part in ("train", "valid")}
    parts = f"{counts['train']} training, {counts['valid']} validation and {len(dataset.rows('test'))} test images"
    assert parts in methods
    assert ("synthetic images were set among" in methods) == ("synthetic-in-test" in config.flaws)
    unusable = int(bool(case.importing.get("skip_unreadable")))
    assert re.findall(r"(\d+) files? that cannot be used", methods) == ["1"] * unusable
    assert len(data["notes"]) >= unusable
    assert len(set(re.findall(r"\(seed (\d+)\)", data["split"]))) == int(case.drawn)

    # What was left out, moved and accepted is told with its numbers, and nothing else is.
    out = dataset.manifest[dataset.manifest["excluded"] != ""]["excluded"].value_counts()
    dropped = int(out.drop("train-per-class", errors="ignore").sum())
    assert re.findall(r"(\d+) of \d+ imported images? (?:was|were) left out", methods) == [str(dropped)] * bool(dropped)
    cut = [str(count) for reason, count in out.items() if reason == "train-per-class"]
    assert re.findall(r"(\d+) others were left out", methods) == cut
    assert re.findall(r"(\d+) images? (?:was|were) put into their split by hand", methods) == [str(case.move)] * bool(
        case.move
    )
    remedies = list(dataset.info.config["remedies"])
    assert re.findall(r"remedies ([\w-]+) were applied", methods) == remedies
    assert ("in spite of these findings" in methods) == bool(dataset.info.frozen and dataset.info.frozen.accepted)
    assert ("what the source calls" in methods) == ("class_names" in case.importing)
    if case.copies:
        found = [*data["before"], *(finding["sentence"] for finding in data["findings"])]
        assert any("exact copies" in sentence for sentence in found), "mended or not, they are told"

    # Only patients whom the source names are called patients.
    patients = {int(number) for number in re.findall(r"(\d+) (?:known )?patients?\b", everything)}
    tested = sources.test_images["known_patient"] if sources.test_images is not None else pd.Series(dtype=str)
    of_source = 0 if case.patients == "names" else tested[tested != ""].nunique()
    assert patients <= ({case.known, of_source} if case.known else set())
    assert (sources.summary.patients is not None) == (case.patients != "none")
    unknown = case.patients != "all"
    assert (
        "unknown" in everything or "No image's patient is known" in everything or "guessed" in everything
    ) == unknown
    leaked = answers(sources)[3]
    flawed = bool(config.flaws) or (dataset.info.frozen is not None and bool(dataset.info.frozen.accepted))
    assert leaked.tone == ("bad" if flawed else "unknown" if unknown else "good")

    # Statistics as they were.
    assert ("of infinitesimal-jackknife pseudo-values" in methods) == (config.claims and config.seeds > 1)
    assert ("served as validation images too" in methods) == ("test-is-validation" in config.flaws)
    assert ("read at the end of each trial" in methods) == ("test-is-validation" not in config.flaws)
    assert ("validation images only" in methods) == (
        config.select != "last" and config.head != "probe" and "test-is-validation" not in config.flaws
    )
    controlled = any("duplicates" in arm for arm in config.arms) and config.claims and config.seeds >= 6
    assert ("lies above 0 and so does that to the real images alone" in methods) == controlled
    assert ("compared with every training image" in everything.lower()) == case.quality

    # Test images without a value of a subgroup are counted.
    if "sex" in config.subgroups:
        missing = int((dataset.rows("test")["sex"] == "").sum())
        told_missing = without_value(sources.test_images, config.subgroups)
        assert [sentence.split(" ")[0] for sentence in told_missing] == [str(missing)] * bool(missing)


def check_differences(case: Case, sources: Sources) -> None:
    """What differs from a publication is read off the runs, and what does not differ is not there."""
    if sources.publication is None:
        assert differences([sources]) == []
        assert changed_settings(sources).empty
        return
    config = sources.config
    found = {each.what: each.ours[0] for each in differences([sources])}
    assert AS_PUBLISHED not in found.values(), "what is as published is no difference"
    listed = {each.what for each in sources.publication.differences}
    assert ("Repetitions" in found) == (config.seeds > 1 and "Repetitions" in listed)
    if "Repetitions" in found:
        assert found["Repetitions"].startswith(f"{config.seeds} seeds")
    if "Copies" in listed:
        copies = sources.dataset.rows()["sha256"].duplicated().sum()  # type: ignore[union-attr]
        assert ("Copies" in found) == (copies == 0)
    changed = changed_settings(sources).set_index("Setting")
    preset = sources.publication.preset
    usual = preset.sweep if config.claims else preset.published
    assert ("Sweep: classifier" in changed.index) == (config.classifier != usual["classifier"])
    if "Sweep: classifier" in changed.index:
        assert tuple(changed.loc["Sweep: classifier"]) == (usual["classifier"], config.classifier)
    size = sources.dataset.size if sources.dataset else 0
    assert ("Import: size" in changed.index) == (preset.importing["size"] != size)
    assert ("Training: GAN" in changed.index) == (case.stylegan == ("dcgan" in next(iter(preset.train))))
