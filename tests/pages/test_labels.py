"""What runs are called beside each other, and how words of others are shown."""

from __future__ import annotations

from engine.store.home import Home
from engine.store.runs import State
from pages.components.format import plain
from pages.components.labels import labels_of, short_names
from tests import fabricated


def test_two_runs_of_the_same_title_and_minute_can_be_told_apart(home: Home) -> None:
    fabricated.make_dataset(home)
    runs = [fabricated.make_training(home, "bleed", State.FINISHED) for _ in range(2)]
    runs.append(fabricated.make_training(home, "normal", State.FINISHED))
    labels = labels_of(runs)
    assert len({*labels.values()}) == 3
    assert runs[0].id in labels[runs[0].id]
    assert runs[2].id not in labels[runs[2].id], "its title says enough"
    names = short_names(runs, without="Train ")
    assert len({*names}) == 3
    assert names[2] == "phantom · normal"


def test_words_of_a_file_are_shown_as_themselves() -> None:
    assert plain("![x](http://u) $k$ *a*") == r"!\[x\](http://u) \$k\$ \*a\*"
