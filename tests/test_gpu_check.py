"""The check that needs a GPU: what can be held of it without one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu.common import Figures, Skipped
from engine.store.home import REPOSITORY


def test_the_document_tells_of_every_section_in_their_order() -> None:
    text = (REPOSITORY / "docs" / "gpu.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == 2 * gpu_check.NAMES  # what it proves; what was seen
    assert all(section.__doc__ for section in gpu_check.SECTIONS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "gpu_check needs a CUDA GPU, and torch .* finds none here; docs/gpu.md says how"),
        (["graphs", "--quick"], "gpu_check needs a CUDA GPU"),
        (["grafs"], "There is no section grafs; expected some of machine, derivatives"),
    ],
)
def test_it_says_in_one_sentence_why_it_cannot_run(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_check", *arguments])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=sentence):
        gpu_check.main()


def test_sections_run_one_by_one_whatever_the_one_before_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def first(found: Figures, quick: bool) -> None:
        found["quick"] = quick

    def second(found: Figures, quick: bool) -> None:
        found["rate"] = 3.5
        raise AssertionError("too slow")

    def third(found: Figures, quick: bool) -> None:
        raise Skipped("there is none")

    monkeypatch.setattr(gpu_check, "SECTIONS", (first, second, third))
    monkeypatch.setattr(gpu_check, "release", lambda: None)
    monkeypatch.setattr(gpu_check, "set_arithmetic", lambda device: None)
    out = tmp_path / "new" / "figures.json"
    assert gpu_check.run_sections([], True, out) == ["second"]
    content = json.loads(out.read_text())
    assert content["sections"] == {"first": "OK", "second": "FAIL", "third": "SKIPPED, because there is none"}
    assert (content["first"], content["second"]) == ({"quick": True}, {"rate": 3.5})
    shown = capsys.readouterr()
    assert "=== third SKIPPED" in shown.out and "too slow" in shown.err
    assert gpu_check.run_sections(["third"], False, None) == []
