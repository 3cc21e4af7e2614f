"""`python -m engine project`: a real image into a generator's w."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.follow import follow_to_end
from engine.cli.options import with_options
from engine.cli.output import Detach, Json, Place, console, show
from engine.configs import ProjectionConfig
from engine.jobs import submit as jobs
from engine.projection.results import ProjectionResult
from engine.store.home import Home


@with_options(ProjectionConfig, omit=("generator", "generator_sha256", "image"))
def project(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A StyleGAN2-ADA training or an imported network.")],
    image: Annotated[Path, typer.Argument(help="Picture to project: PNG, JPEG, TIFF, DICOM, ...")],
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Find the w whose image comes nearest to a real image: projected.png, w.npz and a video."""
    config = ProjectionConfig.build({**settings, "generator": run_id, "image": str(image)})
    run = jobs.submit(Home.from_environment(), config, place=place)
    if detach:
        show({"run": run.id}, as_json, f"On its way in the background as {run.id}.")
        return
    follow_to_end([run], [f"project {image.name}"])
    found = run.status().result_as(ProjectionResult)
    assert found is not None
    lines = [f"Distance ({found.loss}) {found.distance:.4g}, of w alone {found.distance_of_w_alone:.4g}."]
    lines += [found.notice] if found.notice else []
    show({"run": run.id, "path": str(run.path), **found.plain()}, as_json, "\n".join(lines))
    if not as_json:
        console.print(f"Images and w: {run.path}", soft_wrap=True)
