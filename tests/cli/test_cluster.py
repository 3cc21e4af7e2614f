"""`cluster init | show`, and what `doctor` says of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.cli import doctor
from engine.cluster.checking import check_cluster
from engine.cluster.settings import ClusterSettings, read_settings, write_settings
from engine.jobs.kinds import kinds
from engine.store.home import Home
from tests.cluster.fake_slurm import NO_CONTROLLER, FakeSlurm, fake_slurm

__all__ = ["fake_slurm"]

Command = Callable[..., Any]


def test_settings_are_proposed_and_written(home: Home, fake_slurm: FakeSlurm, command: Command) -> None:
    ending = command("cluster", "init", "--yes", "--json", "--account", "lab", "--extra", "nice=5")
    assert ending.code == 0
    settings = read_settings(home)
    assert settings is not None and ending.json["settings"] == settings.plain()
    assert (settings.partition, settings.gpus, settings.account) == ("main", "gpu", "lab")
    assert settings.extra == {"nice": "5"}
    assert "--test-only" in fake_slurm.calls("sbatch")[0] and "--account=lab" in fake_slurm.calls("sbatch")[0]

    again = command("cluster", "init", "--yes")
    assert again.code == 1 and "already" in again.err and "--replace" in again.err
    assert command("cluster", "init", "--yes", "--replace", "--partition", "urgent").code == 0
    replaced = read_settings(home)
    assert replaced is not None and (replaced.partition, replaced.account) == ("urgent", "")


def test_what_would_be_written_is_shown_and_asked_for(
    home: Home, fake_slurm: FakeSlurm, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(SystemExit(1)))
    ending = command("cluster", "init")
    assert ending.code == 1 and 'partition = "main"' in ending.err
    assert read_settings(home) is None


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda fake: fake.lacks("sbatch", "sinfo"), "There is no sbatch, sinfo on this machine"),
        (lambda fake: fake.answers("sinfo", error=NO_CONTROLLER, code=1), "The scheduler does not answer"),
        (lambda fake: fake.answers("sinfo"), "None of the 0 partitions"),
        (
            lambda fake: fake.answers("sbatch", error="allocation failure: Invalid account", code=1),
            "may not submit to partition 'main'",
        ),
    ],
)
def test_what_cannot_be_used_is_not_written(
    prepare: Callable[[FakeSlurm], None], sentence: str, home: Home, fake_slurm: FakeSlurm, command: Command
) -> None:
    prepare(fake_slurm)
    ending = command("cluster", "init", "--yes")
    assert ending.code == 1 and sentence in ending.err
    assert not home.root.exists()


def test_without_slurm_it_can_be_tried_out(home: Home, fake_slurm: FakeSlurm, command: Command) -> None:
    fake_slurm.lacks("sbatch", "squeue", "sinfo")
    assert command("cluster", "init", "--yes", "--executor", "local", "--cpus", "1").code == 0
    settings = read_settings(home)
    assert settings is not None and (settings.executor, settings.cpus, settings.places) == ("local", 1, {})
    assert command("cluster", "show", "--json").json["partitions"] == []


def test_a_home_without_a_cluster_has_nothing_to_show(home: Home, command: Command) -> None:
    ending = command("cluster", "show")
    assert ending.code == 1 and "cluster init" in ending.err


def test_settings_partitions_and_jobs_are_shown(home: Home, fake_slurm: FakeSlurm, command: Command) -> None:
    write_settings(home, ClusterSettings(partition="main", gpus="gpu"))
    fake_slurm.answers("squeue", "8|PENDING|Resources||N/A|10:00|main|a-run\n9|RUNNING|None|n1|N/A|10:00|main|[b]\n")
    ending = command("cluster", "show")
    assert (
        "for at most 1 min" in ending.out and "waits for a GPU of partition main" in ending.out and "[b]" in ending.out
    )
    values = command("cluster", "show", "--json").json
    assert [each["name"] for each in values["partitions"]] == ["main", "urgent", "short"]
    assert [each["words"] for each in values["jobs"]] == ["waits for a GPU of partition main", ""]


def states(home: Home) -> dict[str, tuple[str, str]]:
    """What `doctor` finds; its jobs do not import torch here."""
    findings = check_cluster(home, [kind.name for kind in kinds()], "tests.cluster.node_checks:on_cpu")
    return {finding.name: (finding.state, finding.found) for finding in findings}


def test_doctor_asks_only_where_there_is_a_cluster(home: Home, fake_slurm: FakeSlurm) -> None:
    assert doctor._cluster(home) == []
    write_settings(home, ClusterSettings(partition="nosuch"))
    assert [(check.name, check.state) for check in doctor._cluster(home)][2] == ("Partition", "fail")


def test_doctor_says_what_is_wrong(home: Home, fake_slurm: FakeSlurm) -> None:
    write_settings(home, ClusterSettings(partition="short", places={"trian": "slurm"}))
    found = states(home)
    assert found["Cluster"][0] == "fail" and "trian" in found["Cluster"][1]
    assert found["Scheduler"] == ("ok", "answers, with 3 partitions")
    assert found["Partition"][0] == "fail" and "lets jobs take 1 min" in found["Partition"][1]
    assert found["Accounting"][0] == "note"
    assert not any("--wrap" in call for call in fake_slurm.calls("sbatch"))  # nothing was submitted
    assert not home.cache.exists()

    fake_slurm.answers("sinfo", error=NO_CONTROLLER, code=1)
    assert states(home)["Scheduler"][0] == "fail"
    (home.root / "cluster.toml").write_text("cpus = 0")
    assert list(states(home)) == ["Cluster"] and states(home)["Cluster"][0] == "fail"


def test_doctor_tries_a_job(home: Home) -> None:
    write_settings(home, ClusterSettings(executor="local", cpus=1, places={"train": "slurm"}))
    found = states(home)
    assert found["Node"][0] == "ok" and "sees the home" in found["Node"][1]
    assert [state for name, (state, _) in found.items() if name.startswith("Training on")] == ["ok"]
    assert not home.cache.joinpath("cluster-check").exists()

    write_settings(home, ClusterSettings(executor="local", cpus=1, gpus="gpu"))
    told = next(each for name, each in states(home).items() if name.startswith("Training on"))
    assert told[0] == "fail" and "a GPU was asked for as gpu, and torch computes on the CPU" in told[1]


def test_doctor_says_that_the_job_found_another_program(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(home, ClusterSettings(executor="local", cpus=1, gpus="gpu"))
    monkeypatch.setattr("engine.cluster.checking.__version__", "0.0.0")
    found = states(home)
    assert found["Node"][0] == "fail" and "0.0.0 is here" in found["Node"][1]


def test_doctor_does_not_wait_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(home, ClusterSettings(executor="local", cpus=1, setup=("sleep 600",)))
    monkeypatch.setattr("engine.cluster.checking.PATIENCE_SECONDS", 0.0)
    found = states(home)
    assert found["Node"][0] == "note" and "it was cancelled" in found["Node"][1]
    assert not home.cache.joinpath("cluster-check").exists()


def test_doctor_says_how_a_job_failed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cluster.checking.LATE_SECONDS", 0.0)
    write_settings(home, ClusterSettings(executor="local", cpus=1, python="false"))
    found = states(home)
    assert found["Node"][0] == "fail" and "ended without a word" in found["Node"][1]
