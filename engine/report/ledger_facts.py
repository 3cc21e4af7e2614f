"""What a report says of its test set's history: who read it, when the settings were fixed, who judged by which rule."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.report.sources import Sources
from engine.sweep.standing import Other, day, ordinal
from engine.sweep.summary_model import SweepSummary


@dataclass(frozen=True)
class LedgerFacts:
    """The section of the report; `others` has one row a sweep, `plan` the facts of the registered plan."""

    headline: str
    sentences: list[str]
    others: list[tuple[str, ...]] = field(default_factory=list)
    plan: dict[str, str] = field(default_factory=dict)


def declared(sources: Sources) -> str:
    """What follows "declared": where metric, share and margin were, and what the ledger knows of the time."""
    return sources.summary.declared or sources.standing.where


def ledger_facts(sources: Sources) -> LedgerFacts:
    """All of it, as the ledger has it when the report is written."""
    standing = sources.standing
    if not standing.images:
        told = "Which images this sweep tested on was not kept, so that the ledger cannot count it."
        return LedgerFacts(told, [told])
    sentences = standing.sentences()
    what = f"Metric and rule of the claim were declared {declared(sources)}."
    plan = standing.plan or standing.other_plan
    facts = {}
    if plan is not None:
        facts = {
            "Plan": plan.id,
            "SHA-256": plan.sha256,
            "Registered": f"{day(plan.time)}{f' by {plan.by}' if plan.by else ''}",
            "Sweeps that had read the test set by then": str(plan.read_before),
            "This sweep": "; ".join(standing.departures) or "exactly as planned",
        }
    rows = [*map(_row, standing.before), *map(_row, standing.since)]
    return LedgerFacts(sentences[0], [*sentences, what], rows, facts)


def methods_sentences(sources: Sources) -> list[str]:
    """For the methods paragraph: that the test set was read before, and the plan."""
    standing = sources.standing
    if not standing.images:
        return []
    told = []
    if standing.before:
        earlier = len(standing.before)
        others = f"{earlier} other sweep{'s' * (earlier > 1)}"
        told.append(f"The test set, or a part of it, had been read by {others} before this one.")
    if standing.plan is not None:
        plan = standing.plan
        told.append(f"The plan was registered in the program on {day(plan.time)} (SHA-256 {plan.sha256[:16]}).")
        if standing.departures:
            told.append(f"The sweep departed from it: {'; '.join(standing.departures)}.")
    return told


def read_before(sources: Sources) -> list[str]:
    """The limit that earlier readings of the test set are."""
    standing = sources.standing
    if not standing.before:
        return []
    return [
        f"This is the {ordinal(standing.number)} sweep that read this test set. Each was free to choose what it asks "
        "after the results of those before, and no p or interval allows for that: a claim here needs images that no "
        "sweep has read."
    ]


def judged_sentence(summary: SweepSummary) -> str:
    """Of a second judgement: when, by what, and by what the first was made; empty of a first one."""
    again = summary.rejudged
    if again is None:
        return ""
    return (
        f"Judged again on {day(again.time)} by {again.program} (rule: {again.rule}); first judged on "
        f"{day(again.first_time)} (rule: {again.first_rule})."
    )


def _row(other: Other) -> tuple[str, ...]:
    reading = other.reading
    remarks = ["found afterwards"] * reading.found + ["deleted since"] * reading.deleted
    return (
        reading.run,
        reading.name,
        day(reading.time),
        f"{other.shared} of {other.of}",
        reading.classifier,
        reading.metric,
        reading.plan,
        ", ".join(remarks),
    )
