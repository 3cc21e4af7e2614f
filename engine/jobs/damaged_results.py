"""What of a finished run's result can no longer be read, and is made again when the run is resumed.

The functions of the kinds (`RunKind.damaged_result`) return a sentence, empty when all is whole. The dashboard asks
them too, which must be quick: only if `thorough` they read large files whole. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.datasets.manifest import missing_images
from engine.gans.init_source import TRAINING_FILE
from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.quality.snapshot_ranking import RANKING_FILE, Ranking
from engine.sampling.pool_info import INFO_FILE, PoolInfo
from engine.sampling.pools import MANIFEST_FILE, Pool
from engine.store.parquet import read_parquet
from engine.store.repair import UNREADABLE
from engine.store.runs import Run
from engine.store.versioned import LaterVersion
from engine.sweep.rejudging import TRIALS_FILE
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary

Read = Callable[[Path], Any]


def of_quality(run: Run, thorough: bool = False) -> str:
    """Of a quality check."""
    tables = dict.fromkeys(("neighbours.parquet", "embedding.parquet"), _table(thorough))
    return unreadable(run, {SCORES_FILE: QualityScores.read, **tables})


def of_ranking(run: Run, thorough: bool = False) -> str:
    """Of a ranking; what it keeps to go on with is not part of its result."""
    return unreadable(run, {RANKING_FILE: Ranking.read})


def of_sweep(run: Run, thorough: bool = False) -> str:
    """Of a sweep; its figures and its report are made from these."""
    return unreadable(run, {TRIALS_FILE: _table(thorough), SUMMARY_FILE: SweepSummary.read})


def of_pool(run: Run, thorough: bool = False) -> str:
    """Of a pool; of one that was sampled here also the images, which its seeds give again.

    The images are read if `thorough`, and only looked for otherwise.
    """
    pool = Pool(run)
    described: dict[str, Read] = {INFO_FILE: PoolInfo.read, TRAINING_FILE: lambda _: pool.training_hashes}
    if found := unreadable(run, {MANIFEST_FILE: lambda _: pool.manifest, **described}):
        return found
    if run.config().get("origin"):
        return ""
    lost = pool.lost_images() if thorough else missing_images(run.path, pool.manifest)
    what = "missing or damaged" if thorough else "missing"
    return f"{len(lost):,} of {len(pool.manifest):,} images are {what}, such as {lost[0]}." if lost else ""


def _table(thorough: bool) -> Read:
    """Reads a whole Parquet file, or its end alone, which tells what is in it and is missing where it was cut off."""
    return read_parquet if thorough else lambda path: read_parquet(path, columns=[])


def unreadable(run: Run, files: Mapping[str, Read]) -> str:
    """The first of these files of the run that is missing or damaged, in a sentence; empty: none.

    One that a later version of this program wrote is not damaged.
    """
    for name, read in files.items():
        path = run.path / name
        if not path.exists():
            return f"{name} is missing."
        try:
            read(path)
        except LaterVersion:
            continue
        except UNREADABLE as error:
            return f"{name} is damaged: {error}"
    return ""
