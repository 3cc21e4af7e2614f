"""`network import | show`: networks from NVIDIA's files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from engine.cli.follow import follow_to_end
from engine.cli.options import with_options
from engine.cli.output import Detach, Json, console, show, table
from engine.configs import NetworkConfig
from engine.gans.results import NetworkResult
from engine.jobs.submit import submit
from engine.store.errors import ErsatzError
from engine.store.home import Home

app = typer.Typer(no_args_is_help=True, help="Import StyleGAN2 networks (.pkl), or look into such a file.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A .pkl of stylegan2-ada-pytorch or stylegan3.")]


@app.command("import")
@with_options(NetworkConfig, omit=("source", "source_sha256"))
def import_(file: File, detach: Detach = False, as_json: Json = False, *, settings: dict[str, Any]) -> None:
    """Import a network file, to sample from it, to project into it and to start trainings from it."""
    if not settings.get("name"):
        raise ErsatzError("The network has no name; one is expected. Give it with --name.")
    run = submit(Home.from_environment(), NetworkConfig.build({"source": str(file), **settings}))
    if not detach:
        follow_to_end([run], [f"import {settings['name']}"])
    status = run.status()
    values = {"run": run.id, "state": str(run.state()), "path": str(run.path), "result": status.result}
    found = status.result_as(NetworkResult)
    text = found.sentence if found else "Importing in the background."
    show(values, as_json, f"{run.id}: {text}")


@app.command("show")
def show_(file: File, as_json: Json = False) -> None:
    """Tell what a network file holds, without writing anything."""
    from engine.gans.nvidia_pkl.importing import describe
    from engine.gans.nvidia_pkl.nvidia import count_parameters, read_networks

    networks = read_networks(file)
    counts = count_parameters(networks)
    values = {
        "path": str(file),
        "sentence": describe(networks),
        **networks.facts,
        "parameters": counts,
        "g_architecture": asdict(networks.g_architecture),
        "d_architecture": asdict(networks.d_architecture) if networks.d_architecture else None,
    }
    if as_json:
        show(values, True, "")
        return
    console.print(values["sentence"], soft_wrap=True, markup=False)
    console.print(table("", ["network", "parameters"], [[name, f"{count:,}"] for name, count in counts.items()]))
    a = networks.g_architecture
    rows = [
        ["z, w, mapping layers", f"{a.z_dim}, {a.w_dim}, {a.mapping_layers}"],
        ["channel base, max", f"{a.channel_base}, {a.channel_max}"],
        ["low precision, clamp", f"{a.num_fp16_res} highest resolutions, {a.conv_clamp or 'none'}"],
        ["written by", networks.facts["layout"]],
        ["augment p", networks.facts["augment_p"]],
    ]
    rows += [[f"training {name}", escape(str(value))] for name, value in networks.facts["training_set_kwargs"].items()]
    console.print(table("", ["", ""], rows))
