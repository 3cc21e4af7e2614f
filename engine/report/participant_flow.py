"""The way of the images into the sweep: found, left out and why, in which part; and what is not known of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from engine.datasets.dataset import Dataset
from engine.datasets.manifest import is_usable
from engine.datasets.patients import patients_of
from engine.report.reader_study import without_names
from engine.report.style import BLUE, GREY, SPLITS, styled, translucent

PARTS = {"train": "Training", "valid": "Validation", "test": "Test"}
FLOW = ["stage", "part", "class", "reason", "images", "patients", "images_of_unknown_patients"]
MISSING = ["what", "part", "missing", "of"]


def flow_table(dataset: Dataset) -> pd.DataFrame:
    """One row a stage: `stage` (found, excluded, part, class), `part, class, reason, images, patients,
    images_of_unknown_patients`. An image without a known patient counts as an image alone."""
    rows = dataset.manifest.assign(patient=patients_of(dataset))
    usable = is_usable(rows)
    named = {reason: next(iter(without_names({reason: 1}))) for reason in rows.loc[~usable, "excluded"].unique()}
    table = [_row("found", rows)]
    for reason, out in rows[~usable].groupby(rows.loc[~usable, "excluded"].map(named), sort=True):
        table.append(_row("excluded", out, reason=str(reason)))
    kept = rows[usable]
    table.append(_row("used", kept))
    for part in [*PARTS, *sorted(set(kept["split"]) - set(PARTS))]:
        own = kept[kept["split"] == part]
        if own.empty:
            continue
        table.append(_row("part", own, part=part))
        table += [_row("class", of_class, part=part, of_class=str(name)) for name, of_class in own.groupby("class")]
    return pd.DataFrame(table, columns=FLOW)


def _row(stage: str, rows: pd.DataFrame, part: str = "", of_class: str = "", reason: str = "") -> dict[str, object]:
    known = rows["patient"] != ""
    return {
        "stage": stage,
        "part": part,
        "class": of_class,
        "reason": reason,
        "images": len(rows),
        "patients": int(rows.loc[known, "patient"].nunique()),
        "images_of_unknown_patients": int((~known).sum()),
    }


def readable_flow(flow: pd.DataFrame) -> pd.DataFrame:
    """`flow_table` in words."""
    words = {"found": "Found", "used": "Used"}
    return pd.DataFrame(
        {
            "Stage": [
                words.get(row.stage)
                or (f"Left out: {row.reason}" if row.stage == "excluded" else "")
                or (_part(row.part) if row.stage == "part" else f"{_part(row.part)}, {row['class']}")
                for _, row in flow.iterrows()
            ],
            "Images": flow["images"].to_numpy(),
            "Patients": [str(count) if count else "–" for count in flow["patients"]],
            "Images of unknown patients": flow["images_of_unknown_patients"].to_numpy(),
        }
    )


def _part(name: str) -> str:
    return PARTS.get(name, name or "in no part")


def figure_flow(flow: pd.DataFrame) -> go.Figure:
    """The flow as bands whose width is the number of images: found, left out by reason, and the parts by class."""
    found = flow[flow["stage"] == "found"].iloc[0]
    names, colours = [f"Found: {found['images']} images"], [GREY]
    source, target, value, shade = [], [], [], []

    def node(name: str, colour: str) -> int:
        names.append(name)
        colours.append(colour)
        return len(names) - 1

    def link(one: int, other: int, images: int, colour: str) -> None:
        source.append(one)
        target.append(other)
        value.append(images)
        shade.append(translucent(colour, 0.35))

    for row in flow[flow["stage"] == "excluded"].to_dict("records"):
        link(0, node(f"Left out: {row['reason']} ({row['images']})", GREY), row["images"], GREY)
    for part in flow[flow["stage"] == "part"].to_dict("records"):
        colour = SPLITS.get(part["part"], BLUE)
        place = node(f"{_part(part['part'])}: {part['images']}", colour)
        link(0, place, part["images"], colour)
        for _, own in flow[(flow["stage"] == "class") & (flow["part"] == part["part"])].iterrows():
            link(place, node(f"{own['class']}: {own['images']}", colour), int(own["images"]), colour)
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={"label": names, "color": colours, "pad": 14, "thickness": 14},
            link={"source": source, "target": target, "value": value, "color": shade},
        )
    )
    return styled(figure, title="From the images found to those used", x="", y="", keep_zoom="flow", height=420)


def missing_table(dataset: Dataset, columns: Sequence[str] = ()) -> pd.DataFrame:
    """One row a column of metadata, and the patient, and part: how many values are `missing`, `of` how many images.

    `columns` are told first; all others that the source brought follow.
    """
    kept = dataset.manifest[is_usable(dataset.manifest)]
    patient = patients_of(dataset)[kept.index]
    told = [name for name in dict.fromkeys((*columns, *dataset.metadata)) if name in kept]
    values = {"patient": patient, **{name: kept[name].astype(str) for name in told}}
    rows = []
    for name, of_column in values.items():
        for part in [*PARTS, *sorted(set(kept["split"]) - set(PARTS))]:
            there = (kept["split"] == part).to_numpy()
            if there.any():
                rows.append((name, part, int(of_column[there].str.strip().isin(("", "nan")).sum()), int(there.sum())))
    return pd.DataFrame(rows, columns=MISSING)


def readable_missing(missing: pd.DataFrame) -> pd.DataFrame:
    """`missing_table` in words: a row a column, a column a part."""
    wide = {"Not known": list(dict.fromkeys(missing["what"]))}
    for part in dict.fromkeys(missing["part"]):
        own = missing[missing["part"] == part].set_index("what")
        wide[_part(str(part))] = [f"{own.loc[name, 'missing']} of {own.loc[name, 'of']}" for name in wide["Not known"]]
    return pd.DataFrame(wide)
