"""The positive class of two: what names tell, what is asked, what is recorded, changed and inherited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.configs import ImportConfig
from engine.datasets.class_name_meanings import told_by_names
from engine.datasets.dataset import Dataset
from engine.datasets.editing import import_changes, resplit, set_positive
from engine.datasets.folds import make_folds
from engine.datasets.importing import import_dataset
from engine.datasets.positive_class import positive_of, sentence_on
from engine.datasets.previewing import preview
from engine.datasets.reading.questions import Question
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests import fabricated

ASKS = True
PLAIN = """
nevus melanoma | CN AD | notumor tumor | nonCOVID COVID | normal pneumonia | CT_NonCOVID CT_COVID | no yes | NV MEL
notumor glioma | Uninfected Parasitized | benign malignant | Normal Tuberculosis | 0 1 | NC AD | HC MDD | NL MCI
NonDemented Demented | NonDemented VeryMildDemented | IDC_negative IDC_positive | HER2minus HER2plus | No_DR DR
NODR DR | not-fractured fractured | no_hemorrhage hemorrhage | Others Monkeypox | Glaucoma_Negative Glaucoma_Positive
NRG RG | colon_n colon_aca | Non-Cancer Cancer | non-csPCa csPCa | insignificant significant | normal abnormal
healthy unhealthy | normal-z-line esophagitis | NotMelanoma Melanoma | Bengin-cases Malignant-cases | NILM HSIL
intact torn | TDC ADHD | controls patients | non_autistic autistic | regular covid | notinfected infected | NORM TUM
absent present | Negative-for-Pneumonia Typical-Appearance | Control-Axial MS-Axial | normal NCP
adenosis ductal_carcinoma | N0 N1 | seborrheic_keratosis melanoma | normal benign
No-Lung-Opacity-Not-Normal Lung-Opacity | No-Finding Cardiomegaly | Normal No-Lung-Opacity-Not-Normal | grade0 grade4
0_normal 1_pneumonia | normal-benign malignant | sain malade | gutartig bösartig | nævus melanoma | sick-but-no-tb tb
cancer-free cancer | ERneg ERpos | minus1 1 | normal non-normal | non-neoplastic neoplastic | none mild
abnormal-no abnormal-yes | nodule-none nodule | wildtype mutant | 0 melanoma
"""
"""Classes of public data sets, and such as people write them: the one without the finding, and the positive one."""
UNCLEAR = """
small-cell non-small-cell | hodgkin non-hodgkin | gram-negative gram-positive | triple-negative luminal
union nonunion | clear-cell papillary | bacteria virus | cat dog | A B | left right | 1 2 | AD MCI | LUAD LUSC
HGG LGG | nodule mass | No.-1 No.-2 | ischemic hemorrhagic | survivor non-survivor | seminoma nonseminoma
normal control | benign nevus | stable unstable | Normal_left Normal_right | node nose | rest stress | BIRADS0 BIRADS1
hospital0 hospital1 | MEL BCC | proliferative non-proliferative | differentiated undifferentiated
hydrocephalus normal-pressure-hydrocephalus | muscle-invasive non-muscle-invasive | Crohns-disease colitis
free-air abscess | nontuberculous tuberculous | T1 T2
"""


def pairs(table: str) -> list[tuple[str, str]]:
    return [(one, other) for one, other in (pair.split() for pair in table.strip().replace("\n", "|").split("|"))]


@pytest.mark.parametrize(("without", "positive"), pairs(PLAIN))
def test_plain_names_tell(without: str, positive: str) -> None:
    for classes in ([without, positive], [positive, without]):
        told = told_by_names(classes)
        assert told is not None and told.positive == positive
        assert told.telling in classes


@pytest.mark.parametrize(("one", "other"), pairs(UNCLEAR))
def test_names_that_are_not_plain_tell_nothing(one: str, other: str) -> None:
    assert told_by_names([one, other]) is None
    assert told_by_names([other, one]) is None


def test_only_of_two_classes_one_is_positive() -> None:
    assert told_by_names(["normal", "benign", "malignant"]) is None


Make = Callable[..., Path]
Build = Callable[..., ImportConfig]


def test_what_the_names_propose_is_said_and_recorded(home: Home, make_tree: Make, config: Build) -> None:
    settings = config(make_tree({"nevus": 8, "melanoma": 8}))
    (note,) = (note for note in preview(settings, home).notes if "positive" in note)
    assert note == (
        "The positive class is melanoma, proposed by the names of the classes: the name nevus means without that "
        "finding. If that is wrong, choose nevus (`--positive nevus`)."
    )
    assert "Positive class: melanoma." in preview(settings, home).text()
    positive = import_dataset(home, settings).info.positive
    assert positive is not None
    assert (positive.name, positive.origin) == ("melanoma", "names")


def test_unclear_names_are_asked_about(
    home: Home, make_tree: Make, config: Build, refused: Callable[..., str], left_behind: Callable[[Home], list[str]]
) -> None:
    source = make_tree({"cat": 6, "dog": 7})
    with pytest.raises(Question) as asked:
        preview(config(source), home)
    question = asked.value
    assert question.asks == "Which class is positive?"
    assert [option.flags for option in question.options] == ["--positive cat", "--positive dog"]
    assert "cat (6 images) and dog (7 images)" in question.found
    refused(source, "--positive cat", "--positive dog")
    answered = import_dataset(home, config(source, **question.options[0].settings))
    assert sentence_on(positive_of(answered)) == "The positive class is cat, named at the import."  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "positive", "expected"),
    [
        ({"cat": "feline"}, "cat", "feline"),  # the label as found, renamed since the answer
        ({"cat": "feline"}, "feline", "feline"),
        ({"cat": "a b"}, "a b", "a-b"),  # as it is written, not as it is stored
        ({"bird": "cat"}, "bird", "cat"),  # joined with another
    ],
)
def test_renamed_and_joined_classes_keep_it(
    home: Home, make_tree: Make, config: Build, names: dict[str, str], positive: str, expected: str
) -> None:
    source = make_tree({"cat": 6, "dog": 6, **({"bird": 6} if "bird" in names else {})})
    settings: dict[str, Any] = {"class_names": names, "positive": positive, "split": "random"}
    assert positive_of(import_dataset(home, config(source, **settings))).name == expected  # type: ignore[union-attr]


def test_of_three_classes_none_is_positive(home: Home, make_tree: Make, config: Build) -> None:
    source = make_tree({"cat": 6, "dog": 6, "normal": 6})
    dataset = import_dataset(home, config(source))
    assert (dataset.info.positive, positive_of(dataset)) == (None, None)
    with pytest.raises(ErsatzError, match="has 3 classes"):
        preview(config(source, positive="cat"), home)
    with pytest.raises(ErsatzError, match="has 3 classes"):
        set_positive(dataset, "cat")
    assert preview(config(source, only_classes=("dog", "normal")), home).positive == "dog"


def test_a_name_that_is_no_class_is_refused(make_tree: Make, refused: Callable[..., str]) -> None:
    refused(make_tree({"cat": 6, "dog": 6}), "'mouse'", "cat and dog", positive="mouse")


def test_it_is_changed_in_a_frozen_data_set_and_its_folds(home: Home, make_tree: Make, config: Build) -> None:
    dataset = import_dataset(home, config(make_tree({"normal": 20, "pneumonia": 20})))
    folds = make_folds(dataset, 2)
    assert [positive_of(fold) for fold in folds] == [positive_of(dataset)] * 2
    with pytest.raises(ErsatzError, match="is a fold of set"):
        set_positive(folds[0], "normal")
    changed = set_positive(dataset, "normal")
    assert changed.fingerprint == dataset.fingerprint
    changed.require_frozen()
    found = [positive_of(Dataset.open(home, each.name)) for each in (dataset, *folds)]
    assert {(each.name, each.origin) for each in found if each} == {("normal", "changed")}
    with pytest.raises(ErsatzError, match="one of these is expected"):
        set_positive(dataset, "mouse")
    asked_again = config(dataset.info.config["source"], positive="pneumonia")
    assert "positive" in import_changes(changed, asked_again)
    assert import_changes(changed, config(dataset.info.config["source"])) == {}, "nothing was asked for"


def test_it_outlives_a_new_split(home: Home, make_tree: Make, config: Build) -> None:
    dataset = import_dataset(home, config(make_tree({"cat": 9, "dog": 9}), freeze=False, positive="cat"))
    again = resplit(set_positive(dataset, "dog"), {"seed": 5})
    assert again.info.positive is not None
    assert (again.info.positive.name, again.info.config["positive"]) == ("dog", "dog")


def test_a_data_set_of_before_is_guessed_and_says_so(home: Home) -> None:
    dataset = fabricated.make_dataset(home)
    assert dataset.info.positive is None
    assert sentence_on(positive_of(dataset)) == (  # type: ignore[arg-type]
        "The positive class is taken from the names: bleed, as the name normal means without that finding; nobody has "
        "confirmed it."
    )
    unclear = dataset.info.model_copy(update={"classes": ["a", "b"]})
    unclear.write_to(dataset.path / "dataset.json")
    assert "for their names do not tell" in sentence_on(positive_of(Dataset.open(home, dataset.name)))  # type: ignore[arg-type]
    dataset.info.write_to(dataset.path / "dataset.json")
    assert positive_of(set_positive(dataset, "bleed")).origin == "changed"  # type: ignore[union-attr]
