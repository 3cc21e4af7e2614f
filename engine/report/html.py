"""The report of a sweep: one HTML file that works offline, with the numbers behind its figures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import plotly.graph_objects as go
import plotly.io
import plotly.offline
from markupsafe import Markup

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.configs.gans import gan_title
from engine.quality.quality_scores import COPIES_RULE, FORMER_COPIES_RULE, rows_table
from engine.report.checklist import checklist, checklist_sentence
from engine.report.data_facts import (
    DRAWN,
    changes,
    class_names,
    found_before,
    kept_together,
    known_patients,
    origin_of_split,
    real_tested,
    shared_by_parts,
    split_words,
    unknown_patients,
    without_value,
)
from engine.report.detail_tables import (
    class_table,
    readable_classes,
    readable_dropped,
    readable_subgroups,
    reliability_table,
    subgroup_table,
)
from engine.report.difference_panel import figure_verdict
from engine.report.export_tables import KEPT, report_tables
from engine.report.external_results import external_words, readable_external_cells, readable_external_comparisons
from engine.report.figures import (
    figure_augmentation,
    figure_class_counts,
    figure_confusion,
    figure_d_outputs,
    figure_differences,
    figure_embedding,
    figure_kid,
    figure_losses,
    figure_neighbour_distances,
    figure_neighbour_map,
    figure_ranking,
    figure_reliability,
    figure_scores,
    figure_subgroups,
    figure_sweep,
)
from engine.report.headline_answers import answers, excluded_images, primary_arm, told
from engine.report.learning_curve_figures import figure_learning_curve, readable_looks
from engine.report.ledger_facts import judged_sentence, ledger_facts, read_before
from engine.report.limits import limits
from engine.report.methods import methods_text
from engine.report.outcome_figures import figure_curve, figure_decisions, figure_subgroup_differences
from engine.report.outcome_tables import (
    CALIBRATION,
    DECISIONS,
    EXPLORATORY,
    differences_table,
    interaction_sentences,
    operating_words,
    readable_calibration,
    readable_operating_points,
    readable_subgroup_differences,
)
from engine.report.outcome_tables import CURVES as CURVES_IN_WORDS
from engine.report.outcomes import Scored, scored_sources
from engine.report.participant_flow import figure_flow, flow_table, missing_table, readable_flow, readable_missing
from engine.report.pictures import gallery, walls
from engine.report.pool_facts import origin_in_words
from engine.report.pool_ranking import alike, rank_sweeps, readable_ranking, where_ranked
from engine.report.protocol_comparison import changed, readable_published, side
from engine.report.provenance import machine, parents
from engine.report.publication_differences import changed_settings, differences
from engine.report.quality_tables import readable_memorisation, readable_parts, score_notes, score_parts
from engine.report.reader_study import decided_sentence, study_content
from engine.report.seed_lines import SCRIPT
from engine.report.sources import GeneratorSource, PoolSource, Sources, read_sources
from engine.report.style import ARMS
from engine.report.sweep_figures import how_to_read, share_note
from engine.report.tables import (
    METRICS,
    comparison_table,
    confusion_of,
    level_trials,
    measure_of,
    p_in_words,
    present_metrics,
    readable_cells,
    readable_comparisons,
    show_share,
)
from engine.store import disk
from engine.store.csv_cells import table_text
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors, replacing, write_text
from engine.store.runs import Run
from engine.sweep.arms import baseline_of, control_of, has_ratios
from engine.sweep.checks import check_published
from engine.sweep.headline import Headline, external_headline, headline
from engine.sweep.protocol_deviations import DroppedRuns
from engine.sweep.summary_model import SweepSummary

MAY_STAND_TOGETHER = 5
"""Most arms in one figure; more are shown family by family."""


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
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table_text(table))
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
    page = environment.get_template("report.html.jinja").render(_content(sources, list(tables), methods))
    path = folder / "report.html"
    write_text(path, page)
    return path


def _content(sources: Sources, names: list[str], methods: str) -> dict[str, Any]:
    summary, config = sources.summary, sources.config
    metric = summary.metric
    outcomes = scored_sources(sources)
    by_image = None if outcomes is None else outcomes.intervals()
    comparisons = comparison_table(summary.comparisons)
    with_means = comparison_table((*summary.comparisons, *summary.averages))
    of_metric = with_means["metric"] == metric
    phantom = sources.dataset is not None and sources.dataset.is_phantom
    of_verdict = comparisons["metric"] == metric
    return {
        "title": config.name,
        "phantom": phantom,
        "config": config,
        "summary": summary,
        "verdict": summary.verdict,
        "told": told(sources),
        "bar": _bar(sources),
        "answers": answers(sources),
        "others": _other_verdicts(sources),
        "controlled": control_of(primary_arm(sources)) in config.arms,
        "majority": METRICS["accuracy"].show(summary.majority_accuracy),
        "sweeps": [_inline(figure) for figure in _sweep_figures(sources, metric, outcomes)],
        "reading": f"{share_note(config.arms, config)} {how_to_read()}",
        "seed_lines": Markup(SCRIPT),
        "curve": summary.learning_curve,
        "curve_figure": _inline(figure_learning_curve(summary.learning_curve)) if summary.learning_curve else "",
        "looks": _table(readable_looks(summary.looks)) if summary.looks else "",
        "differences": [
            _inline(figure_differences(comparisons, metric, arm, summary.positive_class))
            for arm in dict.fromkeys(comparisons[of_verdict]["arm"])
        ],
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
        "ranked": _ranked(sources),
        "confusions": _confusions(sources),
        "reliability": _reliability(sources),
        "cells": _table(readable_cells(sources.trials, metric, by_image, summary.positive_class)),
        "classes": _table(readable_classes(class_table(sources.trials, summary.classes))),
        "patients": _patients(sources, metric, outcomes),
        "outcomes": _outcomes(sources, outcomes),
        "participants": _participants(sources),
        "checklist": _checklist(sources),
        "subgroups": _subgroups(sources, metric),
        "metric_title": measure_of(metric, summary.positive_class).title,
        "exploratory": EXPLORATORY,
        "measures": [measure_of(name, summary.positive_class) for name in present_metrics(sources.trials)],
        "p_in_words": p_in_words(summary),
        "comparisons": _table(readable_comparisons(with_means[of_metric], summary.positive_class)),
        "other_comparisons": _table(readable_comparisons(with_means[~of_metric], summary.positive_class)),
        "external": _external(summary, config),
        "checks": summary.checks,
        "departures": summary.departures,
        "dropped": _dropped(summary.dropped, sources.trials),
        "beside": _beside(sources),
        "dataset": sources.dataset,
        "real_tested": real_tested(sources),
        "figure_counts": _inline(figure_class_counts(sources.dataset.manifest)) if sources.dataset else "",
        "data": _data(sources),
        "generators": [_generator(generator) for generator in sources.generators],
        "walls": walls(sources.pools[0]),
        "pools": [_pool(source) for source in sources.pools],
        "readers": [_readers(source, sources.run) for source in sources.pools if source.review is not None],
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
        "names": names,
        "plotly_js": Markup(plotly.offline.get_plotlyjs()),
    }


def _inline(figure: go.Figure) -> Markup:
    """A figure as HTML that uses the one copy of Plotly in the page; Plotly escapes `<`, `>` and `/` itself."""
    html = plotly.io.to_html(
        figure, full_html=False, include_plotlyjs=False, config={"responsive": True, "displaylogo": False}
    )
    return Markup(html)


OF_ONE_SPLIT = ("small-test", "uneven-split")
"""Findings on the parts of a split, which say nothing of folds."""
OF_WHAT_A_CUT_LEFT = ("class-counts", "tiny-classes", "imbalance")
"""Findings that count images after `train_per_class`, which each fold cuts anew."""


def _data(sources: Sources) -> dict[str, Any] | None:
    """What was imported, found, mended and changed before the split was frozen; None where the data set is gone."""
    dataset, known = sources.dataset, known_patients(sources)
    if dataset is None or known is None:
        return None
    info = dataset.info
    drawn = bool(sources.config.folds) or origin_of_split(dataset) == DRAWN
    untold: tuple[str, ...] = OF_ONE_SPLIT if sources.config.folds else ()
    untold += OF_WHAT_A_CUT_LEFT if untold and info.config.get("train_per_class") else ()
    together = kept_together(known, drawn).removeprefix(", ").removeprefix("; ").replace(" kept ", " were kept ")
    patients = [f"{known.words} in {known.images} images."] if known.any else []
    patients += [f"{together[0].upper()}{together[1:]}."] if together else []
    return {
        "split": "" if sources.config.folds else f"It was {split_words(dataset).removesuffix(',')}.",
        "facts": [
            *class_names(dataset),
            *changes(dataset, bool(sources.config.folds)),
            *patients,
            *filter(None, [unknown_patients(known)]),
        ],
        "notes": info.provenance.notes,
        "before": found_before(dataset),
        "findings": [each for each in info.audit.findings if each["name"] not in untold],
    }


def _table(table: pd.DataFrame) -> Markup:
    return Markup(table.to_html(index=False, border=0, justify="left"))


def _bar(sources: Sources) -> Markup | str:
    """The interval of the comparisons that the headline quotes."""
    rows, summary = told(sources).rows, sources.summary
    return _inline(figure_verdict(rows, summary.metric, summary.positive_class)) if rows else ""


def _other_verdicts(sources: Sources) -> list[tuple[str, Headline]]:
    """The verdicts on the arms that the sweep is not about, by their titles; exploratory."""
    primary, summary = primary_arm(sources), sources.summary
    return [(ARMS[arm].title, headline(summary, sources.config, arm)) for arm in summary.verdicts if arm != primary]


def _external(summary: SweepSummary, config: SweepConfig) -> dict[str, Any] | None:
    """What the trials found on a second data set; None where there was none."""
    external = summary.external
    if external is None:
        return None
    return {
        "verdict": external.verdict,
        "told": external_headline(summary, config),
        "words": external_words(summary),
        "cells": _table(readable_external_cells(summary)),
        "comparisons": _table(readable_external_comparisons(summary)),
    }


def _sweep_figures(sources: Sources, metric: str, outcomes: Scored | None) -> list[go.Figure]:
    """One figure of all arms, or, when there are many, one for each family of arms beside its controls."""
    summary, config = sources.summary, sources.config
    trials, level = sources.trials, summary.level
    if (config.folds or level == "patient") and sources.metrics is not None:
        trials = level_trials(sources.metrics, level)  # as judged: the folds of a seed together
    intervals = None if outcomes is None else outcomes.intervals(level)
    title = measure_of(metric, summary.positive_class).title + (" by patient" if level == "patient" else "")
    present = [arm for arm in ARMS if (trials["arm"] == arm).any() and arm != LEARNING_CURVE]
    if len(present) <= MAY_STAND_TOGETHER:
        whole = f"{title} on real test images" if level == "patient" else ""
        return [figure_sweep(trials, summary, metric, whole, config=config, intervals=intervals)]
    plain = [arm for arm in present if not arm.endswith("+classical") or not has_ratios(arm)]
    families = {
        "added": [arm for arm in plain if arm.startswith("real")],
        "in place of real ones": ["real", *(arm for arm in plain if arm.startswith(("replaced", "synthetic")))],
        "with classical augmentation": ["real", *(arm for arm in present if arm.endswith("+classical"))],
    }
    return [
        figure_sweep(
            trials,
            summary,
            metric,
            f"{title}: synthetic images {name}",
            arms=arms,
            config=config,
            intervals=intervals,
        )
        for name, arms in families.items()
        if any(has_ratios(arm) for arm in arms)
    ]


def _largest(sources: Sources, arm: str) -> pd.DataFrame:
    """The trials of an arm at its largest ratio."""
    trials = sources.trials[sources.trials["arm"] == arm]
    return trials[trials["ratio"] == trials["ratio"].max()]


def _key_cells(sources: Sources) -> dict[str, pd.DataFrame]:
    """By title: the baseline, the control and the arm of the verdict, those with ratios at the largest one."""
    arm = primary_arm(sources)
    found = {}
    for name in (baseline_of(arm) or "real", control_of(arm), arm):
        if name is not None and not (cell := _largest(sources, name)).empty:
            ratio = cell["ratio"].iloc[0]
            found[ARMS[name].title + (f", {show_share(ratio)}" if ratio else "")] = cell
    return found


def _confusions(sources: Sources) -> list[Markup]:
    """Confusion matrices summed over the seeds: the baseline beside the largest share of synthetic images."""
    cells = list(_key_cells(sources).items())
    return [
        _inline(figure_confusion(confusion_of(cell), sources.summary.classes, f"{title}: {_trials(len(cell))}"))
        for title, cell in ([cells[0], cells[-1]] if len(cells) > 1 else cells)
    ]


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"all {count} trials"


def _reliability(sources: Sources) -> Markup | str:
    cells = list(_key_cells(sources).values())
    if sources.test_images is None or "scores" not in sources.trials or not cells:
        return ""
    table = reliability_table(pd.concat(cells), sources.test_images, sources.summary.classes)
    return _inline(figure_reliability(table))


def _patients(sources: Sources, metric: str, outcomes: Scored | None) -> Markup | str:
    """The means by patient, where patients are known and have several images."""
    if sources.metrics is None:
        return ""
    counts = sources.metrics[sources.metrics["subgroup"] == ""].groupby("level")["n"].max()
    if counts.get("patient", counts["image"]) == counts["image"]:
        return ""  # not known, or one image each: the table by image again
    return _table(
        readable_cells(
            level_trials(sources.metrics, "patient"),
            metric,
            None if outcomes is None else outcomes.intervals("patient"),
            sources.summary.positive_class,
        )
    )


def _outcomes(sources: Sources, outcomes: Scored | None) -> dict[str, Any] | None:
    """Calibration, curves, decision curves and the threshold that the validation images fixed, with their words."""
    if outcomes is None:
        return None
    ece = sources.trials.groupby(["arm", "ratio"])["ece"].mean() if "ece" in sources.trials else None
    points, units = outcomes.operating_points, outcomes.judged.units
    keep = [name for name in ("real", "real+classical", control_of(primary_arm(sources)), primary_arm(sources)) if name]
    curves, decisions = outcomes.curves, outcomes.decisions
    largest = decisions[decisions.groupby("arm")["ratio"].transform("max") == decisions["ratio"]]
    curves, largest = curves[curves["arm"].isin(keep)], largest[largest["arm"].isin(keep)]
    figures = []
    for name in dict.fromkeys(curves["class"]):
        share = float((units.labels == outcomes.classes.index(name)).mean())
        figures.append(
            {
                "roc": _inline(figure_curve(curves, "roc", name)),
                "pr": _inline(figure_curve(curves, "pr", name, share)),
                "decisions": _inline(figure_decisions(largest, name)),
            }
        )
    return {
        "figures": figures,
        "curve_words": CURVES_IN_WORDS,
        "decision_words": DECISIONS,
        "calibration": _table(readable_calibration(outcomes.calibration, ece)),
        "calibration_words": CALIBRATION,
        "points": "" if points is None or points.empty else _table(readable_operating_points(points)),
        "points_words": outcomes.no_operating_point
        or ("" if points is None or points.empty else operating_words(points, outcomes.classes[outcomes.positive])),
    }


def _participants(sources: Sources) -> dict[str, Any] | None:
    """Where the images went, and what is not known of them; None where the data set is gone."""
    if sources.dataset is None:
        return None
    flow = flow_table(sources.dataset)
    return {
        "figure": _inline(figure_flow(flow)),
        "flow": _table(readable_flow(flow)),
        "missing": _table(readable_missing(missing_table(sources.dataset, sources.config.subgroups))),
    }


def _checklist(sources: Sources) -> dict[str, Any]:
    table = checklist(sources)
    titles = {"item": "Item", "topic": "Asked for", "status": "Status", "answer": "Answer", "section": "Section"}
    return {
        "sentence": checklist_sentence(table),
        "tables": [
            (name, _table(own.drop(columns="guideline").rename(columns=titles)))
            for name, own in table.groupby("guideline", sort=False)
        ],
    }


def _subgroups(sources: Sources, metric: str) -> dict[str, Any] | None:
    rows = subgroup_table(sources.summary.subgroups)
    own = rows[rows["metric"] == metric]
    missing = without_value(sources.test_images, sources.config.subgroups)
    if own.empty:
        return {"figure": "", "table": "", "missing": missing} if missing else None
    return {
        "figure": _inline(figure_subgroups(rows, metric, positive=sources.summary.positive_class)),
        "table": _table(readable_subgroups(own, sources.summary.positive_class)),
        "missing": missing,
        **_subgroup_differences(sources),
    }


def _subgroup_differences(sources: Sources) -> dict[str, Any]:
    """Whether the gain differs between subgroups, at the largest share; empty of sweeps of before."""
    table = differences_table(sources.summary.subgroup_differences)
    if table.empty:
        return {"differences": "", "differences_table": "", "interactions": []}
    largest, positive = float(table["ratio"].max()), sources.summary.positive_class
    return {
        "differences": _inline(figure_subgroup_differences(table[table["ratio"] == largest], positive)),
        "differences_table": _table(readable_subgroup_differences(table, positive)),
        "interactions": interaction_sentences(sources.summary.interactions, largest),
    }


def _ranked(sources: Sources) -> dict[str, Any] | None:
    """The pools of all sweeps that differ from this one in the pool alone, where there are several."""
    runs = alike(sources.run)
    if len(runs) < 2:
        return None
    try:
        found = rank_sweeps(runs)
    except ErsatzError as error:  # one of them was tested on other images, or is damaged
        return {"sentences": [str(error)], "table": "", "where": ""}
    return {
        "sentences": found.ranking.sentences,
        "table": _table(readable_ranking(found)),
        "where": where_ranked(found.ranking) if found.ranking.pools else "",
    }


def _dropped(dropped: DroppedRuns | None, trials: pd.DataFrame) -> dict[str, Any] | None:
    """What the published rule that leaves runs out would show, beside all runs."""
    if dropped is None:
        return None
    return {"rule": dropped.rule, "count": len(dropped.trials), "table": _table(readable_dropped(dropped, trials))}


def _beside(sources: Sources) -> dict[str, Any] | None:
    """What was published and the two protocols, where this sweep has something to stand beside."""
    publication, other = sources.publication, sources.beside
    if publication is None and other is None:
        return None
    own = side(sources, "Sound" if sources.config.claims else "As published")
    sides = [own]
    if other is not None:
        sides = [side(other, "Sound" if other.config.claims else "As published"), own]
    settings = changed(sides[0]["facts"], sides[1]["facts"]) if len(sides) == 2 else None
    return {
        "publication": publication,
        "rows": _table(readable_published(publication)) if publication is not None and publication.rows else "",
        "checks": check_published(publication.rows) if publication is not None else [],
        "sides": [{**each, "cells": _table(each["cells"])} for each in sides],
        "settings": None if settings is None or settings.empty else _table(settings),
        "differences": differences([other, sources] if other is not None else [sources]),
        "changed": [
            (title, None if table.empty else _table(table))
            for title, table in (
                (each["title"], changed_settings(source))
                for each, source in zip(sides, [other, sources] if other is not None else [sources], strict=True)
            )
        ]
        if publication is not None
        else [],
    }


def _generator(generator: GeneratorSource) -> dict[str, Any]:
    last = generator.rows[-1] if generator.rows else {}
    figures = [figure_losses, figure_d_outputs]
    figures += [figure_augmentation] if "augment_p" in last else []
    figures += [figure_kid] if any("kid" in row for row in generator.rows) else []
    inline = [_inline(build(generator.rows)) for build in figures] if generator.rows else []
    if generator.ranking is not None:
        inline.append(_inline(figure_ranking(generator.ranking.found, generator.ranking.margin)))
    return {
        "gan": gan_title(generator.info.gan),
        "title": f"{gan_title(generator.info.gan)} {generator.info.architecture} of "
        f"{', '.join(generator.info.classes)}",
        "info": generator.info,
        "config": generator.config,
        "status": generator.status,
        "kimg": generator.info.kimg,
        "minutes": last.get("seconds", 0.0) / 60,
        "ranked": generator.ranking.sentence if generator.ranking is not None else "",
        "figures": inline,
    }


def _pool(source: PoolSource) -> dict[str, Any]:
    """The check of one pool: scores beside floors, memorisation, the worst pairs and the map."""
    quality = source.quality
    if quality is None:
        run = source.pool.run.id if source.pool is not None else ""
        return {"name": source.name, "run": run, "quality": None}
    return {
        "name": source.name,
        "run": quality.config["pool"],
        "quality": quality,
        "scores": _table(readable_parts(quality.found)),
        "memorisation": _table(readable_memorisation(quality.found)),
        "notes": list(
            dict.fromkeys(
                note for name in score_parts(quality.found) for note in score_notes(quality.found.scores, name)
            )
        ),
        "memorisation_notes": [
            *score_notes(quality.found.memorisation),
            *([FORMER_COPIES_RULE] if quality.found.copies_rule != COPIES_RULE else []),
        ],
        "figure_scores": _inline(figure_scores(rows_table(quality.found.scores))) if quality.found.scores else "",
        "figure_distances": _inline(figure_neighbour_distances(quality.neighbours)),
        "figure_map": _inline(figure_neighbour_map(quality.neighbours)),
        "figure_embedding": _inline(figure_embedding(quality.embedding)) if len(quality.embedding) else "",
        "pairs": gallery(source),
    }


def _study(each: dict[str, Any]) -> dict[str, Any]:
    """The figures and tables of a reader study as HTML; those of ratings only where there are any."""
    shown = {"figure": _inline(each["figure"]), "table": _table(each["table"])}
    if each["figure_roc"] is not None:
        shown |= {"figure_roc": _inline(each["figure_roc"]), "table_roc": _table(each["table_roc"])}
    return {**each, **shown}


def _readers(source: PoolSource, run: Run) -> dict[str, Any]:
    """What reviewers found in one pool."""
    review = source.review
    assert review is not None
    studies = [study_content(study, run.home) for study in review.studies]
    return {
        "name": source.name,
        "studies": [_study(each) for each in studies],
        "decided": decided_sentence(review.decided),
    }
