"""`summary.json` as a model: what is unknown is null on disk, and what sweeps of before did not keep has a default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json
from engine.sweep.checks import CheckId
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE

FIRST: dict[str, Any] = {
    "dataset": "d",
    "classifier": {"name": "small-cnn"},
    "classes": ["bleed", "normal"],
    "majority_accuracy": 0.5,
    "n_train": 80,
    "n_valid": 40,
    "n_test": 40,
    "seeds": 8,
    "steps": 300,
    "batch": 32,
    "detectable": {"half_width": 0.1, "n_test": 40, "smallest_p": 0.0078, "smallest_p_holm": 0.03},
    "cells": [
        {"arm": "real", "ratio": 0.0, "n": 1, "mean": 0.8, "low": None, "high": None, "n_real": 80, "n_synthetic": 0}
        | {"means": {"accuracy": 0.8, "auroc": None}}
    ],
    "comparisons": [
        {"ratio": 0.5, "against": "real", "metric": "accuracy", "mean_difference": 0.02, "low": None, "high": None}
        | {"p": 0.4, "p_holm": 0.7, "n": 1, "spread": 0.0}
    ],
    "test_noise": {
        "real": {"mean": 0.8, "low": 0.7, "high": 0.9},
        "differences": [{"ratio": 0.5, "against": "real", "mean": 0.02, "low": -0.1, "high": 0.1}],
    },
    "verdict": {"verdict": "no evidence", "sentence": "A quick look.", "needed": "More.", "ratio": 0.5},
}
"""What the first sweeps kept."""


def test_a_summary_of_the_first_sweeps_opens(tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", FIRST)
    summary = SweepSummary.read(tmp_path / "summary.json")
    (comparison,) = summary.comparisons
    assert comparison.arm == "real+synthetic"
    assert comparison.p_corrected == 0.7
    assert summary.rule == FORMER_RULE
    assert math.isnan(comparison.low) and math.isnan(comparison.low_total)
    assert math.isnan(summary.cells[0].means["auroc"])
    assert (summary.metric, summary.level, summary.patients, summary.pool_excluded) == ("accuracy", "image", None, None)
    assert (summary.checks, summary.departures, summary.verdicts, summary.dropped) == ((), (), {}, None)


def test_what_is_unknown_is_null_on_disk_and_read_again(tmp_path: Path) -> None:
    dropped = {"rule": "As published.", "trials": [{"arm": "real", "ratio": 0.0, "seed": 3, "accuracy": 1.0}]}
    dropped["trials"][0]["reason"] = "accuracy of 1"
    stored = FIRST | {
        "checks": [
            {"name": "whole images", "ok": True, "sentence": "It holds."},
            {"id": "of-a-later-version", "name": "something new", "ok": False, "sentence": "It does not."},
        ],
        "departures": [{"name": "few-seeds", "sentence": "Once.", "voids": False}],
        "dropped": dropped | {"cells": []},
    }
    write_json(tmp_path / "summary.json", stored)
    summary = SweepSummary.read(tmp_path / "summary.json")
    assert [check.id for check in summary.checks] == [CheckId.WHOLE_IMAGES, "of-a-later-version"]
    assert summary.departures[0].name == "few-seeds"
    assert summary.dropped is not None and summary.dropped.trials[0].fold == 0

    summary.write_to(tmp_path / "again.json")
    again = read_json(tmp_path / "again.json")
    assert again["comparisons"][0]["low"] is None
    assert again["checks"][0]["id"] == "whole-images"
    assert SweepSummary.read(tmp_path / "again.json").plain() == summary.plain()


@pytest.mark.parametrize(("field", "value"), [("verdict", "helps"), ("comparisons", "none"), ("checks", [1])])
def test_a_damaged_summary_is_refused_by_its_field(tmp_path: Path, field: str, value: Any) -> None:
    write_json(tmp_path / "summary.json", FIRST | {field: value})
    with pytest.raises(ErsatzError, match=rf"summary.json is not as this program writes it \({field}"):
        SweepSummary.read(tmp_path / "summary.json")
