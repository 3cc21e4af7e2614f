"""One figure of what was reported, the published protocol repeated here, and the sound one."""

from __future__ import annotations

import numpy as np
import pytest

from engine.configs import SweepConfig
from engine.publications.table import PUBLICATIONS
from engine.report.protocol_overlay import REPORTED, figure_protocols, overlay_points, protocol_of
from engine.report.tables import per_seed
from tests.fabricated import make_trials

LABELS = np.repeat([0, 1], 15)
PUBLISHED = {
    "repeats": "head-ct",
    "classifier": "resnet50",
    "arms": ("real", "real+classical", "real+synthetic+classical", "synthetic+classical"),
    "ratios": (1.0,),
    "flaws": ("synthetic-in-test",),
    "seeds": 1,
}


def protocol(**settings: object):
    config = SweepConfig(name="s", dataset="d", pool="p", **settings)  # type: ignore[arg-type]
    return protocol_of(config, make_trials(config, LABELS), None)


@pytest.fixture(scope="module")
def both():
    return [protocol(**PUBLISHED), protocol(ratios=(0.5, 1.0), seeds=8)]


def test_each_protocol_is_a_line_from_its_own_real_images(both) -> None:
    points = overlay_points(PUBLICATIONS["head-ct"], both, "accuracy")
    published, sound = both
    lines = {name: own for name, own in points.groupby("protocol", sort=False)}
    assert list(lines) == [REPORTED, published.title, sound.title, sound.control_title]
    for each, baseline, arm in (
        (published, "real+classical", "real+synthetic+classical"),
        (sound, "real", "real+synthetic"),
    ):
        own = lines[each.title]
        means = per_seed(each.trials).groupby(["arm", "ratio"])["accuracy"].mean()
        added = own[~own["alone"]]
        assert added["share"].tolist() == [0.0, *each.config.ratios]
        assert added["arm"].tolist() == [baseline] + [arm] * len(each.config.ratios)
        expected = [means[baseline, 0.0], *(means[arm, share] for share in each.config.ratios)]
        assert added["mean"].tolist() == pytest.approx(expected)
    assert lines[sound.control_title]["arm"].tolist() == ["real", "real+duplicates", "real+duplicates"]
    assert lines[REPORTED]["mean"].tolist() == [0.7651, 0.6061, 0.7865]
    assert lines[REPORTED][["low", "high"]].isna().all(axis=None), "no whole number of 22 images: of other images"


def test_a_reported_number_of_whole_images_has_the_interval_of_wilson(both) -> None:
    (row,) = overlay_points(PUBLICATIONS["chest-ct"], [], "accuracy").to_dict("records")
    assert (row["low"], row["high"]) == pytest.approx((0.951, 0.996), abs=1e-3)
    assert overlay_points(PUBLICATIONS["chest-ct"], [], "auroc").empty


def test_the_figure_tells_lines_apart_without_colours_and_breaks_before_synthetic_alone(both) -> None:
    points = overlay_points(PUBLICATIONS["head-ct"], both, "accuracy")
    figure = figure_protocols(points, "accuracy")
    assert len({(trace.line.dash, trace.marker.symbol) for trace in figure.data}) == len(figure.data) == 4
    reported = figure.data[0]
    assert reported.name == "As reported: 76.5 % → 78.6 %"
    drawn = [None if y is None or np.isnan(y) else round(float(y), 2) for y in reported.y]
    assert drawn == [76.51, 78.65, None, 60.61]
    assert figure.layout.xaxis.ticktext == ("0<br>real only", "50 %", "100 %", "100 %<br>alone")


def test_two_sweeps_of_one_protocol_keep_lines_of_their_own() -> None:
    twice = [protocol(ratios=(1.0,), seeds=8), protocol(ratios=(1.0,), seeds=8)]
    other = protocol_of(twice[1].config.model_copy(update={"name": "other"}), twice[1].trials, None)
    for sides in (twice, [twice[0], other]):
        points = overlay_points(None, sides, "accuracy")
        assert points["protocol"].nunique() == len(figure_protocols(points, "accuracy").data) == 4
