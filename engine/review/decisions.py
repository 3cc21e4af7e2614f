"""Accept or reject: what reviewers decided of a pool's images, and taking the rejected ones out of the pool."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Literal, get_args

import pandas as pd
from sqlalchemy import func, select

from engine.review.store import DECISIONS, add, checked_name, checked_reason, read
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home

ACCEPT: Final = "accept"
REJECT: Final = "reject"
UNDECIDED: Final = ""
Decision = Literal["accept", "reject", ""]
Rule = Literal["any", "majority", "all"]
RULES: dict[Rule, str] = {
    "any": "one reviewer rejected it",
    "majority": "more than half of those who decided on it rejected it",
    "all": "everybody who decided on it rejected it",
}
REASONS = ("wrong anatomy", "artefact", "looks like another class", "blurred", "copy of a real image")
"""What is usually wrong; reviewers may give others."""
BY_REVIEW = "rejected by "
"""How the reason of an image begins, in the manifest of its pool, that left it by review alone."""
COLUMNS = ["path", "reviewer", "decision", "reason", "time"]


def decide(pool: Pool, paths: Sequence[str], reviewer: str, decision: Decision, reason: str = "") -> None:
    """Keep a reviewer's decision on images of a pool; the last one counts. A rejection needs a reason."""
    reason = checked_reason(reason)
    if decision not in get_args(Decision) or (decision == REJECT and not reason):
        raise ErsatzError(
            f"The decision {decision!r} with the reason {reason!r} was given; accept, or reject with a reason, is "
            "expected, since the reason is all that later readers will see. Give one."
        )
    if unknown := set(paths) - set(pool.manifest["path"]):
        raise ErsatzError(
            f"{min(unknown)} is not in the pool {pool.run.id}; paths like {pool.manifest['path'].iloc[0]} are expected."
        )
    common = {"time": time.time(), "pool": pool.run.id, "reviewer": checked_name(reviewer)}
    add(
        pool.run.home,
        DECISIONS,
        [{**common, "path": path, "decision": decision, "reason": reason} for path in dict.fromkeys(paths)],
    )


def decisions(home: Home, pool: str) -> pd.DataFrame:
    """Each reviewer's last decision on each image of a pool, undecided ones left out: `COLUMNS`, the oldest first."""
    last = (
        select(func.max(DECISIONS.c.id))
        .where(DECISIONS.c.pool == pool)
        .group_by(DECISIONS.c.reviewer, DECISIONS.c.path)
    )
    statement = (
        select(*(DECISIONS.c[name] for name in COLUMNS))
        .where(DECISIONS.c.id.in_(last), DECISIONS.c.decision != UNDECIDED)
        .order_by(DECISIONS.c.id)
    )
    return pd.DataFrame([tuple(row) for row in read(home, statement)], columns=COLUMNS)


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """One row per image with a decision, by path: accepts, rejects, and why it was rejected, by whom."""
    rejects = table[table["decision"] == REJECT]
    counts = pd.DataFrame(
        {
            "accepts": table[table["decision"] == ACCEPT].groupby("path").size(),
            "rejects": rejects.groupby("path").size(),
            "reason": rejects.groupby("path")[["reviewer", "reason"]].apply(_reason) if len(rejects) else "",
        }
    )
    counts["reason"] = counts["reason"].fillna("").astype(str)
    return counts.fillna(0).astype({"accepts": int, "rejects": int})


def _reason(rejects: pd.DataFrame) -> str:
    """`rejected by Ada, Grace: blurred; artefact`."""
    by = ", ".join(sorted(rejects["reviewer"]))
    return f"{BY_REVIEW}{by}: {'; '.join(dict.fromkeys(rejects['reason']))}"


def rejected(table: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """The rows of `tally` that a rule (see `RULES`) rejects."""
    counts = tally(table)
    match rule:
        case "any":
            return counts[counts["rejects"] > 0]
        case "majority":
            return counts[counts["rejects"] > counts["accepts"]]
        case "all":
            return counts[(counts["rejects"] > 0) & (counts["accepts"] == 0)]
    raise ErsatzError(f"There is no rule {rule!r}; expected one of {', '.join(RULES)}.")


def to_take_out(pool: Pool, table: pd.DataFrame, rule: Rule) -> pd.Series:
    """The reason by path of the images that a rule rejects and that are still in the pool."""
    wanted = rejected(table, rule)["reason"]
    return wanted[wanted.index.isin(pool.rows()["path"])]


def take_out(pool: Pool, rule: Rule) -> list[str]:
    """Exclude what reviewers rejected from the pool, each image with who rejected it and why; returns the paths."""
    reasons = to_take_out(pool, decisions(pool.run.home, pool.run.id), rule)
    for reason, paths in reasons.groupby(reasons):
        pool.exclude(paths.index.tolist(), str(reason))
    return reasons.index.tolist()


def taken_out(pool: Pool) -> list[str]:
    """Paths of the images that left the pool by review alone."""
    excluded = pool.manifest["excluded"]
    return pool.manifest.loc[excluded.str.startswith(BY_REVIEW), "path"].tolist()


def bring_back(pool: Pool) -> list[str]:
    """Restore what left the pool by review alone; what a check or a person excluded stays out. Returns the paths."""
    paths = taken_out(pool)
    pool.restore(paths)
    return paths
