"""`sweep extend`: what is asked for, and what is not."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from engine.cli import main
from engine.jobs.commands import sweep_command
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.sweep.extension import extended
from tests.fabricated import make_dataset, make_pool_run, make_sweep, make_training


def test_a_finished_sweep_goes_on_under_its_own_settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERSATZ_HOME", str(home.root))
    make_dataset(home)
    run = make_sweep(
        home,
        make_pool_run(home, [make_training(home, name) for name in ("bleed", "normal")]),
        settings={"looks": (8, 16)},
    )
    config = extended(run, 16)
    assert (config.seeds, config.extends, config.looks, config.stop_at_claim) == (16, run.id, (8, 16), False)
    words = sweep_command(config, 0).words
    assert " ".join(words) == f"sweep extend {run.id} --seeds 16"
    asked = []
    monkeypatch.setattr(main.jobs, "submit", lambda home, config, place: asked.append(config) or run)
    result = CliRunner().invoke(main.app, [*words, "--detach"])
    assert (result.exit_code, asked) == (0, [config]), result.output
    with pytest.raises(ErsatzError, match="such as the next planned look, 16"):
        extended(run, 8)
