"""The numbers behind every figure of a report, as tables for files."""

from __future__ import annotations

import pandas as pd

from engine.quality.quality_scores import rows_table
from engine.report.beside_part import protocol_points
from engine.report.checklist import checklist
from engine.report.dataset_figures import class_counts
from engine.report.detail_tables import class_table, reliability_table, subgroup_table
from engine.report.external_results import external_cells
from engine.report.outcome_tables import differences_table, interactions_table
from engine.report.outcomes import scored_sources
from engine.report.participant_flow import flow_table, missing_table
from engine.report.protocol_comparison import published_table
from engine.report.sources import Sources
from engine.report.tables import all_cells, comparison_table
from engine.sweep.analysis_units import SCORES

KEPT = ("trials", "metrics")
"""Tables that the sweep itself keeps as Parquet, with more columns than the CSV."""


def report_tables(sources: Sources) -> dict[str, pd.DataFrame]:
    """The numbers of every figure in the report, by the name of their files."""
    summary, outcomes = sources.summary, scored_sources(sources)
    tables = {
        "trials": sources.trials.drop(columns=list(SCORES), errors="ignore"),
        "cells": all_cells(sources.trials, None if outcomes is None else outcomes.intervals()),
        "comparisons": comparison_table((*summary.comparisons, *summary.averages)),
        "classes": class_table(sources.trials, summary.classes),
    }
    if sources.metrics is not None:
        tables["metrics"] = sources.metrics
    if sources.test_images is not None and "scores" in sources.trials:
        tables["reliability"] = reliability_table(sources.trials, sources.test_images, summary.classes)
    if outcomes is not None:
        tables["calibration"] = outcomes.calibration
        tables["curves"], tables["curve_areas"] = outcomes.curves, outcomes.areas
        tables["decision_curves"] = outcomes.decisions
        if outcomes.operating_points is not None:
            tables["operating_points"] = outcomes.operating_points
    if summary.subgroup_differences:
        tables["subgroup_differences"] = differences_table(summary.subgroup_differences)
        tables["interactions"] = interactions_table(summary.interactions)
    tables["checklist"] = checklist(sources)
    if summary.subgroups:
        tables["subgroups"] = subgroup_table(summary.subgroups)
    if summary.external is not None:
        tables["external"] = external_cells(summary)
    if sources.dataset is not None:
        tables["participants"] = flow_table(sources.dataset)
        tables["missing_values"] = missing_table(sources.dataset, sources.config.subgroups)
        tables["class_counts"] = class_counts(sources.dataset.manifest).reset_index()
    if sources.generators:
        rows = [pd.DataFrame(generator.rows).assign(run=generator.run.id) for generator in sources.generators]
        tables["training"] = pd.concat(rows)
    rankings = [generator.ranking for generator in sources.generators if generator.ranking is not None]
    if rankings:
        tables["ranking"] = pd.concat(
            [rows_table(ranking.found.snapshots).assign(run=ranking.run.id) for ranking in rankings]
        )
    if sources.qualities:
        scores = [rows_table(q.found.scores).assign(run=q.run.id) for q in sources.qualities]
        memorisation = [rows_table(q.found.memorisation).assign(run=q.run.id) for q in sources.qualities]
        tables["quality_scores"], tables["memorisation"] = pd.concat(scores), pd.concat(memorisation)
        tables["neighbours"] = pd.concat([q.neighbours.assign(run=q.run.id) for q in sources.qualities])
        tables["feature_map"] = pd.concat([q.embedding.assign(run=q.run.id) for q in sources.qualities])
    if sources.studies:
        tables["reviewers"] = pd.concat([study.scores.assign(quiz=study.quiz.id) for study in sources.studies])
    if sources.publication is not None and sources.publication.rows:
        tables["published"] = published_table(sources.publication)
    if (points := protocol_points(sources)) is not None:
        tables["as_published"] = points
    return tables
