"""What the names of two classes say of which one is positive: the finding that is looked for.

Names are read as people write them (`No_Tumor`, `nonCOVID`, `HER2minus`, `colon_n`), in the few languages whose words
are plain. What both names share says nothing and is passed over. Where it is not plain nothing is said: a wrong guess
swaps sensitivity and specificity, a question costs one press.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile


class Meaning(IntEnum):
    """What a name says by itself, from nothing found to the finding; of two names the greater is the positive one."""

    WITHOUT = 0
    """Nothing is found: normal, healthy, control, no tumour."""
    BENIGN = 1
    """Benign, a naevus, or all others: without, beside what is looked for."""
    NAMED_BENIGN = 2
    """A benign lesion by its own name: without beside a malignant one only."""
    UNTOLD = 3
    """Says nothing by itself, as most names of diseases."""
    NAMED_MALIGNANT = 4
    """A malignant disease by its own name."""
    FOUND = 5
    """The finding in general words: positive, yes, malignant, abnormal."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEALTHY = _words(
    "normal normals norm healthy health control controls ctrl ctl negative negativ negativo negatif neg absent "
    "absence none nil nothing free clear clean background unremarkable regular wildtype nilm wnl nad false inactive "
    "insignificant asymptomatic intact uninfected unaffected undiseased uninvolved unimpaired undetected "
    "unmethylated unmutated unexposed unparasitized unparasitised unruptured unfractured uncomplicated nein gesund "
    "sain sano sana normale kontrolle kontrollen nonreactive nonreferable nrg"
)
ACRONYMS = _words("cn cu hc hv hs nc nl nor td tdc tc bg ctr")
"""Healthy as the whole of what tells a name from the other, never as a part of more words."""
BENIGN = _words(
    "benign bengin benigno benigna benin benigne gutartig nevus nevi naevus naevi nev nv other others otherwise"
)
NAMED_BENIGN = _words(
    "mole moles bkl seborrheic seborrhoeic seborrheickeratosis fibroadenoma adenosis lipoma hemangioma haemangioma "
    "angioma dermatofibroma lentigo hamartoma papilloma fibroma"
)
NAMED_MALIGNANT = _words(
    "cancer cancers cancerous carcinoma carcinomas sarcoma lymphoma leukemia leukaemia melanoma melanomas mel "
    "metastasis metastases bcc scc idc krebs"
)
FOUND = _words(
    "positive positives positiv positivo positif pos yes true present presence malignant malignancy malign maligno "
    "maligna malin maligne boesartig bosartig disease diseased abnormal abnormality abnormalities pathology "
    "pathological pathologic affected infected parasitized parasitised detected unhealthy unwell ja oui krank plus"
)
NAMES_ONE = _words("disease pathology")
"""Words that mean a finding alone, and name one of several with others: Crohn's disease beside a colitis."""
DENIALS = _words("no non not without wo sans ohne sin senza kein keine lacking minus")
FINDINGS = _words(
    "tumor tumors tumour tumours cancer cancers lesion lesions finding findings disease diseases diseased nodule "
    "nodules fracture fractures fractured polyp polyps hemorrhage hemorrhages haemorrhage bleed bleeding stroke "
    "covid covid19 pneumonia pneumothorax tb tuberculosis dr retinopathy defect defects mass masses abnormality "
    "abnormalities melanoma glaucoma cataract caries infection infected edema oedema effusion demented dementia "
    "seizure apnea apnoea sepsis stone stones ulcer referable malignant"
)
"""What stands behind a `no` that is not parted from it: notumor, nofinding."""
SUBTYPES = _words(
    "small smallcell hodgkin hodgkins proliferative specific tuberculous union survivor survivors survived alcoholic "
    "st compliant diagnostic viable differentiated ischemic ischaemic obstructive healing healed recovered resolved "
    "intact keratinizing keratinising seminoma seminomatous squamous luminal clear epithelioid muscle functioning "
    "contrast stable motile progressive stemi"
)
"""`non-` before these makes another disease or the worse outcome, and not the absence of one."""
MISLEADING = {
    "negative": _words("triple double gram false true rh"),
    "positive": _words("triple double gram false true rh"),
}
"""Words that stand before `negative` and `positive` where these name a kind: gram-negative, triple-negative."""
KINDS = {"clear": _words("cell cells"), "normal": _words("pressure tension"), "regular": _words("astigmatism")}
KINDS |= {"background": _words("dr diabetic retinopathy")}
KINDS |= dict.fromkeys(("false", "true"), _words("negative positive negatives positives"))
"""Words behind another one that make something else of it: clear-cell carcinoma, normal-pressure hydrocephalus."""
SINGLE: tuple[dict[str, Meaning], ...] = tuple(
    {without: Meaning.WITHOUT, found: Meaning.FOUND} for without, found in ("np", "ny", "ft", "nt")
)
"""Letters that mean something as a pair alone: N and P, N and Y, F and T, N and T (tumour)."""
LONGEST = 1000
"""Letters of a name that is looked at; a longer one means nothing."""
LEVELS = re.compile(r"(class|label|grade|kl|stage|severity|level|target|category|cat)?")
"""What may stand before numbers that count how bad it is."""
NUMBERED = _words(
    "type subtype group cluster site hospital phase batch fold set arm cohort center centre scanner device sample part "
    "view session visit week day time patient subject birads"
)
"""What is merely numbered before 0 and 1, or where 0 is no absence."""
MARKED = re.compile(r"(?P<stem>.+?)(?P<sign>minus|negative|neg|plus|positive|pos)")


