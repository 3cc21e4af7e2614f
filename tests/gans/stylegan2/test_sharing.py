"""One process and two ranks are the same training, phase by phase and as a whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.gans.distributed import average, first_decides, own_microbatches, rank, take_from_first, world
from engine.gans.snapshots import latest_snapshot
from engine.jobs.ranks import end_ranks, start_ranks
from engine.store.home import REPOSITORY
from engine.store.runs import Run
from tests.gans.stylegan2.conftest import MakeRun
from tests.gans.stylegan2.sharing import PIECES, gradients, train_with_stops
from tests.gans.test_training import assert_same_end, comparable

# Everything that draws: classes, mirroring, mixing, every published augmentation but the one for larger images.
EVERYTHING = {**PIECES, "class_name": "", "conditional": True, "mirror": True, "mirror_vertical": True, "kimg": 0.064}
PHASES = {"g_main", "g_reg", "d_main", "d_reg"}


def as_two_ranks(*arguments: str) -> None:
    """Run `sharing` in two processes that meet over gloo."""
    command = [sys.executable, "-m", "tests.gans.stylegan2.sharing", *arguments]
    ranks = start_ranks(command, 2, REPOSITORY, {**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert [rank.wait(timeout=200) for rank in ranks] == [0, 0]
    finally:
        end_ranks(ranks)


@pytest.mark.slow
def test_two_ranks_are_one_process(make_run: MakeRun, tmp_path: Path) -> None:
    alone, _ = make_run(**EVERYTHING)
    shared, _ = make_run(**EVERYTHING, gpus=2)
    stopped, _ = make_run(**EVERYTHING, gpus=2)
    as_two_ranks(shared.id, stopped.id, str(tmp_path))

    # The gradients of all four phases, and the means beside them.
    ours = gradients(alone)
    assert ours.keys() > PHASES
    for theirs in (torch.load(tmp_path / f"gradients-of-rank-{i}.pt", weights_only=True) for i in range(2)):
        assert theirs.keys() == ours.keys()
        for name, tensor in ours.items():
            assert tensor.abs().max() > 0
            difference = (tensor - theirs[name]).norm() / tensor.norm()
            assert difference < 1e-6, name

    # A whole training, which multiplies rounding.
    train_with_stops(alone)
    assert len(comparable(alone)) == 4
    for row, other in zip(comparable(alone), comparable(shared), strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    ends = [load_file(latest_snapshot(run.path) or "") for run in (alone, shared)]
    for name, tensor in ends[0].items():
        torch.testing.assert_close(tensor, ends[1][name], rtol=1e-3, atol=1e-4, msg=name)

    # Only one of them wrote; stopped twice and resumed, two ranks end in the same bits.
    assert_same_end(stopped, shared)
    assert files(alone) == files(shared)


def files(run: Run) -> set[str]:
    return {str(path.relative_to(run.path)) for path in run.path.rglob("*") if "events" not in path.name}


def test_a_single_process_has_nobody_to_ask() -> None:
    tensor = torch.tensor([1.0, 2.0])
    average([tensor])
    take_from_first([tensor])
    assert tensor.tolist() == [1, 2]
    assert (rank(), world(), first_decides(True), first_decides(False)) == (0, 1, True, False)
    assert list(own_microbatches(8, 2)) == [0, 2, 4, 6]
    assert list(own_microbatches(8, 0)) == [0]


def test_ranks_divide_the_pieces_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.gans.distributed.world", lambda: 2)
    microbatches = []
    for number in range(2):
        monkeypatch.setattr("engine.gans.distributed.rank", lambda number=number: number)
        microbatches += [*own_microbatches(8, 2), *own_microbatches(8, 0)]
    assert microbatches == [0, 2, 0, 4, 6, 4]
