"""What the same trials found on a second data set, beside the sweep's own test images: tables and words."""

from __future__ import annotations

import pandas as pd

from engine.report.style import ARMS
from engine.report.tables import comparison_table, measure_of, readable_comparisons, show_share
from engine.sweep.summary_model import Cell, SweepSummary


def external_cells(summary: SweepSummary) -> pd.DataFrame:
    """One row an arm and ratio as numbers: `arm, ratio, n, mean, low, high, external_mean, external_low,
    external_high` in the sweep's metric."""
    assert summary.external is not None
    own = {(cell.arm, cell.ratio): cell for cell in summary.cells}
    return pd.DataFrame([_row(own[cell.arm, cell.ratio], cell) for cell in summary.external.cells])


def _row(own: Cell, external: Cell) -> dict[str, object]:
    named = {f"external_{name}": getattr(external, name) for name in ("mean", "low", "high")}
    return own.model_dump(include={"arm", "ratio", "n", "metric", "mean", "low", "high"}) | named


def readable_external_cells(summary: SweepSummary) -> pd.DataFrame:
    """`external_cells` in words and units."""
    assert summary.external is not None
    table, measure = external_cells(summary), measure_of(summary.metric, summary.positive_class)

    def shown(prefix: str) -> tuple[list[str], list[str]]:
        ends = zip(table[f"{prefix}low"], table[f"{prefix}high"], strict=True)
        return [measure.show(mean) for mean in table[f"{prefix}mean"]], [measure.show_interval(*each) for each in ends]

    own, external = shown(""), shown("external_")
    return pd.DataFrame(
        {
            "Arm": [ARMS[arm].title for arm in table["arm"]],
            "Share": [show_share(ratio) if ratio else "–" for ratio in table["ratio"]],
            "Seeds": table["n"].to_numpy(),
            f"{measure.title} on {summary.dataset}": own[0],
            "95 % interval": own[1],
            f"{measure.title} on {summary.external.dataset}": external[0],
            "its 95 % interval": external[1],
        }
    )


def readable_external_comparisons(summary: SweepSummary) -> pd.DataFrame:
    """The paired comparisons on the external images in words and units."""
    assert summary.external is not None
    found = (*summary.external.comparisons, *summary.external.averages)
    return readable_comparisons(comparison_table(found), summary.positive_class)


def external_words(summary: SweepSummary) -> str:
    """What was read, and what it is worth."""
    external = summary.external
    assert external is not None
    groups = f" of {external.n_groups} patients or groups" if external.n_groups < external.n_images else ""
    return (
        f"Every classifier of this sweep was read on all {external.n_images} images{groups} of {external.dataset} too; "
        "none of them is in the sweep's own data or was seen by a generator. The rule is the same; what it says of "
        "them decides nothing here, and one more data set is one more, not all that there are."
    )
