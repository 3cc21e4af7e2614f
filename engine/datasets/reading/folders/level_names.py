"""What the names of the folders on one level say: splits, patients, parts of a download, or classes.

Names are read by their words: `TrainSet`, `train_images` and `Training Data` are one split each, and `P001`, `case_12`
and `LIDC-IDRI-0001` differ by their numbers only, as patients do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

Kind = Literal["one", "split", "plain", "part", "augmented", "patient", "numbered", "view", "class"]
"""one: a single name; plain: `images`, `png`, ...; part: parts of one lot; numbered: names that differ by a number,
which patients, parts or classes may be; view: planes, sequences and magnifications; class: anything else."""

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_EVALUATION = frozenset(("eval", "evaluation"))
_SPLIT_WORDS = {
    **SPLIT_NAMES,
    **dict.fromkeys(("trn", "trainingsdaten", "entrainement", "entrenamiento"), "train"),
    **dict.fromkeys((*_EVALUATION, "validierung", "validierungsdaten", "validacion"), "valid"),
    **dict.fromkeys(("holdout", "tst", "ts", "testdaten", "prueba", "pruebas"), "test"),
}
"""Evaluation is the test where no other is."""


def word_set(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


PLAIN = word_set(
    "image images img imgs picture pictures photo photos png pngs jpg jpgs jpeg jpegs tif tiff tiffs bmp dcm dicom "
    "dicoms data dataset datasets folder folders dir file files raw original originals slice slices frame frames scan "
    "scans sample samples resized processed preprocessed cropped input inputs set sets all new final"
)
_SPLIT_FILLER = PLAIN | word_set(
    "split splits case cases x part fold subset aug augmented ct mr mri xray cxr of for the"
)
_PARTS = PLAIN | word_set(
    "part parts batch batches chunk chunks fold folds subset subsets split splits disk zip archive"
)
_PATIENTS = word_set(
    "patient patients pat pt p person case cases subject subjects subj sub s id pid uid participant volunteer donor "
    "volume vol study studies series session ses visit exam examination scan scans accession specimen animal mouse rat"
)
_PATIENT_SETS = word_set("lidc idri tcga ispy cptac nsclc acrin brats mimic upenn lung luad kits lits ms hn adni oasis")
_CLASSES = word_set(
    "class classes cls grade grades stage stages type types level levels score scores label labels category cat birads "
    "bi rads tirads pirads lungrads kl isup gleason cin dr mayo gold nyha asa who subtype degree cluster group groups"
)
_VIEWS = word_set(
    "axial coronal sagittal transverse ax cor sag ap pa lateral frontal left right pre post t1 t2 flair dwi adc t1w "
    "t2w t1c t1ce swi pd arterial venous portal delayed contrast native"
)
_AUGMENTED = word_set("aug augs augmented augmentation augmentations augment")


def words_of(name: str) -> list[str]:
    """The words and numbers of a name in small letters: `HAM10000_images_part_1` -> ham, 10000, images, part, 1."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+", name)
    return [word.lower() for word in found]


def splits_of(names: Collection[str]) -> dict[str, str]:
    """`{name: train, valid or test}` of the names that are splits; {} if these names are none.

    One of them must be the training set, or all must be splits. Words that all names share do not count, so that
    `ISIC2018_Task3_Training_Input` and `ISIC2018_Task3_Test_Input` are splits.
    """
    alone = {name: split for name in names if (split := _split_of(words_of(name)))}
    if not alone and len(names) > 1:
        shared = set.intersection(*({*words_of(name)} for name in names))
        within = {name: _split_of([word for word in words_of(name) if word not in shared]) for name in names}
        alone = within if all(within.values()) and len(set(within.values())) > 1 else {}
    if "test" not in alone.values():
        alone |= {name: "test" for name in alone if _EVALUATION & {*words_of(name)}}
    return alone if "train" in alone.values() or len(alone) == len(names) else {}


def without_split(name: str) -> tuple[str, str]:
    """The split in a name that says more than that, and what is left: `covid_train` -> train, covid; else ''."""
    words = words_of(name)
    splits = {split for word in words if (split := _split_word(word))}
    rest = " ".join(word for word in words if not _split_word(word) and word not in _SPLIT_FILLER)
    return (splits.pop(), rest) if len(splits) == 1 and rest else ("", name)


def split_of(name: str) -> str:
    """The split that a name or the cell of a table says, '' for anything else: `Training Data` -> train."""
    return _split_of(words_of(name))


def _split_of(words: list[str]) -> str:
    text = " ".join(words).replace("hold out", "holdout").split()
    splits = [split for word in text if (split := _split_word(word))]
    rest = [word for word in text if not _split_word(word) and word not in _SPLIT_FILLER and not word.isdecimal()]
    return splits[0] if len(set(splits)) == 1 and not rest else ""


