"""What a look at much costs, counted and not timed: rows that reach Plotly, bytes read again, looks at files."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.configs import DcganConfig
from engine.report.figures import figure_losses
from engine.report.thinning import MAX_POINTS, kept_places
from engine.report.training_rows import MANY_BYTES, Rows
from engine.store.home import Home
from engine.store.runs import Run, State, create_run, list_runs
from pages.components.run_summary import curve, summaries_of
from pages.train.reading import read_rows
from tests.fabricated import set_state


def make_run(home: Home, seed: int = 0) -> Run:
    config = DcganConfig(dataset="phantom", class_name="bleed", seed=seed)
    return set_state(create_run(home, config.plain(), "train"), State.FINISHED)


def test_a_summit_of_one_tick_is_drawn_and_no_more_than_so_many_points() -> None:
    losses = np.random.default_rng(0).normal(1, 0.1, 200_000)
    losses[123_457], losses[77_777] = 50.0, -50.0
    rows = Rows({"kimg": np.arange(200_000.0), "g_loss": losses, "d_loss": np.ones(200_000)}, {}, 200_000)
    drawn, _ = figure_losses(rows).data
    assert len(drawn.x) == MAX_POINTS and (drawn.x[0], drawn.x[-1]) == (0, 199_999)
    assert (max(drawn.y), min(drawn.y)) == (50, -50)


def test_a_gap_in_a_long_curve_stays() -> None:
    heights = np.ones(50_000)
    heights[30_000:30_010] = np.nan
    kept = kept_places(heights)
    assert np.isnan(heights[kept]).sum() == 1 and len(np.unique(kept)) == MAX_POINTS


def test_only_what_is_new_is_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(home)
    row = {"kimg": 1.0, "g_loss": 0.5, "note": "text", "padding": 0.123456789}
    lines = [json.dumps(row | ({"kid": 0.1} if tick % 100 == 0 else {})) + "\n" for tick in range(3000)]
    run.metrics_path.write_text("".join(lines))
    read: list[int] = []
    plain = Run.read_metrics_lines

    def counted(self: Run, offset: int = 0, most: int = -1) -> tuple[bytes, int]:
        found = plain(self, offset, most)
        read.append(len(found[0]))
        return found

    monkeypatch.setattr(Run, "read_metrics_lines", counted)
    first = read_rows(run)
    assert sum(read) == run.metrics_path.stat().st_size > MANY_BYTES
    assert (len(first), len(first.with_field("kid")), first[100]["kid"], "kid" in first[101]) == (3000, 30, 0.1, False)
    read.clear()
    run.append_metrics({**row, "g_loss": float("nan")})
    rows = read_rows(run)
    assert 0 < sum(read) < 200 and len(rows) == 3001 and np.isnan(rows[-1]["g_loss"])
    read.clear()
    assert read_rows(run) is rows and sum(read) == 0


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"text"', "null"])
def test_what_one_parser_does_not_know_the_other_reads(value: str) -> None:
    content = "".join(f'{{"kimg": {tick}, "g_loss": {value if tick == 3 else 1}}}\n' for tick in range(5000)).encode()
    assert len(content) > MANY_BYTES
    rows = Rows.parse(content)
    assert len(rows) == 5000 and rows.column("kimg").sum() == sum(range(5000))
    assert ("g_loss" in rows[3]) == (value in ("NaN", "Infinity"))


def test_a_list_looks_at_few_files_of_each_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        make_run(home, seed)
    summaries_of(list_runs(home))
    looks: Counter[str] = Counter()
    plain = os.stat

    def counted(path: str | Path | int, *arguments: object, **options: object) -> os.stat_result:
        looks[str(path)] += 1
        return plain(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", counted)
    seen = summaries_of(list_runs(home))
    assert all(
        (one.title, one.dataset, curve(one.run, one.kind)) == ("Train phantom · bleed", "phantom", []) for one in seen
    )
    of_runs = sum(count for path, count in looks.items() if "/runs/" in path)
    assert of_runs <= 7 * len(seen), looks.most_common(5)
