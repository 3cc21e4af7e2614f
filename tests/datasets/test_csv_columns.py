"""What the columns and cells of a CSV mean: classes, patients, splits, and the layouts of published sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.datasets.reading.questions import Question
from engine.store.errors import ErsatzError
from engine.store.home import Home

FILES = [f"img{number:03d}.png" for number in range(24)]


def table(header: str, row: Callable[[int], str], count: int = 24) -> str:
    return header + "\n" + "".join(f"{row(number)}\n" for number in range(count))


@pytest.fixture
def labelled(csv_folder) -> Callable[[list[str]], Path]:
    """24 images with labels that repeat the given ones."""
    return lambda labels: csv_folder(table("image,label", lambda n: f'img{n:03d},"{labels[n % len(labels)]}"'), FILES)


def counts(reading) -> dict[str, int]:
    return dict(Counter(item.label for item in reading.items))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["0", "1", "0.0", "1.0"], {"0": 12, "1": 12}),
        (["0", "1.", " 0", "+1"], {"0": 12, "1": 12}),
        (["0.0", "1.0"], {"0": 12, "1": 12}),
        (["1", "2", "3", "1,0"], {"1": 12, "2": 6, "3": 6}),
        (["01", "1", "2", "02"], {"1": 12, "2": 12}),
        (["01", "02", "10", "02"], {"01": 6, "02": 12, "10": 6}),
        (["0", "True", "1", "FALSE"], {"0": 12, "1": 12}),
        (["True", "False", "true", "false"], {"True": 12, "False": 12}),
        (["0.5", "0.50", "1", "1.0"], {"0.5": 12, "1": 12}),
        (["Benign", "malignant", "benign", "malignant", "Benign", "malignant"], {"Benign": 12, "malignant": 12}),
        (["a  b", "c", "a b", "c"], {"a b": 12, "c": 12}),
        (["1.0", "benign", "1", "benign"], {"1": 12, "benign": 12}),
        (["12345678901234567890", "12345678901234567891"], {"12345678901234567890": 12, "12345678901234567891": 12}),
    ],
)
def test_spellings_of_one_label_are_one_class(labelled, read_table, labels: list[str], expected: dict[str, int]):
    assert counts(read_table(labelled(labels))) == expected


def test_joined_spellings_are_said_with_their_counts(labelled, read_table):
    notes = read_table(labelled(["Benign", "malignant", "benign", "malignant"])).notes
    assert "The labels 'Benign' (6), 'benign' (6) are taken for one class, 'Benign'." in notes


def test_spellings_that_are_named_stay_apart(labelled, read_table):
    source = labelled(["1", "1.0", "a", "A"])
    assert counts(read_table(source, class_names={"1": "x", "1.0": "y"})) == {"1": 6, "1.0": 6, "a": 12}
    assert set(counts(read_table(source, class_names={"1.0": "x"}))) == {"1.0", "a"}


MISSING = ["NaN", "nan", "null", "NULL", "None", "NA", "N/A", "#N/A", "?", "-", "", "  ", "<NA>", "nil", "--"]


@pytest.mark.parametrize("missing", MISSING)
def test_words_for_nothing_are_no_class(labelled, read_table, missing: str):
    source = labelled(["benign", "malignant", missing, "benign"])
    with pytest.raises(ErsatzError, match=r"6 rows without a value in column 'label' \(first: line 4.*skip_unreadable"):
        read_table(source)
    for settings in ({"skip_unreadable": True}, {"only_classes": ("benign", "malignant")}):
        reading = read_table(source, **settings)
        assert counts(reading) == {"benign": 12, "malignant": 6}
        assert any("6 rows without a value" in note and "left out" in note for note in reading.notes)


def test_a_word_for_nothing_that_is_named_is_a_class(labelled, read_table):
    assert counts(read_table(labelled(["None", "tumour"]), class_names={"None": "healthy"})) == {
        "None": 12,
        "tumour": 12,
    }
    assert counts(read_table(labelled(["+", "-"]), class_names={"-": "negative"})) == {"+": 12, "-": 12}


def test_labels_that_may_mean_nothing_are_mentioned(labelled, read_table):
    reading = read_table(labelled(["benign", "malignant", "Unknown"]))
    assert counts(reading)["Unknown"] == 8
    assert any("'Unknown' may mean that nothing is known; its 8 images" in note for note in reading.notes)


@pytest.mark.parametrize("value", [lambda n: f"{20 + n}", lambda n: f"{n / 7:.3f}", lambda n: f"finding number {n}"])
def test_measurements_and_names_are_no_classes(csv_folder, read_table, value: Callable[[int], str]):
    source = csv_folder(table("image,value", lambda n: f"img{n:03d},{value(n)}"), FILES)
    with pytest.raises(ErsatzError, match="24 different"):
        read_table(source)
    assert len(read_table(source, class_names={value(n): "ab"[n % 2] for n in range(24)}).items) == 24


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("patient_id", "patient"),
        ("Patient ID", "patient"),
        ("patientId", "patient"),
        ("subject", "patient"),
        ("lesion_id", "lesion"),
        ("case_id", "case"),
        ("StudyInstanceUID", "study"),
    ],
)
def test_a_column_of_patients_is_used_and_said(csv_folder, read_table, name: str, kind: str):
    source = csv_folder(table(f"image,label,{name}", lambda n: f"img{n:03d},{n % 2},P{n // 3}"), FILES)
    reading = read_table(source)
    assert {item.group for item in reading.items} == {f"P{number}" for number in range(8)}
    assert any(f"{name!r} is taken for the {kind}: 8 " in note for note in reading.notes)
    ignored = read_table(source, group_column="-")
    assert {item.group for item in ignored.items} == {""}
    assert ignored.items[0].meta == {f"meta_{name}": "P0"}


def test_patients_come_before_lesions_which_are_offered(csv_folder, read_table):
    source = csv_folder(
        table("image,lesion_id,patient_id,dx", lambda n: f"img{n:03d},L{n // 2},P{n // 4},{n % 2}"), FILES
    )
    reading = read_table(source)
    assert len({item.group for item in reading.items}) == 6
    assert [offer.settings for offer in reading.offers] == [{"group_column": "lesion_id"}]


@pytest.mark.parametrize("unknown", ["", "nan", "unknown", "-"])
def test_rows_without_a_patient_count_on_their_own(csv_folder, read_table, unknown: str):
    row = lambda n: f"img{n:03d},{n % 2},{unknown if n < 6 else n // 3}"  # noqa: E731
    source = csv_folder(table("image,label,patient", row), FILES)
    reading = read_table(source)
    assert [item.group for item in reading.items][:7] == [""] * 6 + ["2"]
    assert any("6 rows without one count each on their own" in note for note in reading.notes)


def test_a_patient_column_that_is_named_must_be_full(csv_folder, read_table):
    source = csv_folder(table("image,label,patient", lambda n: f"img{n:03d},{n % 2},{n // 3 if n else ''}"), FILES)
    with pytest.raises(ErsatzError, match=r"1 rows without a value in column 'patient' \(first: line 2\)"):
        read_table(source, group_column="patient")


def test_spellings_of_one_patient_are_one(csv_folder, read_table):
    source = csv_folder(table("image,label,patient", lambda n: f"img{n:03d},{n % 2},{n // 4}{'.0' * (n % 2)}"), FILES)
    assert len({item.group for item in read_table(source).items}) == 6


@pytest.mark.parametrize("name", ["split", "Set", "subset", "partition", "dataset", "Usage", "phase"])
def test_a_column_of_splits_is_used_and_said(csv_folder, read_table, name: str):
    words = ("Training", "training", "val", "TEST")
    source = csv_folder(table(f"image,label,{name}", lambda n: f"img{n:03d},{n % 2},{words[n // 6]}"), FILES)
    reading = read_table(source)
    assert Counter(item.split for item in reading.items) == {"train": 12, "valid": 6, "test": 6}
    assert any(f"{name!r} is taken for the split: train 12, valid 6, test 6" in note for note in reading.notes)
    assert {item.split for item in read_table(source, split_column="-").items} == {""}


@pytest.mark.parametrize(
    ("name", "words"), [("fold", "1234"), ("split", ["train"] * 4), ("site", ["train", "test", "holdout", "x"])]
)
def test_a_column_that_only_seems_to_hold_splits_is_metadata(csv_folder, read_table, name: str, words):
    source = csv_folder(table(f"image,label,{name}", lambda n: f"img{n:03d},{n % 2},{words[n // 6]}"), FILES)
    reading = read_table(source)
    assert {item.split for item in reading.items} == {""}
    assert reading.items[0].meta == {f"meta_{name}": words[0]}


def test_a_column_of_splits_with_another_name_is_offered(csv_folder, read_table):
    source = csv_folder(table("image,label,group", lambda n: f"img{n:03d},{n % 2},{('train', 'test')[n // 18]}"), FILES)
    reading = read_table(source)
    assert [offer.settings for offer in reading.offers] == [{"split_column": "group"}]
    assert {item.split for item in read_table(source, **reading.offers[0].settings).items} == {"train", "test"}


def test_one_column_for_each_class(csv_folder, read_table):
    source = csv_folder(
        table("image,MEL,NV,BCC,UNK", lambda n: f"img{n:03d}," + ",".join(f"{float(n % 3 == k)}" for k in range(4))),
        FILES,
    )
    reading = read_table(source)
    assert counts(reading) == {"MEL": 8, "NV": 8, "BCC": 8}
    assert reading.items[0].meta == {}
    assert any("one 1 among the columns MEL, NV, BCC, UNK" in note for note in reading.notes)


@pytest.mark.parametrize(("ones", "words"), [(1, "of its 24 rows 8 have none"), (2, "several 1s")])
def test_columns_with_no_or_several_ones_are_asked_about(csv_folder, read_table, ones: int, words: str):
    row = lambda n: f"img{n:03d},{int(n % 3 == 0)},{int(n % 3 < ones and (ones == 2 or n % 3 == 1))},{int(n % 3 == 1)}"  # noqa: E731
    source = csv_folder(table("image,melanoma,keratosis,other", row), FILES)
    with pytest.raises(Question, match=words) as caught:
        read_table(source)
    melanoma = caught.value.options[0]
    assert melanoma.settings == {"label_column": "melanoma"}
    assert "0 16, 1 8" in melanoma.text
    assert counts(read_table(source, **melanoma.settings)) == {"0": 16, "1": 8}


def test_columns_that_say_the_same_are_no_question(csv_folder, read_table):
    source = csv_folder(table("image,class_id,class_name", lambda n: f"img{n:03d},{n % 2},{'ab'[n % 2]}"), FILES)
    assert counts(read_table(source)) == {"a": 12, "b": 12}
    assert counts(read_table(source, class_names={"0": "no", "1": "yes"})) == {"0": 12, "1": 12}


def test_a_guessed_column_can_be_metadata_too(csv_folder, home: Home, read_table):
    source = csv_folder(table("image,label,patient_id", lambda n: f"img{n:03d},{n % 2},P{n // 3}"), FILES)
    reading = read_table(source, metadata_columns=("Patient_ID",))
    assert (reading.items[0].group, reading.items[0].meta) == ("P0", {"meta_patient_id": "P0"})


# Look-alikes of published tables.

ISIC = [f"ISIC_{24306 + number:07d}" for number in range(24)]


def test_ham10000(csv_folder, read_table):
    files = [f"HAM10000_images_part_{1 + (n > 11)}/{name}.jpg" for n, name in enumerate(ISIC)]
    row = lambda n: f"HAM_{n // 2:07d},{ISIC[n]},{('nv', 'mel', 'bkl')[n % 3]},histo,{30 + 5 * (n % 9)}.0,male,back"  # noqa: E731
    csv_folder(
        table(",".join(f"pixel{n:04d}" for n in range(64)) + ",label", lambda n: "7," * 64 + "2"),
        [],
        "hmnist_8_8_L.csv",
    )
    source = csv_folder(
        table("lesion_id,image_id,dx,dx_type,age,sex,localization", row), files, "HAM10000_metadata.csv"
    )
    reading = read_table(source)
    assert counts(reading) == {"nv": 8, "mel": 8, "bkl": 8}
    assert len({item.group for item in reading.items}) == 12
    assert set(reading.items[0].meta) == {"meta_dx_type", "meta_age", "meta_sex", "meta_localization"}
    assert any("1 other CSV file was left out (hmnist_8_8_L.csv)" in note for note in reading.notes)


def test_isic_2019_joins_the_lesions_of_its_second_table(csv_folder, read_table):
    files = [f"ISIC_2019_Training_Input/{name}.jpg" for name in ISIC]
    meta = table(
        "image,age_approx,anatom_site_general,lesion_id,sex", lambda n: f"{ISIC[n]},55.0,head,BCN_{n // 2},female"
    )
    csv_folder(meta, [], "ISIC_2019_Training_Metadata.csv")
    truth = table("image,MEL,NV,UNK", lambda n: f"{ISIC[n]},{float(n % 2)},{float(n % 2 == 0)},0.0")
    reading = read_table(csv_folder(truth, files, "ISIC_2019_Training_GroundTruth.csv"))
    assert counts(reading) == {"NV": 12, "MEL": 12}
    assert reading.items[5].group == "BCN_2"
    assert reading.items[0].meta["meta_sex"] == "female"


def test_isic_2020_asks_which_column_is_meant(csv_folder, read_table):
    words = [("unknown", "benign", 0), ("nevus", "benign", 0), ("melanoma", "malignant", 1)]
    row = lambda n: f"{ISIC[n]},IP_{n // 3},IL_{n},male,45.0,neck,{','.join(map(str, words[n % 3]))}"  # noqa: E731
    header = (
        "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
    )
    source = csv_folder(table(header, row), [f"train/{name}.jpg" for name in ISIC])
    with pytest.raises(Question, match="not clear which column holds the class") as caught:
        read_table(source)
    told = {option.settings["label_column"]: option.text for option in caught.value.options}
    assert set(told) == {"diagnosis", "benign_malignant", "target"}
    assert "benign 16, malignant 8" in told["benign_malignant"]
    reading = read_table(source, label_column="benign_malignant")
    assert len({item.group for item in reading.items}) == 8
    named = read_table(source, class_names={"benign": "b", "malignant": "m"})
    assert counts(named) == {"benign": 16, "malignant": 8}


def test_chestxray14_asks_what_to_do_with_several_findings(csv_folder, read_table):
    findings = ["No Finding", "Effusion", "Cardiomegaly|Effusion", "Mass"]
    names = [f"{n // 2:08d}_{n % 2:03d}.png" for n in range(24)]
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    source = csv_folder(
        table(header, lambda n: f"{names[n]},{findings[n % 4]},{n % 2},{n // 2},058Y,M,PA,"),
        [f"images_{1 + n // 12:03d}/images/{name}" for n, name in enumerate(names)],
    )
    with pytest.raises(Question, match=r"several labels in one cell of column 'Finding Labels' in 6 of 24") as caught:
        read_table(source)
    assert caught.value.options[0].settings == {"only_classes": ["No Finding", "Effusion", "Mass"]}
    reading = read_table(source, only_classes=("No-Finding", "Effusion"))
    assert counts(reading) == {"No Finding": 6, "Effusion": 6}
    assert any("12 images whose labels are not among only_classes were left out" in note for note in reading.notes)
    assert {item.group for item in reading.items} == {str(n // 2) for n in range(24) if n % 4 < 2}


@pytest.mark.parametrize("several", ["mass|nodule", "mass;nodule", "mass, nodule", "['mass', 'nodule']"])
def test_several_labels_in_a_cell_are_asked_about(labelled, read_table, several: str):
    single = ["['mass']", "['nodule']"] if several[0] == "[" else ["mass", "nodule"]
    source = labelled([*single, several])
    with pytest.raises(Question, match="several labels in one cell") as caught:
        read_table(source)
    assert counts(read_table(source, **caught.value.options[0].settings)) == dict.fromkeys(single, 8)


def test_commas_in_a_name_are_part_of_it(labelled, read_table):
    assert set(counts(read_table(labelled(["adenocarcinoma, left", "squamous, left"])))) == {
        "adenocarcinoma, left",
        "squamous, left",
    }


def test_a_csv_in_a_folder_is_used_where_none_above_names_images(csv_folder, read_table):
    csv_folder("key,text\na,b\n", [], "about.csv")
    source = csv_folder(table("image,label", lambda n: f"img{n:03d},{n % 2}"), FILES, "tables/labels.csv")
    reading = read_table(source)
    assert counts(reading) == {"0": 12, "1": 12}
    assert any("about.csv" in note for note in reading.notes)


def test_boxes_of_one_image_are_one_row(csv_folder, read_table):
    row = lambda n: f"img{n // 2:03d},{n},2.0,3.0,4.0,{n // 2 % 2}"  # noqa: E731
    reading = read_table(csv_folder(table("patientId,x,y,width,height,Target", row), FILES[:12]))
    assert counts(reading) == {"0": 6, "1": 6}
    assert any("12 rows of the CSV name an image again" in note for note in reading.notes)


def test_paths_of_a_published_archive(csv_folder, read_table):
    """CBIS-DDSM and MURA name paths of the archive, which are the same below some folder."""
    files = [f"jpeg/1.3.6.1.{n}/1-0{n % 2}.jpg" for n in range(24)]
    row = lambda n: f'P_{n // 2:05d},{("MALIGNANT", "BENIGN")[n % 2]},"CBIS-DDSM/{files[n]}\n"'  # noqa: E731
    reading = read_table(csv_folder(table("patient_id,pathology,image file path", row), files))
    assert [item.source for item in reading.items] == files
    assert counts(reading) == {"MALIGNANT": 12, "BENIGN": 12}


def test_a_csv_for_each_split(csv_folder, read_table):
    source = csv_folder("image,label\n" + "".join(f"{n},{n % 2}\n" for n in range(6)), [], "test.csv")
    files = [f"{part}/{n}.png" for part in ("train", "test") for n in range(6)]
    csv_folder("image,label\n" + "".join(f"{n},0\n" for n in range(6)), files, "sample_submission.csv")
    csv_folder("image,label\n" + "".join(f"{n},{1 - n % 2}\n" for n in range(6)), [], "train.csv")
    reading = read_table(source)
    assert {(item.source, item.split, item.label) for item in reading.items} == {
        (f"{part}/{n}.png", part, str(n % 2 if part == "test" else 1 - n % 2))
        for part in ("train", "test")
        for n in range(6)
    }


def test_rows_without_an_image_are_left_out_where_asked(csv_folder, read_table):
    source = csv_folder(table("image,label", lambda n: f"img{n:03d},{n % 2}"), FILES[:20])
    with pytest.raises(ErsatzError, match=r"4 images that are not there .*first in line 22.*skip_unreadable"):
        read_table(source)
    reading = read_table(source, skip_unreadable=True)
    assert len(reading.items) == 20
    assert any("4 images that are not there" in note for note in reading.notes)


def test_the_choice_is_imported(home: Home, make_tree, config: Callable[..., ImportConfig]):
    """From bytes to the manifest: an older Excel's table without a header, with patients."""
    source = make_tree({"pictures": 24})
    rows = [f"{n:03d}.png;{('bösartig', 'gutartig')[n % 2]};{n // 3}" for n in range(24)]
    (source / "labels.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    settings = {"csv_encoding": "cp1252", "label_column": "2", "group_column": "3"}
    dataset = import_dataset(home, config(source, **settings))
    assert dataset.classes == ["bösartig", "gutartig"]
    assert dataset.manifest["group"].nunique() == 8
    assert any("no header line" in note for note in dataset.info.provenance.notes)


def test_rows_without_a_one_are_offered_to_be_left_out(csv_folder, read_table):
    row = lambda n: f"img{n:03d}," + ",".join(str(n != 7 and n % 3 == k) for k in range(3))  # noqa: E731
    source = csv_folder(table("image,MEL,NV,BCC", lambda n: row(n).replace("True", "1").replace("False", "0")), FILES)
    with pytest.raises(Question, match="of its 24 rows 1 have none") as caught:
        read_table(source)
    reading = read_table(source, **caught.value.options[0].settings)
    assert counts(reading) == {"MEL": 8, "NV": 7, "BCC": 8}
    assert any("1 of 24 rows have no 1 among the columns MEL, NV, BCC" in note for note in reading.notes)


def test_true_and_false_for_each_class_are_classes_but_never_hide_another_column(csv_folder, read_table):
    row = lambda n: f"img{n:03d}," + ",".join(str(n % 3 == k) for k in range(3))  # noqa: E731
    assert counts(read_table(csv_folder(table("image,MEL,NV,BCC", row), FILES))) == {"MEL": 8, "NV": 8, "BCC": 8}
    source = csv_folder(
        table("image,smoke,drink,kind", lambda n: f"img{n:03d},{n % 2 > 0},{n % 3 > 0},{'ab'[n % 2]}"), FILES
    )
    with pytest.raises(Question) as caught:
        read_table(source)
    assert {"label_column": "kind"} in [option.settings for option in caught.value.options]


@pytest.mark.parametrize(
    ("column", "values"),
    [("split", "0012"), ("fold", "1234"), ("is_test", "0001"), ("Usage", ["Training", "Training", "PublicTest"])],
)
def test_splits_in_other_words_are_mentioned(csv_folder, read_table, column: str, values: list[str]):
    row = lambda n: f"img{n:03d},{values[n % len(values)]},{'ab'[n // 4 % 2]}"  # noqa: E731
    reading = read_table(csv_folder(table(f"image,{column},label", row), FILES))
    assert {item.split for item in reading.items} == {""}
    assert any(f"The column {column!r} may hold the split but is not taken for it" in note for note in reading.notes)


def test_one_patient_for_all_rows_is_said(csv_folder, read_table):
    row = lambda n: f"img{n:03d},ANON,{'ab'[n % 2]}"  # noqa: E731
    reading = read_table(csv_folder(table("image,patient_id,label", row), FILES))
    assert (
        "The column 'patient_id' says the same of all rows ('ANON') and is not taken for the patient." in reading.notes
    )


def test_patients_are_counted_by_number_not_by_spelling(csv_folder, read_table):
    row = lambda n: f"img{n:03d},{n // 3}{'.0' * (n % 2)},{'ab'[n % 2]}"  # noqa: E731
    reading = read_table(csv_folder(table("image,patient_id,label", row), FILES))
    assert any("8 patients" in note for note in reading.notes)
    assert len({item.group for item in reading.items}) == 8
