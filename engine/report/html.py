"""The report of a sweep: one HTML file that works offline, with the numbers behind its figures as CSV beside it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io
import plotly.offline
from markupsafe import Markup
from PIL import Image

from engine.report.dataset_figures import class_counts
from engine.report.figures import (
    figure_augmentation,
    figure_class_counts,
    figure_confusion,
    figure_d_outputs,
    figure_differences,
    figure_kid,
    figure_losses,
    figure_sweep,
)
from engine.report.limits import limits
from engine.report.provenance import machine, parents
from engine.report.sources import GeneratorSource, Sources, read_sources
from engine.report.tables import (
    METRICS,
    all_cells,
    comparison_table,
    confusion_of,
    present_metrics,
    readable_cells,
    readable_comparisons,
    show_share,
)
from engine.store.files import write_text
from engine.store.runs import Run

WALL_IMAGES = 12
WALL_PIXELS = 96


def write_report(run: Run) -> Path:
    """Write `report.html` and its CSV files into the folder of a finished sweep; returns the path of the HTML."""
    sources = read_sources(run)
    tables = report_tables(sources)
    for name, table in tables.items():
        write_text(run.path / f"{name}.csv", table.to_csv(index=False))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("report.html.jinja").render(_content(sources, list(tables)))
    path = run.path / "report.html"
    write_text(path, page)
    return path


def report_tables(sources: Sources) -> dict[str, pd.DataFrame]:
    """The numbers of every figure in the report, by the name of their CSV file."""
    tables = {
        "trials": sources.trials.drop(columns="scores", errors="ignore"),
        "cells": all_cells(sources.trials),
        "comparisons": comparison_table(sources.summary),
    }
    if sources.dataset is not None:
        tables["class_counts"] = class_counts(sources.dataset.manifest).reset_index()
    if sources.generators:
        tables["training"] = pd.concat(
            [pd.DataFrame(generator.rows).assign(run=generator.run.id) for generator in sources.generators]
        )
    return tables


def _content(sources: Sources, csv_names: list[str]) -> dict[str, Any]:
    summary, config = sources.summary, sources.config
    comparisons = comparison_table(summary)
    phantom = sources.dataset is not None and sources.dataset.is_phantom
    return {
        "title": config.name,
        "phantom": phantom,
        "config": config,
        "summary": summary,
        "verdict": summary["verdict"],
        "majority": METRICS["accuracy"].show(summary["majority_accuracy"]),
        "figure_sweep": _inline(figure_sweep(sources.trials, summary)),
        "figure_differences": _inline(figure_differences(comparisons)),
        "confusions": _confusions(sources),
        "cells": _table(readable_cells(sources.trials)),
        "measures": [METRICS[metric] for metric in present_metrics(sources.trials)],
        "comparisons": _table(readable_comparisons(comparisons[comparisons["metric"] == "accuracy"])),
        "other_comparisons": _table(readable_comparisons(comparisons[comparisons["metric"] != "accuracy"])),
        "dataset": sources.dataset,
        "figure_counts": _inline(figure_class_counts(sources.dataset.manifest)) if sources.dataset else "",
        "findings": _findings(sources),
        "generators": [_generator(generator) for generator in sources.generators],
        "walls": _walls(sources),
        "limits": limits(sources.config, summary, phantom, sources.unknown_start),
        "missing": sources.missing,
        "parents": parents(sources),
        "machine": machine(),
        "csv_names": csv_names,
        "plotly_js": Markup(plotly.offline.get_plotlyjs()),
    }


def _inline(figure: go.Figure) -> Markup:
    """A figure as HTML that uses the one copy of Plotly in the page; Plotly escapes `<`, `>` and `/` itself."""
    html = plotly.io.to_html(
        figure, full_html=False, include_plotlyjs=False, config={"responsive": True, "displaylogo": False}
    )
    return Markup(html)


def _table(table: pd.DataFrame) -> Markup:
    return Markup(table.to_html(index=False, border=0, justify="left"))


def _confusions(sources: Sources) -> list[Markup]:
    """Confusion matrices summed over the seeds: real only, beside the largest share of synthetic images."""
    trials, classes = sources.trials, sources.summary["classes"]
    synthetic = trials[trials["arm"] == "real+synthetic"]
    cells = [("real", trials[trials["arm"] == "real"])]
    if not synthetic.empty:
        largest = synthetic["ratio"].max()
        cells.append((f"real+synthetic, {show_share(largest)} added", synthetic[synthetic["ratio"] == largest]))
    return [
        _inline(figure_confusion(confusion_of(cell), classes, f"{name}: sum over {len(cell)} seeds"))
        for name, cell in cells
    ]


def _findings(sources: Sources) -> list[dict[str, Any]]:
    return sources.dataset.info["audit"].get("findings", []) if sources.dataset else []


def _generator(generator: GeneratorSource) -> dict[str, Any]:
    last = generator.rows[-1] if generator.rows else {}
    figures = [figure_losses, figure_d_outputs]
    figures += [figure_augmentation] if "augment_p" in last else []
    figures += [figure_kid] if any("kid" in row for row in generator.rows) else []
    return {
        "gan": generator.info["gan"],
        "title": f"{generator.info['architecture']} · {', '.join(generator.info['classes'])}",
        "info": generator.info,
        "config": generator.config,
        "status": generator.status,
        "kimg": generator.info["kimg"],
        "minutes": last.get("seconds", 0.0) / 60,
        "figures": [_inline(build(generator.rows)) for build in figures],
    }


def _walls(sources: Sources) -> list[dict[str, Any]]:
    """The first images of each class of the pool beside the first real training images."""
    if sources.pool is None or sources.dataset is None:
        return []
    pool, dataset = sources.pool, sources.dataset
    walls = []
    for name in pool.classes:
        reals = dataset.pixels(dataset.rows("train", name).head(WALL_IMAGES))
        fakes = pool.pixels(pool.rows(name).head(WALL_IMAGES))
        walls.append(
            {
                "name": name,
                "reals": [_data_uri(image) for image in reals],
                "fakes": [_data_uri(image) for image in fakes],
            }
        )
    return walls


def _data_uri(pixels: np.ndarray) -> str:
    """An image `[H, W, C]` as the text of a PNG, at most `WALL_PIXELS` wide."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((WALL_PIXELS, WALL_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
