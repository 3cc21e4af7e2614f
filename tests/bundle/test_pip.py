"""What pip says when it fails, as one sentence. The texts are pip's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bundle.pip import failure, run_pip
from engine.store.errors import ErsatzError

OFFLINE = """
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by \
'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new \
connection: [Errno -3] Temporary failure in name resolution')': /simple/segno/
ERROR: Could not find a version that satisfies the requirement segno>=1.6 (from versions: none)
ERROR: No matching distribution found for segno>=1.6
"""
NO_WHEEL = """
ERROR: Could not find a version that satisfies the requirement nvidia-cusparselt-cu13==0.8.1; platform_system == \
"Linux" (from torch) (from versions: 0.0.0a0)
ERROR: No matching distribution found for nvidia-cusparselt-cu13==0.8.1; platform_system == "Linux"
"""
CONTRADICTION = """
ERROR: Cannot install a==1.0 and b because these package versions have conflicting dependencies.
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/
"""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (OFFLINE, "pip could not reach its package index for HERE; a machine with internet is expected"),
        (NO_WHEEL, "There is no wheel of nvidia-cusparselt-cu13==0.8.1 for HERE. HINT"),
        (CONTRADICTION, "Requirements contradict each other for HERE: a==1.0 and b. HINT"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk became"),
        ("Collecting a\nERROR: Invalid requirement: 'a b'\nhint: see", "pip failed for HERE: Invalid requirement"),
        ("", "pip failed for HERE: it said nothing"),
    ],
)
def test_a_failure_is_one_sentence(said: str, sentence: str) -> None:
    assert failure(said, "HERE", "HINT").startswith(sentence)


def test_pip_itself_without_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nothing listens is as good as no internet."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    words = ["download", "--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "segno"]
    with pytest.raises(ErsatzError, match="pip could not reach its package index for a test"):
        run_pip(words, tmp_path / "temporary", print, "a test")


def test_an_environment_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.bundle.pip.find_spec", lambda name: None)
    with pytest.raises(ErsatzError, match=r"has no pip.*Install it with `python -m ensurepip`"):
        run_pip(["download", "segno"], tmp_path / "temporary", print, "a test")
