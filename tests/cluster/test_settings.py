"""`cluster.toml`: read, overridden by kind, written, and refused in one sentence."""

from __future__ import annotations

import pytest

from engine.cluster.settings import ClusterSettings, Request, read_settings, require_settings, write_settings
from engine.store.errors import ErsatzError
from engine.store.home import Home


def put(home: Home, content: str) -> None:
    home.root.mkdir(parents=True, exist_ok=True)
    (home.root / "cluster.toml").write_text(content)


def test_a_home_without_the_file_uses_no_cluster(home: Home) -> None:
    assert read_settings(home) is None
    with pytest.raises(ErsatzError, match=r"no .*cluster\.toml.*cluster init"):
        require_settings(home)


def test_what_is_written_is_read_again(home: Home) -> None:
    settings = ClusterSettings(
        partition="gpu",
        gpus="gpu:a100",
        hours=0.5,
        setup=('module load "cuda"', "export A='b\\c'"),
        extra={"exclude": "n[1-3]", "exclusive": ""},
        places={"train": "slurm", "pool": "here"},
        kinds={"sweep": {"gpus": "", "cpus": 2, "extra": {"nice": "5"}}},
    )
    write_settings(home, settings)
    assert read_settings(home) == settings
    text = (home.root / "cluster.toml").read_text()
    assert "# Time limit of a job." in text and "hours = 0.5" in text


def test_a_kind_changes_what_it_names_alone(home: Home) -> None:
    put(home, 'partition = "gpu"\ngpus = "gpu"\ncpus = 8\n[kinds.sweep]\ngpus = ""\ncpus = 2\n')
    settings = require_settings(home)
    assert settings.for_kind("train") == Request(partition="gpu", gpus="gpu", cpus=8)
    assert settings.for_kind("sweep") == Request(partition="gpu", gpus="", cpus=2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("partition = gpu", r"cluster\.toml cannot be read as TOML .*cluster init --replace"),
        ('partitoin = "gpu"', r"cluster\.toml is not valid: partitoin is 'gpu'"),
        ("cpus = 0", "cpus is 0"),
        ('hours = "long"', "hours is 'long'"),
        ('partition = "a b"', "partition is 'a b': a name without spaces"),
        ('gpus = "gpu:2"', "gpus is 'gpu:2': the name of one GPU is expected"),
        ("hours = 0.01\ngrace_seconds = 60", "leave no time before grace_seconds"),
        ('python = "a \'b"', "python is .*a command as in a shell"),
        ('setup = ["a\\nb"]', "setup.0 is .*one line"),
        ('[extra]\noutput = "x"', "output is set by this program"),
        ('[extra]\n"--nice" = "5"', "'--nice' is no option"),
        ('[places]\ntrain = "moon"', "places.train is 'moon'"),
        ('[kinds.train]\npartitoin = "gpu"', "partitoin of train is no field that can differ"),
        ("[kinds.train]\ncpus = 0", "for train: cpus is 0"),
        ('[kinds.train]\nexecutor = "local"', "executor of train is no field that can differ"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(content: str, sentence: str, home: Home) -> None:
    put(home, content)
    with pytest.raises(ErsatzError, match=sentence):
        read_settings(home)
