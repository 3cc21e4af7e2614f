"""Every command on a home that this user may not write, may not read, or that is none: an answer or one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.store import index
from engine.store.home import REPOSITORY, Home
from engine.store.runs import list_runs
from tests.fabricated import make_everything

SCRIPT = """
import io, json, os, sys, contextlib
asked, drop = json.loads(sys.argv[1]), sys.argv[2] == "drop"
import engine.cli.main as cli, engine.cli.doctor, engine.cli.explore, engine.sampling.sampler, engine.report.html
import engine.report.outcome_report, engine.review.agreement, engine.sampling.export
import timeit, scipy.stats.qmc  # nobody may not be allowed to read Python's own folder
scipy.stats.qmc.Sobol(1)
if drop:
    os.setgid(65534), os.setuid(65534)  # nobody
os.chdir("/")
for home, command in asked:
    os.environ["ERSATZ_HOME"] = home
    sys.argv = ["engine", *command]
    out, err = io.StringIO(), io.StringIO()
    cli.notices.file = err
    cli.console.file = out
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = repr(error)
    print(json.dumps([home, command, code, out.getvalue()[-2000:], err.getvalue()]), file=sys.__stdout__)
"""
"""One process for all of them, since it takes seconds to load what they need."""


def commands(ids: dict[str, str]) -> list[list[str]]:
    """Every command that does not open a port or a browser."""
    train, pool, sweep, check = (ids[kind] for kind in ("train", "pool", "sweep", "quality"))
    return [
        words.split()
        for words in (
            "runs",
            "runs --json",
            f"runs {sweep}",
            "queue",
            f"queue {train}",
            f"about {train}",
            f"about {train} --title other",
            f"stop {train}",
            f"delete {train} --yes",
            f"resume {train}",
            "dataset list",
            "dataset list --json",
            "dataset audit phantom",
            "dataset freeze phantom",
            "dataset ledger phantom",
            "dataset positive phantom bleed",
            "dataset folds phantom",
            "dataset delete phantom --yes",
            "dataset import phantom --name other --detach",
            "train phantom --detach",
            f"sample {train} --name other --detach",
            f"quality {pool} --detach",
            f"rank {train} --detach",
            f"sweep {pool} --detach",
            f"sweep judge {sweep}",
            f"exclude {pool} --image images/bleed/000000.png --reason odd",
            f"restore {pool} --image images/bleed/000000.png",
            f"report {sweep}",
            f"outcomes {sweep}",
            f"export {train}",
            "review list",
            f"review begin {pool}",
            "plan list",
            f"submit quality --set name=x --set pool={pool} --set dataset=phantom --detach",
            "demo --detach",
            f"runs {check}",
            "doctor --home --dry-run",
            "doctor --home",
            "doctor --report /dev/null/report.zip",
        )
    ]


Ending = tuple[str, list[str], object, str, str]
"""Home, command, exit code, and the ends of what it said on stdout and stderr."""


def endings(asked: list[tuple[Path, list[str]]], drop: bool = False) -> list[Ending]:
    """Each command on its home, without the rights of root if these are to be dropped."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent", "ERSATZ_SERVE": "0"}
    given = json.dumps([[str(home), words] for home, words in asked])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, given, "drop" if drop else "keep"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [tuple(json.loads(line)) for line in done.stdout.splitlines() if line.startswith('["/')]


def unlike_one_sentence(found: list[Ending]) -> list[tuple[object, ...]]:
    """Those that are neither an answer nor a sentence with an exit code that says that it is known what is wrong."""
    return [
        (home, words, code, err[-400:])
        for home, words, code, out, err in found
        if not isinstance(code, int) or code == 70 or "Traceback" in out + err
    ]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user")
def test_a_home_of_somebody_else(home: Home, tmp_path: Path) -> None:
    sweep = make_everything(home, quality=True)
    ids = {run.name.split("-")[2]: run.name for run in sorted(home.runs.iterdir())} | {"sweep": sweep.id}
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o755)  # pytest's are for their owner alone
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    before = {path: path.stat().st_mtime_ns for path in home.root.rglob("*")}
    found = endings([(at, words) for at in (home.root, closed) for words in commands(ids)], drop=True)
    assert unlike_one_sentence(found) == []
    assert {path: path.stat().st_mtime_ns for path in home.root.rglob("*")} == before
    wanted = ("runs", f"runs {sweep.id}", "dataset list", "queue", "review list", "plan list")
    refused = {" ".join(words): (code, err) for at, words, code, _, err in found if code and at == str(home.root)}
    assert {words: refused[words] for words in wanted if words in refused} == {}


def test_a_home_that_is_none(tmp_path: Path) -> None:
    missing, file, odd = (tmp_path / name for name in ("missing", "file", "odd"))
    file.write_text("x")
    odd.mkdir()
    for name in ("runs", "datasets", "ledger", "locks", "uploads", "ersatz.db"):
        (odd / name).write_text("x")
    (odd / "team.db").mkdir()
    ids = dict.fromkeys(("train", "pool", "sweep", "quality"), "20260101-000000-none-00000000")
    asked = [words for words in commands(ids) if words[0] != "demo" and words[1:2] != ["import"]]
    found = endings([(home, words) for home in (missing, file, file / "below", odd) for words in asked])
    assert len(found) == 4 * len(asked)
    assert unlike_one_sentence(found) == []


def test_the_index_of_a_home_with_odd_letters_in_its_path(tmp_path: Path) -> None:
    home = Home(tmp_path / "who?what=%41&[x]*#y")
    sweep = make_everything(home)
    assert len(index.entries(home)) == 4
    assert home.database.is_file() and [path.name for path in tmp_path.iterdir()] == [home.root.name]
    index.enqueue(home, sweep.id)
    assert index.queue(home) == [sweep.id]


def test_a_clock_that_jumps_back_does_not_reorder_the_queue(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    make_everything(home)
    first, second, third = (run.id for run in list_runs(home)[:3])
    for run_id, now in ((first, 2000.0), (second, 1000.0), (third, 1500.0)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        index.enqueue(home, run_id)
    assert index.queue(home) == [first, second, third]
    index.reorder(home, [third, first, second])
    assert index.queue(home) == [third, first, second]
