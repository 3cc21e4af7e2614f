"""Coverage-guided fuzzing of the readers with atheris: `python -m benchmarks.fuzzing csv --seconds 120`.

atheris (libFuzzer for Python) is no requirement of the program; install it into an environment of its own:
`python -m venv --system-site-packages fuzzing && fuzzing/bin/pip install atheris`. It begins with the valid file of a
kind and its hand-written attacks (`tests/hostile`), changes them, and keeps whatever reaches new code. It stops at the
first input that ends in anything but an `ErsatzError` of one line, and leaves it in the folder of `--findings`; such
an input becomes a case in `tests/hostile/corpus.py`, with the mend.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,unused-ignore]

from tests.hostile.corpus import by_hand

INSTRUMENTED = ("engine",)
LARGEST = 2**14
"""Bytes of an input."""


def main() -> None:
    """Fuzz one kind until a finding or the end of the time; libFuzzer prints executions and coverage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "fuzzing")
    arguments = parser.parse_args()
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from engine.store.errors import ErsatzError
        from engine.store.home import Home
        from tests.hostile.reading import READERS, check_sentence
    read = READERS[arguments.kind]
    arguments.findings.mkdir(parents=True, exist_ok=True)
    seeds = Path(tempfile.mkdtemp(prefix="seeds-"))
    for case in by_hand(arguments.kind):
        if len(case.content) <= LARGEST:
            (seeds / case.name).write_bytes(case.content)

    def one(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "given").mkdir()
            try:
                read(content, Path(place) / "given", Home(Path(place) / "home"))
            except ErsatzError as error:
                check_sentence(error)

    limits = [f"-max_total_time={arguments.seconds}", f"-max_len={LARGEST}", "-timeout=10", "-rss_limit_mb=4096"]
    findings = f"-artifact_prefix={arguments.findings}/{arguments.kind}-"
    atheris.Setup([sys.argv[0], *limits, findings, "-print_final_stats=1", str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