def _split_word(word: str) -> str:
    """`trainset` and `testdata` are splits too."""
    match = re.fullmatch(r"([a-z]+?)(set|sets|data|images?|imgs?|dir|folder|split)?", word)
    return _SPLIT_WORDS.get(word) or (_SPLIT_WORDS.get(match[1], "") if match and match[1] != "tr" else "")


def is_plain(name: str) -> bool:
    """A name that only says that images are in the folder (`images`, `png`, `Data`)."""
    words = [word for word in words_of(name) if not word.isdecimal()]
    return bool(words) and set(words) <= PLAIN


def is_augmented(name: str) -> bool:
    """A name that says that the folder holds copies made by augmentation."""
    return bool(_AUGMENTED & {*words_of(name)}) and not {"no", "non", "not", "without"} & {*words_of(name)}


def kind_of(counts: Mapping[str, int]) -> Kind:
    """What the folders of one level are by their names; `counts`: images below each name."""
    names = list(counts)
    if splits_of(names):
        return "split"
    if len(names) == 1:
        return "one"
    if any(map(is_augmented, names)) and all(is_augmented(name) or is_plain(name) for name in names):
        return "augmented"
    if all("".join(words_of(name)) in _VIEWS or re.fullmatch(r"\d+ ?[xX]|[xX]\d+", name) for name in names):
        return "view"
    numbered = _numbered(names)
    if numbered is not None:
        return _of_numbers(names, numbered, counts)
    if all(map(is_plain, names)):
        return "plain"
    return "patient" if _like_ids(names) else "class"


def _numbered(names: list[str]) -> list[str] | None:
    """The words that the names share, if the names differ by nothing but numbers; else None.

    Among many names a tenth may be otherwise (a folder of notes beside those of the patients).
    """
    shapes: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        shape = tuple("#" if word.isdecimal() else word for word in words_of(name))
        shapes.setdefault(shape, []).append(name)
    shape, members = max(shapes.items(), key=lambda entry: len(entry[1]))
    if "#" not in shape or len(members) < (len(names) if len(names) < 10 else 0.9 * len(names)):
        return None
    numbers = {tuple(word for word in words_of(name) if word.isdecimal()) for name in members}
    return [word for word in shape if word != "#"] if len(numbers) == len(members) else None


def _of_numbers(names: list[str], shared: list[str], counts: Mapping[str, int]) -> Kind:
    if shared and {*shared} <= _CLASSES | PLAIN and {*shared} & _CLASSES:
        return "class"
    if _PARTS & {*shared} and not _PATIENTS & {*shared}:
        return "part"
    if {*shared} & (_PATIENTS | _PATIENT_SETS):
        return "patient"
    digits = [word for name in names for word in words_of(name) if word.isdecimal()]
    if shared:
        return "patient" if len(names) > 10 or min(map(len, digits)) >= 3 else "numbered"
    return "class" if _like_grades(names, counts) else "patient"


def _like_grades(names: list[str], counts: Mapping[str, int]) -> bool:
    """0 and 1, or 1 to 5: numbers of classes rather than of patients, as they are few or hold many images each."""
    if any(len(name) > 9 or not name.isdecimal() or str(int(name)) != name for name in names):
        return False
    numbers = sorted(map(int, names))
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] > 1:
        return False
    many = sorted(counts.values())[len(counts) // 2] >= 20
    return len(numbers) <= (15 if many else 10 if numbers[0] == 0 else 6)


def _like_ids(names: list[str]) -> bool:
    """Ids of several patterns (`SOB_B_A_14-22549AB`, `TCGA-02-0006`, hashes), or persons as DICOM writes them.

    Their numbers tell them apart and few words come with them, where classes have words of their own (`1. Eczema`).
    """
    if all("^" in name for name in names):
        return True
    ids = [name for name in names if re.search(r"\d", name)]
    if len(names) < 5 or len(ids) < 0.9 * len(names):
        return False
    if all(re.fullmatch(r"[0-9a-fA-F-]{8,}", name) for name in ids):
        return True
    words = [words_of(name) for name in ids]
    if all(found[0] in _PATIENTS | _PATIENT_SETS for found in words):
        return True
    long = all(re.search(r"\d{3}", name) for name in ids)
    numbers = {tuple(word for word in found if word.isdecimal()) for found in words}
    texts = {tuple(word for word in found if not word.isdecimal()) for found in words}
    first = {found[0] for found in words}
    if long and len(first) == 1 and not first & _CLASSES:
        return True
    return len(texts) <= len(ids) / 2 and (long or len(numbers) >= 0.4 * len(ids))
