"""What a check and a ranking leave is read as it was written, and as earlier versions wrote it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from engine.quality.quality_scores import Counts, Extractor, MemorisationMeasure, PoolScore, QualityScores, rows_table
from engine.quality.snapshot_ranking import RankedSnapshot, Ranking
from engine.store.errors import ErsatzError

FOUND = QualityScores(
    pool="p",
    dataset="d",
    dataset_fingerprint="f",
    pool_sha256="s",
    extractor=Extractor(name="pixels"),
    counts=Counts(train=4, valid=2, pool=3),
    scores=(PoolScore(class_name="a", metric="kid", value=0.1, n_real=4, n_synthetic=3),),
    memorisation=(MemorisationMeasure(measure="c_t", value=-1.5, expected=0.0, n=3),),
    flags={"copy": 1, "near-copy": 0, "repeat": 0},
    sentences=("One copy.",),
    limits=(),
)
SNAPSHOTS = tuple(
    RankedSnapshot(snapshot=f"n{kimg}", kimg=kimg, kid=kid, low=kid - 0.1, high=kid + 0.1)
    for kimg, kid in ((1, 0.5), (2, 0.2), (3, 0.3))
)


def test_a_check_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    FOUND.write_to(path)
    assert QualityScores.read(path).plain() == FOUND.plain()
    (row,) = json.loads(path.read_text())["scores"]
    assert (row["class"], row["low"], row["floor"]) == ("a", None, None)
    assert list(rows_table(FOUND.scores))[:3] == ["class", "metric", "value"]


def test_a_check_of_before_lacks_what_came_later(tmp_path: Path) -> None:
    values = FOUND.plain()
    for name in ("version", "excluded"):
        del values[name]
    values["extractor"] = {"name": "pixels"}
    del values["scores"][0]["note"]
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(values))
    found = QualityScores.read(path)
    assert found.plain() == FOUND.plain()
    assert (found.flagged("copy"), found.of_class("").keys()) == (1, {"c_t"})
    assert math.isnan(found.scores[0].floor) and found.memorisation[0].floor == 0


def test_a_ranking_is_read_as_it_was_written_and_as_a_list_alone(tmp_path: Path) -> None:
    path = tmp_path / "ranking.json"
    ranking = Ranking(snapshots=SNAPSHOTS)
    ranking.write_to(path)
    assert Ranking.read(path) == ranking
    path.write_text(json.dumps([row.plain() for row in SNAPSHOTS]))
    assert Ranking.read(path) == ranking
    assert (ranking.best.snapshot, ranking.last.snapshot) == ("n2", "n3")
    path.write_text('[{"snapshot": "n1"}]')
    with pytest.raises(ErsatzError, match=r"snapshots\.0\.kimg: Field required"):
        Ranking.read(path)
