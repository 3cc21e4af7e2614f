"""`sweep extend`: what is asked for, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.cli.extending import extension
from engine.jobs.commands import sweep_command
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests.fabricated import make_dataset, make_pool_run, make_sweep, make_training


def test_a_finished_sweep_goes_on_under_its_own_settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERSATZ_HOME", str(home.root))
    make_dataset(home)
    run = make_sweep(
        home,
        make_pool_run(home, [make_training(home, name) for name in ("bleed", "normal")]),
        settings={"looks": (8, 16)},
    )
    config = extension([run.id], {"seeds": 16})
    assert (config.seeds, config.extends, config.looks, config.stop_at_claim) == (16, run.id, (8, 16), False)
    assert " ".join(sweep_command(config, 0).words) == f"sweep extend {run.id} --seeds 16"
    wrong: list[tuple[list[str], dict[str, Any], str]] = [
        ([], {"seeds": 16}, "expected `sweep extend RUN --seeds N`"),
        ([run.id], {}, "expected `sweep extend RUN --seeds N`"),
        ([run.id], {"seeds": 16, "lr": 0.1}, "--lr was given"),
        ([run.id], {"seeds": 8}, "such as the next planned look, 16"),
    ]
    for runs, settings, told in wrong:
        with pytest.raises(ErsatzError, match=told):
            extension(runs, settings)
