"""The program's own readers, each given a file of its kind as it would come in: nothing here is a stand-in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from engine.configs import ImportConfig
from engine.datasets.dataset_info import DatasetInfo
from engine.datasets.previewing import preview
from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.pictures.files import FilePicture
from engine.datasets.reading.tree import FolderTree
from engine.datasets.uploads import safe_path
from engine.features.weights import load_weights
from engine.gans.checkpoints import load_generator
from engine.gans.init_source import resolve_start
from engine.gans.nvidia_pkl.nvidia import read_networks
from engine.gans.stylegan2.networks import Discriminator, Generator
from engine.gans.transfer import start_players
from engine.jobs.kinds import parse_config
from engine.quality.quality_scores import QualityScores
from engine.review.comments import add_comment, comments_on, recent_comments
from engine.review.store import checked_name, checked_reason
from engine.sampling.exported import GeneratorInfo, read_info
from engine.sampling.latents import load_w, parse_seeds
from engine.sampling.pool_info import PoolInfo
from engine.sampling.sampler import Sampler
from engine.store.about import about, change_about, change_tags
from engine.store.errors import ErsatzError
from engine.store.files import write_json
from engine.store.home import Home
from engine.store.index import entries
from engine.store.parquet import read_parquet
from engine.store.roles import read_team
from engine.store.runs import Run, Status
from engine.sweep.summary_model import SweepSummary
from tests.hostile import valid

MAX_PIXELS = 64_000_000


def a_run(home: Home) -> Run:
    """A finished run to put files into."""
    run = Run(home, "20260101-000000-x-00000000")
    run.path.mkdir(parents=True, exist_ok=True)
    write_json(run.path / "config.json", valid.CONFIG)
    write_json(run.path / "status.json", valid.STATUS)
    return run


def _import(source: Path, home: Home) -> None:
    """As the import page looks at what somebody named."""
    preview(ImportConfig(name="d", source=str(source)), home, examples=2)


def _picture(ending: str) -> Callable[[bytes, Path, Home], None]:
    def read(content: bytes, folder: Path, home: Home) -> None:
        (folder / f"x.{ending}").write_bytes(content)
        picture = FilePicture(FolderTree(folder), f"x.{ending}")
        try:
            picture.facts(MAX_PIXELS)
            picture.decode(MAX_PIXELS)
        except BadPicture as error:
            raise ErsatzError(f"x.{ending} {error}.") from error

    return read


def _archive(ending: str) -> Callable[[bytes, Path, Home], None]:
    def read(content: bytes, folder: Path, home: Home) -> None:
        (folder / f"x.{ending}").write_bytes(content)
        _import(folder / f"x.{ending}", home)

    return read


def _csv(content: bytes, folder: Path, home: Home) -> None:
    for name in ("bleed", "no"):
        (folder / name).mkdir()
        for i in range(3):
            (folder / name / f"{i}.png").write_bytes(valid.picture("PNG", i + len(name)))
    (folder / "x.csv").write_bytes(content)
    for source in (folder, folder / "x.csv"):
        _import(source, home)


def _pickle(content: bytes, folder: Path, home: Home) -> None:
    (folder / "x.pkl").write_bytes(content)
    networks = read_networks(folder / "x.pkl")
    Generator(networks.g_architecture).load_state_dict(networks.g_ema)


def _onnx(content: bytes, folder: Path, home: Home) -> None:
    run = a_run(home)
    digest = hashlib.sha256(content).hexdigest()
    (run.path / "generator.onnx").write_bytes(content)
    info = {**valid.GENERATOR, "sha256": digest, "files": {"generator.onnx": digest}}
    write_json(run.path / "generator.json", info)
    Sampler.open(run.path, "cpu").sample([1, 2])


def _safetensors(content: bytes, folder: Path, home: Home) -> None:
    path = folder / "network-000000001.safetensors"
    path.write_bytes(content)
    try:
        load_generator(path)
    finally:
        from engine.gans.stylegan2.architecture import Architecture

        shape = Architecture(**valid.snapshot_facts("stylegan2-ada")["g_architecture"])
        players = {"G": Generator(shape), "D": Discriminator(shape), "G_ema": Generator(shape)}
        start_players(players, resolve_start(home, str(path)))


def _weights(content: bytes, folder: Path, home: Home) -> None:
    (folder / "x.pth").write_bytes(content)
    load_weights(folder / "x.pth")


def _latents(content: bytes, folder: Path, home: Home) -> None:
    (folder / "w.npz").write_bytes(content)
    load_w(folder / "w.npz", 8, 8)


def _json(content: bytes, folder: Path, home: Home) -> None:
    """Each file of the home that is JSON; a case by hand names its own."""
    run, text = a_run(home), content
    for name in ("dataset", "status", "generator", "about", "config", "pool", "scores", "summary"):
        (run.path / f"{name}.json").write_bytes(text)
    readers: list[Callable[[], object]] = [
        lambda: DatasetInfo.read(run.path / "dataset.json"),
        lambda: Status.read(run.path / "status.json"),
        lambda: GeneratorInfo.read(run.path / "generator.json"),
        lambda: read_info(run.path),
        lambda: PoolInfo.read(run.path / "pool.json"),
        lambda: QualityScores.read(run.path / "scores.json"),
        lambda: SweepSummary.read(run.path / "summary.json"),
        lambda: about(run),
        lambda: parse_config(run.config()),
    ]
    refused: ErsatzError | None = None
    for reader in readers:
        try:
            reader()
        except ErsatzError as error:
            refused = error
    entries(home)
    if refused:
        raise refused


def _jsonl(content: bytes, folder: Path, home: Home) -> None:
    run = a_run(home)
    run.metrics_path.write_bytes(content)
    run.read_metrics()


def _toml(content: bytes, folder: Path, home: Home) -> None:
    home.root.mkdir(exist_ok=True)
    (home.root / "team.toml").write_bytes(content)
    read_team(home).role("anna@clinic.example")


def _parquet(content: bytes, folder: Path, home: Home) -> None:
    (folder / "trials.parquet").write_bytes(content)
    read_parquet(folder / "trials.parquet")


def _sqlite(content: bytes, folder: Path, home: Home) -> None:
    a_run(home)
    (home.root / "ersatz.db").write_bytes(content)
    assert [entry.id for entry in entries(home)], "the index is made again from the folders"
    (home.root / "team.db").write_bytes(content)
    recent_comments(home)


def _text(content: bytes, folder: Path, home: Home) -> None:
    """Whatever somebody may write into a field, an address or the name of a file."""
    try:
        word = content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # no browser and no terminal sends such bytes as they are
        word = content.decode("utf-8", "replace")
    run = a_run(home)
    os.environ["HOME"] = str(folder)  # what "~" holds is no matter of the word
    refused: ErsatzError | None = None
    uses: list[Callable[[], object]] = [
        lambda: change_about(run, title=word),
        lambda: change_tags(run, [word]),
        lambda: add_comment(run, "Anna", word),
        lambda: add_comment(run, word, "A comment."),
        lambda: comments_on(run),
        lambda: parse_seeds(word),
        lambda: home.dataset(word),
        lambda: home.run(word).exists(),
        lambda: safe_path(word),
        lambda: checked_name(word),
        lambda: checked_reason(word),
        lambda: ImportConfig.build({"name": word, "source": word, "class_names": {word: word}}),
        lambda: ImportConfig.build({"name": "d", "source": "x", "csv": word, "image_column": word}),
        lambda: preview(ImportConfig.build({"name": "d", "source": word}), home),
        lambda: resolve_start(home, word),
        lambda: parse_config({"kind": word}),
        lambda: parse_config({"kind": "train", "gan": word, "dataset": word}),
    ]
    for use in uses:
        try:
            use()
        except ErsatzError as error:
            refused = error
            check_sentence(error)
    json.dumps(about(run).title).encode()
    if refused:
        raise refused


LONGEST = 4000
"""Characters of an error's sentence."""


def check_sentence(error: ErsatzError) -> None:
    """One line that no terminal and no page takes for anything else than text."""
    sentence = str(error)
    sentence.encode()
    assert len(sentence) <= LONGEST, f"a sentence of {len(sentence)} characters"
    assert sentence.isprintable(), f"a sentence with {[sign for sign in sentence if not sign.isprintable()][:3]}"


READERS: dict[str, Callable[[bytes, Path, Home], None]] = {
    "pickle": _pickle, "onnx": _onnx, "safetensors": _safetensors, "weights": _weights, "zip": _archive("zip"),
    "png": _picture("png"), "jpeg": _picture("jpg"), "tiff": _picture("tif"), "dicom": _picture("dcm"),
    "npz": _archive("npz"), "csv": _csv, "json": _json, "jsonl": _jsonl, "toml": _toml, "parquet": _parquet,
    "sqlite": _sqlite, "latents": _latents, "text": _text,
}  # fmt: skip
"""By kind: reads the content with an empty folder for the file and an empty home."""
