"""Mixed pools: images of several pools in fixed shares, which published work finds better than those of one generator.

The manifest holds them in alternation, so that each beginning of a class has the shares; a sweep draws its subsets the
same way (`alternating`), whatever its seed. What the generators saw is what those of all parents saw together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.configs.pools import MixedPoolConfig
from engine.datasets.dataset import Dataset
from engine.datasets.derived import link
from engine.sampling.pool_info import PoolInfo, PoolOrigin, PoolParent
from engine.sampling.pools import SOURCE, Pool, already_made, write_pool
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run

KNOWN = ("unknown", "training", "hashes", "recorded")
"""What is known of the generators' training images, the least first: a mixture knows no more than the least."""
AT_ONCE = 64


def alternating(parts: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Order `[N]` of images of the parts `[N]` (indices into `shares`) in which every beginning holds the shares.

    The j-th image of a part comes at (j + 1/2) / share: the Webster method, which is never off by more than about one
    image. Within a part the order stays; where a part runs out, the others go on.
    """
    keys = np.empty(len(parts))
    for part, share in enumerate(shares):
        own = np.flatnonzero(parts == part)
        keys[own] = (np.arange(len(own)) + 0.5) / share
    return np.argsort(keys, kind="stable")


def parents_of(home: Home, config: MixedPoolConfig, dataset: Dataset) -> list[Pool]:
    """The pools of the mixture; an `ErsatzError` when one does not fit the others."""
    pools = [Pool.open(Run(home, reference.run)) for reference in config.pools]
    for reference, pool in zip(config.pools, pools, strict=True):
        pool.require_made_for(dataset)
        if reference.sha256 not in ("", pool.sha256):
            raise ErsatzError(f"The pool {reference.run} was changed since the mixture was set up. Set up a new one.")
        if pool.info.control:
            raise ErsatzError(
                f"The pool {reference.run} is a control ({pool.info.control}); pools of synthetic images are expected, "
                "so that no control is taken for a result. Leave it out."
            )
    first = set(pools[0].rows()["class"])
    for pool in pools[1:]:
        if set(pool.rows()["class"]) != first:
            raise ErsatzError(
                f"The pool {pools[0].run.id} has images of {', '.join(sorted(first))}, and {pool.run.id} of "
                f"{', '.join(sorted(set(pool.rows()['class'])))}; the same classes are expected. Mix others."
            )
    return pools


def mixed_rows(pools: Sequence[Pool], config: MixedPoolConfig) -> pd.DataFrame:
    """Rows of the mixture's manifest in alternation, class by class; an `ErsatzError` when there are too few images."""
    tables: list[pd.DataFrame] = []
    for name in sorted(set(pools[0].rows()["class"])):
        own = [pool.rows(name) for pool in pools]
        most = min(int(len(rows) / share + 1e-9) for rows, share in zip(own, config.parts, strict=True))
        wanted = config.images_per_class or most
        if wanted > most:
            have = ", ".join(f"{pool.run.id}: {len(rows)}" for pool, rows in zip(pools, own, strict=True))
            raise ErsatzError(
                f"The pools have images of the class {name} for a mixture of {most} at these shares ({have}), and "
                f"{wanted} are asked for. Ask for fewer, or make larger pools."
            )
        draw = np.random.default_rng([config.seed, len(tables)])
        table = pd.concat([rows.iloc[draw.permutation(len(rows))].assign(part=n) for n, rows in enumerate(own)])
        tables.append(table.iloc[alternating(table["part"].to_numpy(), config.parts)[:wanted]])
    return pd.concat(tables, ignore_index=True)


def mix_pools(run: Run, config: MixedPoolConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Write the mixture; a stopped run begins again and gives the same."""
    if already_made(run):
        return "finished"
    dataset = Dataset.open(run.home, config.dataset)
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This pool")
    pools = parents_of(run.home, config, dataset)
    table = mixed_rows(pools, config)
    disk.remove_tree(run.path / "images")
    numbers: dict[str, int] = {}
    rows = []
    for done, row in enumerate(table.to_dict("records")):
        if done % AT_ONCE == 0:
            report(Progress("images", done, len(table), "images"))
            if should_stop():
                return "stopped"
        pool, name = pools[row["part"]], str(row["class"])
        number = numbers[name] = numbers.get(name, -1) + 1
        path = f"images/{name}/{number:06d}.png"
        link(pool.path / row["path"], run.path / path)
        kept = {key: row[key] for key in ("class", "seed", "generator", "generator_sha256", "sha256")}
        rows.append({"path": path, **kept, "excluded": "", SOURCE: f"{pool.run.id}/{row['path']}"})
    origins = [pool.info.origin for pool in pools]
    info = PoolInfo.made_for(
        dataset,
        name=config.name,
        classes=tuple(name for name in dataset.classes if name in numbers),
        generators=tuple(dict.fromkeys(each for pool in pools for each in pool.info.generators)),
        origin=PoolOrigin(
            kind="mixed",
            trained_on=min((each.trained_on if each else "recorded" for each in origins), key=KNOWN.index),
            made_by="; ".join(dict.fromkeys(each.made_by for each in origins if each and each.made_by)),
            parents=tuple(
                PoolParent(run=pool.run.id, name=pool.info.name, sha256=pool.sha256, share=share)
                for pool, share in zip(pools, config.parts, strict=True)
            ),
            found=tuple(f"{pool.info.name}: {told}" for pool in pools for told in _found(pool)),
            seed=config.seed,
        ),
    )
    write_pool(run, info, set().union(*(pool.training_hashes for pool in pools)), rows)
    report(Progress("images", len(rows), len(rows), "images"))
    return "finished"


def _found(pool: Pool) -> tuple[str, ...]:
    return pool.info.origin.found if pool.info.origin else ()
