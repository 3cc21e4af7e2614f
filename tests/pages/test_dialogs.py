"""No dialog carries out what somebody wrote; each one of the pages is opened here."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.store.home import REPOSITORY, Home
from tests.pages.hostile_home import alive, fill

OPENED = {
    "components.comments.change_dialog": "change_dialog(comment)",
    "components.comments.take_back_dialog": "take_back_dialog(comment)",
    "components.runs.stop_dialog": "stop_dialog(sweep)",
    "components.picture_dialog.look_closer": "look_closer(lambda _: [pane])",
    "datasets.freezing.freeze_dialog": "freeze_dialog(dataset)",
    "datasets.pictures.enlarge": "enlarge(dataset, dataset.manifest['path'].iloc[0])",
    "datasets.removal.removal_dialog": "removal_dialog(dataset)",
    "datasets.sealing.reveal_dialog": "reveal_dialog(dataset)",
    "generate.gallery.closer": "closer(pool, pool.manifest.to_dict('records')[0])",
    "quality.closer_pairs.closer_pair": "closer_pair(pairs, pairs['path'].iloc[0], 'Pixels', pool, dataset.path)",
    "quality.copies.exclude_dialog": "exclude_dialog(pool, [pool.manifest['path'].iloc[1]], HOSTILE)",
    "quality.copies.restore_dialog": "restore_dialog(pool, [pool.manifest['path'].iloc[0]])",
    "quality.ranking.export_dialog": "export_dialog(training, 'network-000000100', HOSTILE)",
    "review.taking_out.bring_back_dialog": "bring_back_dialog(pool)",
    "review.taking_out.take_out_dialog": "take_out_dialog(pool, 'any')",
    "runs.deleting.delete_dialog": "delete_dialog([sweep, training])",
    "runs.stopping.stop_all_dialog": "stop_all_dialog([sweep, training])",
    "train.closer_samples.closer_samples": "closer_samples(training, HOSTILE)",
}
"""How each dialog of `pages` is opened."""
HERE = """
from engine.datasets.dataset import list_datasets
from engine.review.comments import recent_comments
from engine.review.decisions import decide
from engine.sampling.pools import Pool
from engine.store.runs import list_runs
from pages.components.home import home
from pages.components.picture_viewer import Pane
from tests.pages.hostile_home import HOSTILE

sweep, training = list_runs(home(), "sweep")[0], list_runs(home(), "train")[0]
pool, dataset, comment = Pool.open(list_runs(home(), "pool")[0]), list_datasets(home())[0], recent_comments(home())[0]
pane = Pane(pool.path / pool.manifest["path"].iloc[0], HOSTILE, HOSTILE)
beside = {"flag": "", "pixel_neighbour": HOSTILE, "ratio": 0.5, "shift_x": 0, "shift_y": 0, "pixel_distance": 0.1}
pairs = pool.manifest.assign(**beside, mirrored=False)
decide(pool, [pool.manifest["path"].iloc[1]], "R1", "reject", HOSTILE)
"""


def dialogs() -> Iterator[str]:
    """Every function of the pages that `st.dialog` decorates."""
    for path in sorted((REPOSITORY / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("st.dialog" in ast.unparse(d) for d in node.decorator_list):
                module = path.relative_to(REPOSITORY / "pages").with_suffix("").as_posix().replace("/", ".")
                yield f"{module}.{node.name}"


def test_every_dialog_is_opened_here() -> None:
    assert set(dialogs()) == set(OPENED)


@pytest.mark.parametrize("dialog", OPENED)
def test_no_dialog_carries_out_what_somebody_wrote(home: Home, monkeypatch: pytest.MonkeyPatch, dialog: str) -> None:
    fill(home)
    monkeypatch.syspath_prepend(str(REPOSITORY))
    # There is no navigation here: a link is its label.
    monkeypatch.setattr(st, "page_link", lambda _, *, label, **__: st.markdown(label))
    st.cache_data.clear()
    st.cache_resource.clear()
    module, _, name = dialog.rpartition(".")
    app = AppTest.from_string(f"{HERE}\nfrom pages.{module} import {name}\n{OPENED[dialog]}", default_timeout=30).run()
    assert not app.exception, app.exception
    assert alive(app) == []
