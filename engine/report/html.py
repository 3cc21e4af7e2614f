"""The report of a sweep: one HTML file that works offline, with the numbers behind its figures inside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import plotly.io
import plotly.offline
from markupsafe import Markup

from engine.report.beside_part import beside_part
from engine.report.data_facts import (
    known_patients,
    real_tested,
    shared_by_parts,
)
from engine.report.detail_tables import (
    class_table,
    readable_classes,
)
from engine.report.export_tables import KEPT, report_tables
from engine.report.figures import (
    figure_class_counts,
    figure_differences,
)
from engine.report.headline_answers import answers, excluded_images, primary_arm, told
from engine.report.learning_curve_figures import figure_learning_curve, readable_looks
from engine.report.ledger_facts import judged_sentence, ledger_facts, read_before
from engine.report.limits import limits
from engine.report.material_parts import (
    checklist_part,
    data_part,
    generator_part,
    participants_part,
    pool_part,
    readers_part,
)
from engine.report.methods import methods_text
from engine.report.numbered import Numbers, Plot, html_table, inline
from engine.report.outcome_tables import (
    EXPLORATORY,
)
from engine.report.outcomes import scored_sources
from engine.report.pictures import walls
from engine.report.pool_facts import origin_in_words
from engine.report.provenance import machine, parents
from engine.report.result_parts import (
    confusions,
    dropped_part,
    external_part,
    figures_of_sweep,
    means_tables,
    other_verdicts,
    outcomes_part,
    patients_part,
    ranked_part,
    reliability,
    subgroups_part,
    verdict_bar,
)
from engine.report.seed_lines import SCRIPT
from engine.report.sources import Sources, read_sources
from engine.report.sweep_figures import how_to_read, share_note
from engine.report.sweep_words import network_in_words
from engine.report.tables import (
    METRICS,
    comparison_table,
    measure_of,
    p_in_words,
    present_metrics,
    readable_comparisons,
)
from engine.store import disk
from engine.store.csv_cells import table_text
from engine.store.files import disk_errors, replacing, write_text
from engine.store.runs import Run
from engine.sweep.arms import control_of
from engine.sweep.headline import headline


def write_report(run: Run, rejudged: bool = False) -> Path:
    """Write `report.html`, `methods.txt` and every table (CSV and Parquet) into the folder of a finished sweep.

    With `rejudged` they tell of its second judgement, and go into the folder `rejudged` in it. Returns the path of the
    HTML.
    """
    sources = read_sources(run, rejudged=rejudged)
    folder = run.path / "rejudged" if rejudged else run.path
    with disk_errors(folder):
        disk.make_folder(folder)
    tables = report_tables(sources)
    files = {name: table_text(table) for name, table in tables.items()}
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", files[name])
        if name not in KEPT or rejudged:
            with replacing(folder / f"{name}.parquet") as temporary:
                table.to_parquet(temporary, index=False)
    methods = methods_text(sources)
    write_text(folder / "methods.txt", methods + "\n")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("report.html.jinja")
    content, numbers = _content(sources, methods), Numbers(files, run.id)
    template.render(content, n=numbers)  # which figure has which number is known after it
    path = folder / "report.html"
    write_text(path, template.render(content, n=numbers.again()))
    return path


def question(sources: Sources) -> str:
    """What the sweep asks, in a sentence: the title of its report."""
    config, classes = sources.config, sources.summary.classes
    tuned = "fine-tuned " if config.training == "fine-tuned" and config.classifier != "small-cnn" else ""
    network = network_in_words(config.classifier)
    apart = f"{', '.join(classes[:-1])} and {classes[-1]}" if len(classes) > 1 else classes[0]
    return f"Do synthetic images help {tuned}{network} tell {apart} apart in {config.dataset}?"


def _content(sources: Sources, methods: str) -> dict[str, Any]:
    summary, config = sources.summary, sources.config
    metric = summary.metric
    outcomes = scored_sources(sources)
    by_image = None if outcomes is None else outcomes.intervals()
    comparisons = comparison_table(summary.comparisons)
    with_means = comparison_table((*summary.comparisons, *summary.averages))
    of_metric = with_means["metric"] == metric
    phantom = sources.dataset is not None and sources.dataset.is_phantom
    of_verdict = comparisons["metric"] == metric
    effects = [inline(figure) for figure in figures_of_sweep(sources, metric, outcomes)]
    against = [
        inline(figure_differences(comparisons, metric, arm, summary.positive_class))
        for arm in dict.fromkeys(comparisons[of_verdict]["arm"])
    ]
    mistaken = confusions(sources)
    cells, other_metrics = means_tables(sources.trials, metric, by_image, summary.positive_class)
    return {
        "title": question(sources),
        "phantom": phantom,
        "config": config,
        "summary": summary,
        "verdict": summary.verdict,
        "told": told(sources),
        "bar": verdict_bar(sources),
        "answers": answers(sources),
        "others": other_verdicts(sources),
        "controlled": control_of(primary_arm(sources)) in config.arms,
        "majority": METRICS["accuracy"].show(summary.majority_accuracy),
        "sweeps": effects,
        "shown_effect": _keys("effect", effects),
        "reading": f"{share_note(config.arms, config)} {how_to_read()}",
        "seed_lines": Markup(SCRIPT),
        "curve": summary.learning_curve,
        "curve_figure": inline(figure_learning_curve(summary.learning_curve)) if summary.learning_curve else "",
        "looks": html_table(readable_looks(summary.looks)) if summary.looks else "",
        "differences": against,
        "shown_differences": _keys("differences", against),
        "left_pools": excluded_images(sources),
        "pool_facts": [
            sentence
            for source in sources.pools
            if source.pool is not None
            for sentence in (
                *origin_in_words(source.pool.info, len(source.pool.manifest)),
                *(source.pool.info.origin.found if source.pool.info.origin else ()),
            )
        ],
        "ranked": ranked_part(sources),
        "confusions": mistaken,
        "shown_confusions": _keys("confusion", mistaken),
        "reliability": reliability(sources),
        "cells": cells,
        "other_metrics": other_metrics,
        "classes": html_table(readable_classes(class_table(sources.trials, summary.classes))),
        "patients": patients_part(sources, metric, outcomes),
        "outcomes": outcomes_part(sources, outcomes),
        "participants": participants_part(sources),
        "checklist": checklist_part(sources),
        "subgroups": subgroups_part(sources, metric),
        "metric_title": measure_of(metric, summary.positive_class).title,
        "exploratory": EXPLORATORY,
        "measures": [measure_of(name, summary.positive_class) for name in present_metrics(sources.trials)],
        "p_in_words": p_in_words(summary),
        "comparisons": html_table(readable_comparisons(with_means[of_metric], summary.positive_class)),
        "other_comparisons": html_table(readable_comparisons(with_means[~of_metric], summary.positive_class)),
        "external": external_part(summary, config),
        "checks": summary.checks,
        "departures": summary.departures,
        "dropped": dropped_part(summary.dropped, sources.trials),
        "beside": beside_part(sources),
        "dataset": sources.dataset,
        "real_tested": real_tested(sources),
        "figure_counts": inline(figure_class_counts(sources.dataset.manifest)) if sources.dataset else "",
        "data": data_part(sources),
        "generators": [generator_part(generator) for generator in sources.generators],
        "walls": walls(sources.pools[0]),
        "pools": [pool_part(source) for source in sources.pools],
        "readers": [readers_part(source, sources.run) for source in sources.pools if source.review is not None],
        "limits": [
            *limits(
                config,
                summary,
                phantom,
                sources.unknown_start,
                len(sources.qualities),
                known_patients(sources),
                shared_by_parts(sources),
            ),
            *read_before(sources),
        ],
        "missing": sources.missing,
        "ledger": ledger_facts(sources),
        "judged": judged_sentence(sources.summary),
        "first": sources.first,
        "first_told": headline(sources.first, config) if sources.first else None,
        "parents": parents(sources),
        "machine": machine(),
        "methods": methods,
        "plotly_js": Markup(plotly.offline.get_plotlyjs()),
    }


def _keys(name: str, plots: Sequence[Plot]) -> list[str]:
    return [f"{name}{place}" for place in range(1, len(plots) + 1)]