@dataclass(frozen=True)
class Told:
    """The positive class of two as their names tell it, and the name that tells it."""

    positive: str
    telling: str
    """Either the positive class, whose name means a finding, or the other, whose name means that there is none."""

    @property
    def reason(self) -> str:
        """Why, as a clause: `the name nevus means without that finding`."""
        if self.telling == self.positive:
            return f"the name {self.telling} means that something is found"
        return f"the name {self.telling} means without that finding"


def told_by_names(classes: Sequence[str]) -> Told | None:
    """The positive one of two classes where their names make it plain, in whichever order they stand; else None."""
    if len(classes) != 2 or max(map(len, classes)) > LONGEST:
        return None
    one, other = (_plain(name) for name in classes)
    found = _by_number(one, other) or _by_mark(one, other)
    if found is None and not _of_kinds(_tokens(one), _tokens(other)):
        found = _by_denial(one, other) or _by_words(_tokens(one), _tokens(other))
    return None if found is None else Told(classes[found[0]], classes[found[1]])


def _plain(name: str) -> str:
    """Without accents: `bénin` -> `benin`, `nævus` -> `naevus`."""
    spelled = name.replace("æ", "ae").replace("Æ", "Ae").replace("œ", "oe")
    return "".join(c for c in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(c))


def _tokens(name: str) -> list[str]:
    """Words and numbers in small letters: `CT_NonCOVID` -> ct, non, covid; known words are never cut."""
    tokens: list[str] = []
    for piece in re.findall(r"[^\W_]+", name):
        small = piece.lower()
        if _known(small):
            tokens.append(small)
            continue
        parts = re.findall(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+", piece)
        tokens += [part.lower() for part in parts]
    return tokens


def _known(word: str) -> bool:
    return word in HEALTHY | ACRONYMS | BENIGN | NAMED_BENIGN | NAMED_MALIGNANT | FOUND or (
        word.endswith("s") and word[:-1] in ACRONYMS
    )


def _joined(name: str) -> str:
    return "".join(_tokens(name))


def _by_number(one: str, other: str) -> tuple[int, int] | None:
    """Of 0 and 1, and of a grade 0 and a higher one: the higher; -1 counts as 0."""
    numbers, stems = [], []
    for name in (one, other):
        found = _stem_and_number(name.lower())
        if found is None:
            return None
        stems.append(re.sub(r"[\W_]+", "", found[0]))
        numbers.append(found[1])
    low, high = sorted(numbers)
    if stems[0] != stems[1] or low > 0 or low == high:
        return None
    if stems[0] in NUMBERED:
        return None
    if {low, high} != {0, 1} and not (low == -1 and high == 1) and not LEVELS.fullmatch(stems[0]):
        return None
    return numbers.index(high), numbers.index(low)


def _stem_and_number(name: str) -> tuple[str, int] | None:
    """`grade 3.0` -> `grade `, 3; `erminus1` -> `er`, -1; None without a number at the end."""
    whole = name.rstrip("0")
    if whole != name and whole.endswith(".") and whole[-2:-1].isdecimal():
        name = whole[:-1]
    start = len(name)
    while start and name[start - 1].isdecimal():
        start -= 1
    stem, digits = name[:start], name[start:]
    if not 0 < len(digits) <= 18:  # longer ones count nothing
        return None
    if stem.endswith("minus"):
        return stem.removesuffix("minus"), -1
    return stem, int(digits)


def _by_mark(one: str, other: str) -> tuple[int, int] | None:
    """`HER2plus` and `HER2minus`, `ERpos` and `ERneg`: one stem with two signs."""
    found = [MARKED.fullmatch(re.sub(r"[\W_]+", "", name.lower())) for name in (one, other)]
    if found[0] is None or found[1] is None or found[0]["stem"] != found[1]["stem"]:
        return None
    if found[0]["stem"] in MISLEADING["negative"]:
        return None
    plus = [match["sign"] in ("plus", "positive", "pos") for match in found if match]
    return None if plus[0] == plus[1] else (plus.index(True), plus.index(False))


def _by_denial(one: str, other: str) -> tuple[int, int] | None:
    """A name that is the other with a denial before it: `notumor` and `tumor`, `NONCOVID` and `COVID`."""
    joined = ("".join(_tokens(one)), "".join(_tokens(other)))
    for without, with_ in ((0, 1), (1, 0)):
        stem = joined[with_]
        if _level_of(stem) > Meaning.BENIGN and joined[without] in {denial + stem for denial in ("no", "non", "not")}:
            return with_, without
    return None


def _of_kinds(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one name is the other with a `non-` that makes another kind: `small-cell` and `non-small-cell`."""

    def differ(mine: Sequence[str], its: Sequence[str]) -> bool:
        joined, stem = "".join(mine), "".join(its)
        first = its[0] if its else ""
        return first in SUBTYPES and joined in {denial + stem for denial in ("no", "non", "not")}

    return differ(one, other) or differ(other, one)


def _by_words(one: Sequence[str], other: Sequence[str]) -> tuple[int, int] | None:
    """By what the words mean in which the names differ."""
    tokens = [one, other]
    own = [_differing(tokens[0], tokens[1]), _differing(tokens[1], tokens[0])]
    alone = [[tokens[k][place] for place in own[k]] for k in (0, 1)]
    for pair in SINGLE:
        if all(len(words) == 1 and words[0] in pair for words in alone) and alone[0] != alone[1]:
            positive = [pair[words[0]] for words in alone].index(Meaning.FOUND)
            return positive, 1 - positive
    for k in (0, 1):
        if not own[k] and any(word in DENIALS for word in alone[1 - k]):
            own[k] = list(range(len(tokens[k])))  # `normal` beside `not normal`: all that the one name has
    found = [_meaning(tokens[k], own[k], tokens[1 - k]) for k in (0, 1)]
    low, high = (0, 1) if found[0] < found[1] else (1, 0)
    if not _plainly(found[low], found[high]):
        return None
    return high, low if found[low] <= Meaning.NAMED_BENIGN else high


def _plainly(low: Meaning, high: Meaning) -> bool:
    """Whether these two meanings tell beyond doubt which of the classes is positive."""
    if low is high:
        return False
    if low is Meaning.WITHOUT:
        return True
    if low is Meaning.BENIGN:
        return high is not Meaning.NAMED_BENIGN
    if low is Meaning.NAMED_BENIGN:
        return high >= Meaning.NAMED_MALIGNANT
    return low in (Meaning.UNTOLD, Meaning.NAMED_MALIGNANT) and high is Meaning.FOUND


def _differing(mine: Sequence[str], others: Sequence[str]) -> list[int]:
    """Places of the words that the other name lacks."""
    left = list(others)
    places = []
    for place, word in enumerate(mine):
        if word in left:
            left.remove(word)
        else:
            places.append(place)
    return places


def _meaning(tokens: Sequence[str], own: Sequence[int], others: Sequence[str]) -> Meaning:
    """What the words at the places `own` mean, of a name beside the `others` of the other name."""
    if [tokens[place] for place in own] == ["n"] and len(tokens) > 1:
        return Meaning.WITHOUT  # colon_n beside colon_aca
    hits: list[Meaning] = []
    place = 0
    while place < len(tokens):
        word = tokens[place]
        if word in DENIALS:
            scope = list(takewhile(lambda next_word: next_word not in DENIALS, tokens[place + 1 :]))
            if scope and scope == list(others) and scope[0] not in SUBTYPES and _level_of(scope[0]) > Meaning.BENIGN:
                return Meaning.WITHOUT  # whatever else is said: it is without what the other is
            touched = any(place <= k <= place + len(scope) for k in own)
            if touched and not (scope and scope[0] in SUBTYPES) and not _numbered(scope):
                hits.append(_denied(scope))
            place += 1 + len(scope)
            continue
        if place in own:
            if word in ("negative", "absence") and tokens[place + 1 : place + 2] in (["for"], ["of"]):
                return Meaning.WITHOUT
            hits.append(_word(tokens, place, len(own), others))
        place += 1
    return _together(hits)


def _numbered(scope: Sequence[str]) -> bool:
    """`No. 1`: a number and no denial."""
    return len(scope) == 1 and scope[0].isdigit()


def _denied(scope: Sequence[str]) -> Meaning:
    """`not normal` is a finding, and `no abnormality` is none."""
    return Meaning.FOUND if scope and _level_of(scope[0]) <= Meaning.BENIGN else Meaning.WITHOUT


def _word(tokens: Sequence[str], place: int, words: int, others: Sequence[str]) -> Meaning:
    """What one word means where it stands."""
    word = tokens[place]
    before, behind = tokens[place - 1] if place else "", tokens[place + 1] if place + 1 < len(tokens) else ""
    if before in MISLEADING.get(word, ()) or behind in KINDS.get(word, ()):
        return Meaning.UNTOLD
    if (word in NAMES_ONE and words > 1) or (word == "free" and behind):
        return Meaning.UNTOLD
    single = word.removesuffix("s")
    if (word in ACRONYMS or single in ACRONYMS) and words == 1:
        return Meaning.WITHOUT
    if word == "0" and words == 1 and not any(other.isdigit() for other in others):
        return Meaning.WITHOUT
    found = _level_of(word)
    if found is not Meaning.UNTOLD:
        return found
    for denial in ("non", "not", "no"):
        rest = word.removeprefix(denial)
        if rest == word or len(rest) < 2 or rest in SUBTYPES:
            continue
        if _level_of(rest) <= Meaning.BENIGN:
            return Meaning.FOUND
        if rest in FINDINGS or rest in others or (denial == "non" and len(rest) > 3):
            return Meaning.WITHOUT
    return Meaning.UNTOLD


def _level_of(word: str) -> Meaning:
    """What a word means by itself."""
    for words, meaning in (
        (HEALTHY, Meaning.WITHOUT),
        (BENIGN, Meaning.BENIGN),
        (NAMED_BENIGN, Meaning.NAMED_BENIGN),
        (FOUND, Meaning.FOUND),
        (NAMED_MALIGNANT, Meaning.NAMED_MALIGNANT),
    ):
        if word in words:
            return meaning
    if word.endswith("negative"):
        return Meaning.WITHOUT
    if word.endswith("positive"):
        return Meaning.FOUND
    return Meaning.NAMED_MALIGNANT if word.endswith(("carcinoma", "sarcoma", "blastoma")) else Meaning.UNTOLD


def _together(hits: Sequence[Meaning]) -> Meaning:
    """Several words together; such that contradict each other tell nothing."""
    said = [meaning for meaning in hits if meaning is not Meaning.UNTOLD]
    if not said:
        return Meaning.UNTOLD
    low, high = min(said), max(said)
    if low is Meaning.WITHOUT:
        return Meaning.UNTOLD if high is Meaning.FOUND else low
    if low is Meaning.BENIGN and high >= Meaning.NAMED_MALIGNANT:
        return Meaning.UNTOLD
    return high if high >= Meaning.NAMED_MALIGNANT else low
