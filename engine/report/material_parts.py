"""What the report of a sweep says of the data, the generators, the pools and the reviewers that it rests on."""

from __future__ import annotations

from typing import Any

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
    split_words,
    unknown_patients,
)
from engine.report.figures import (
    figure_augmentation,
    figure_d_outputs,
    figure_embedding,
    figure_kid,
    figure_losses,
    figure_neighbour_distances,
    figure_neighbour_map,
    figure_ranking,
    figure_scores,
)
from engine.report.numbered import html_table, inline
from engine.report.participant_flow import figure_flow, flow_table, missing_table, readable_flow, readable_missing
from engine.report.pictures import gallery
from engine.report.quality_figures import part_on_the_map
from engine.report.quality_tables import readable_memorisation, readable_parts, score_notes, score_parts
from engine.report.reader_study import decided_sentence, study_content
from engine.report.sources import GeneratorSource, PoolSource, Sources
from engine.store.runs import Run

OF_ONE_SPLIT = ("small-test", "uneven-split")
"""Findings on the parts of a split, which say nothing of folds."""


OF_WHAT_A_CUT_LEFT = ("class-counts", "tiny-classes", "imbalance")
"""Findings that count images after `train_per_class`, which each fold cuts anew."""


def data_part(sources: Sources) -> dict[str, Any] | None:
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


def participants_part(sources: Sources) -> dict[str, Any] | None:
    """Where the images went, and what is not known of them; None where the data set is gone."""
    if sources.dataset is None:
        return None
    flow = flow_table(sources.dataset)
    return {
        "figure": inline(figure_flow(flow)),
        "flow": html_table(readable_flow(flow)),
        "missing": html_table(readable_missing(missing_table(sources.dataset, sources.config.subgroups))),
    }


def checklist_part(sources: Sources) -> dict[str, Any]:
    table = checklist(sources)
    titles = {"item": "Item", "topic": "Asked for", "status": "Status", "answer": "Answer", "section": "Section"}
    return {
        "sentence": checklist_sentence(table),
        "tables": [
            (name, html_table(own.drop(columns="guideline").rename(columns=titles)))
            for name, own in table.groupby("guideline", sort=False)
        ],
    }


def generator_part(generator: GeneratorSource) -> dict[str, Any]:
    last = generator.rows[-1] if generator.rows else {}
    figures = [figure_losses, figure_d_outputs]
    figures += [figure_augmentation] if "augment_p" in last else []
    figures += [figure_kid] if any("kid" in row for row in generator.rows) else []
    plots = [inline(build(generator.rows)) for build in figures] if generator.rows else []
    if generator.ranking is not None:
        plots.append(inline(figure_ranking(generator.ranking.found, generator.ranking.margin)))
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
        "figures": plots,
    }


def pool_part(source: PoolSource) -> dict[str, Any]:
    """The check of one pool: scores beside floors, memorisation, the worst pairs and the map."""
    quality = source.quality
    if quality is None:
        run = source.pool.run.id if source.pool is not None else ""
        return {"name": source.name, "run": run, "quality": None}
    return {
        "name": source.name,
        "run": quality.config["pool"],
        "quality": quality,
        "scores": html_table(readable_parts(quality.found)),
        "memorisation": html_table(readable_memorisation(quality.found)),
        "notes": list(
            dict.fromkeys(
                note for name in score_parts(quality.found) for note in score_notes(quality.found.scores, name)
            )
        ),
        "memorisation_notes": [
            *score_notes(quality.found.memorisation),
            *([FORMER_COPIES_RULE] if quality.found.copies_rule != COPIES_RULE else []),
        ],
        "figure_scores": inline(figure_scores(rows_table(quality.found.scores))) if quality.found.scores else "",
        "figure_distances": inline(figure_neighbour_distances(quality.neighbours)),
        "figure_map": inline(figure_neighbour_map(quality.neighbours)),
        "figure_embedding": inline(figure_embedding(quality.embedding)) if len(quality.embedding) else "",
        "part_on_the_map": part_on_the_map(
            quality.embedding, quality.found.counts.train + quality.found.counts.valid, quality.found.counts.pool
        )
        if len(quality.embedding)
        else "",
        "pairs": gallery(source),
    }


def _study(each: dict[str, Any]) -> dict[str, Any]:
    """The figures and tables of a reader study as HTML; those of ratings only where there are any."""
    shown: dict[str, Any] = {"figure": inline(each["figure"]), "table": html_table(each["table"])}
    if each["figure_roc"] is not None:
        shown |= {"figure_roc": inline(each["figure_roc"]), "table_roc": html_table(each["table_roc"])}
    return {**each, **shown}


def readers_part(source: PoolSource, run: Run) -> dict[str, Any]:
    """What reviewers found in one pool."""
    review = source.review
    assert review is not None
    studies = [study_content(study, run.home) for study in review.studies]
    return {
        "name": source.name,
        "studies": [_study(each) for each in studies],
        "decided": decided_sentence(review.decided),
    }
