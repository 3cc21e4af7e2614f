"""The steps of the way from images to a verdict, and how one of them stands."""

from __future__ import annotations

from typing import Literal, NamedTuple

Look = Literal["", "done", "running", "waiting", "failed", "alarm"]


class Step(NamedTuple):
    """A step of the way: its kind of run, its page, and what it leaves."""

    kind: str
    name: str
    page: str
    icon: str
    what: str
    noun: str


STEPS = (
    Step("import", "Import", "datasets", ":material/photo_library:", "Bring in images, freeze the split", ""),
    Step(
        "train", "Train", "train", ":material/model_training:", "Teach a generator on the training images", "generator"
    ),
    Step("pool", "Generate", "generate", ":material/auto_awesome:", "Save a pool of synthetic images", "pool"),
    Step("quality", "Quality", "quality", ":material/fact_check:", "Hold it beside real images", "check"),
    Step("sweep", "Evaluate", "evaluate", ":material/query_stats:", "Does the classifier get better?", "sweep"),
    Step("review", "Review", "review", ":material/rate_review:", "Let people say real or fake", "reviewer"),
)


class StepState(NamedTuple):
    """How a step stands: a word or two (empty: nothing was done), and how that is to be looked at."""

    words: str
    look: Look
