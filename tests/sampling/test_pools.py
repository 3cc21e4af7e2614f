"""Pools: the same images however often the making was interrupted, and refusals that keep a sweep honest."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from engine.configs import PoolConfig
from engine.datasets.dataset import Dataset
from engine.gpus import Gpu
from engine.sampling import graphs
from engine.sampling.pools import Pool, make_pool, pool_zip
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json, write_text
from engine.store.hashing import sha256_file, sha256_pixels
from engine.store.runs import Run, create_run


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made_files(run: Run) -> dict[str, bytes]:
    own = ("images/", "manifest.csv", "training_images.txt", "pool.json")
    return {name: content for name, content in files_below(run.path).items() if name.startswith(own)}


def begin(home, *generators: Run, **changes) -> tuple[Run, PoolConfig]:
    references = [{"run": run.id, "sha256": sha256_file(run.path / "generator.onnx")} for run in generators]
    values = {"name": "pool", "dataset": "tiny", "generators": references, "images_per_class": 10, "batch": 4}
    config = PoolConfig.build({**values, **changes})
    return create_run(home, config.plain(), "pool"), config


@pytest.fixture
def pair(make_generator) -> tuple[Run, Run]:
    return make_generator("bleed"), make_generator("normal")


def test_a_pool_holds_what_its_manifest_says(home, pair):
    run, config = begin(home, *pair, first_seed=5)
    seen = []
    assert make_pool(run, config, report=seen.append) == "finished"
    assert [progress.done for progress in seen] == [0, 4, 8, 10, 14, 18, 20]
    assert {(progress.total, progress.unit) for progress in seen} == {(20, "images")}

    pool = Pool.open(run)
    assert pool.classes == ["bleed", "normal"]
    assert pool.training_hashes == {"bleed-1", "bleed-2", "normal-1", "normal-2"}
    rows = pool.rows("normal")
    assert list(rows["seed"]) == list(range(5, 15))
    assert next(iter(rows["path"])) == "images/normal/000005.png"
    assert set(rows["generator_sha256"]) == {sha256_file(pair[1].path / "generator.onnx")}

    pixels = pool.pixels(rows)
    np.testing.assert_array_equal(pixels, Sampler.open(pair[1].path).sample(range(5, 15)))
    assert list(rows["sha256"]) == [sha256_pixels(image[:, :, 0]) for image in pixels]  # the stored form is [H, W]


def test_a_conditional_generator_makes_a_colour_pool_alone(home, make_generator):
    generator = make_generator(conditional=True, channels=3)
    run, config = begin(home, generator)
    make_pool(run, config)
    pool = Pool.open(run)
    pixels = pool.pixels(pool.rows("normal"))
    np.testing.assert_array_equal(pixels, Sampler.open(generator.path).sample(range(10), "normal"))
    assert pool.rows("normal")["sha256"].iloc[0] == sha256_pixels(pixels[0])
    assert Image.open(run.path / "images/normal/000000.png").mode == "RGB"


def test_pool_json_says_what_made_it_and_is_read_from_before_there_was_truncation(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    found = read_json(run.path / "pool.json")
    made = {"name": "pool", "dataset": "tiny", "size": 16, "channels": 1, "mode": "L", "classes": ["bleed", "normal"]}
    assert found == {
        "version": 1,
        **made,
        "dataset_fingerprint": Dataset.open(home, "tiny").fingerprint,
        "generators": [
            {"run": maker.run, "sha256": maker.sha256, "classes": [name]}
            for maker, name in zip(config.generators, ("bleed", "normal"), strict=True)
        ],
        "psi": 1.0,
        "psi_cutoff": 0,
        "noise": "const",
        "origin": None,
        "training_sha256": sha256_file(run.path / "training_images.txt"),
    }
    later = ("version", "psi", "psi_cutoff", "noise", "origin")
    write_json(run.path / "pool.json", {key: value for key, value in found.items() if key not in later})
    assert Pool.open(run).info.plain() == found
    write_json(run.path / "pool.json", {**found, "dataset_fingerprint": ""})
    with pytest.raises(ErsatzError, match=r"pool\.json is not as this program writes it \(dataset_fingerprint"):
        Pool.open(run).require_made_for(Dataset.open(home, "tiny"))


def test_a_list_of_training_images_that_was_changed_hides_no_leak(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    (run.path / "training_images.txt").write_text("bleed-1\nbleed-2\nnormal-1\n")
    with pytest.raises(ErsatzError, match="not the list that"):
        _ = Pool.open(run).training_hashes
    write_json(run.path / "pool.json", read_json(run.path / "pool.json") | {"training_sha256": ""})
    assert Pool.open(run).training_hashes == {"bleed-1", "bleed-2", "normal-1"}  # a pool of before has no hash
    (pair[0].path / "training_images.txt").write_text("bleed-1\nble")
    with pytest.raises(ErsatzError, match="damaged; without the list"):
        make_pool(begin(home, *pair)[0], config)


def test_a_pool_of_one_class_needs_and_makes_only_that(home, make_generator):
    generator = make_generator("bleed")
    run, config = begin(home, generator, only_classes=("bleed",))
    seen = []
    assert make_pool(run, config, report=seen.append) == "finished"
    assert {(progress.done, progress.total) for progress in seen} == {(0, 10), (4, 10), (8, 10), (10, 10)}
    pool = Pool.open(run)
    assert pool.classes == list(pool.info.classes) == ["bleed"]
    assert {path.name for path in (run.path / "images").iterdir()} == {"bleed"}
    pixels = pool.pixels(pool.rows())
    np.testing.assert_array_equal(pixels, Sampler.open(generator.path).sample(range(10)))


def test_some_classes_of_a_conditional_generator_are_those_of_the_whole_pool(home, make_generator):
    generator = make_generator(conditional=True)
    whole, config = begin(home, generator)
    make_pool(whole, config)
    some, config = begin(home, generator, only_classes=("normal",))
    answers = iter([False, True])
    assert make_pool(some, config, should_stop=lambda: next(answers)) == "stopped"
    assert make_pool(some, config) == "finished"
    wanted = Pool.open(whole).rows("normal").reset_index(drop=True)
    assert Pool.open(some).rows().reset_index(drop=True).equals(wanted)


def test_a_class_that_the_data_set_does_not_have_is_refused(home, pair):
    run, config = begin(home, *pair, only_classes=("bleed", "tumour"))
    with pytest.raises(ErsatzError, match="only_classes names tumour; tiny has the classes bleed, normal"):
        make_pool(run, config)
    with pytest.raises(ErsatzError, match=r"makes normal .* each of only_classes is expected"):
        make_pool(*begin(home, pair[0], only_classes=("normal",)))


@pytest.mark.parametrize("batches", [0, 1, 4])
def test_a_stopped_pool_resumes_to_the_same_files(home, pair, batches):
    whole, config = begin(home, *pair)
    make_pool(whole, config)

    stopped, _ = begin(home, *pair)
    answers = iter([False] * batches + [True])
    assert make_pool(stopped, config, should_stop=lambda: next(answers)) == "stopped"
    with pytest.raises(ErsatzError, match="no finished pool"):
        Pool.open(stopped)
    assert make_pool(stopped, config) == "finished"
    assert made_files(stopped) == made_files(whole)


def test_a_killed_pool_resumes_to_the_same_files(home, pair):
    whole, config = begin(home, *pair, images_per_class=500, batch=16)
    killed, _ = begin(home, *pair, images_per_class=500, batch=16)
    script = (
        "import sys; from engine.jobs.kinds import parse_config; from engine.sampling.pools import make_pool\n"
        "from engine.store.home import Home; from engine.store.runs import Run\n"
        f"run = Run(Home.from_environment(), {killed.id!r}); make_pool(run, parse_config(run.config()))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while len(list(killed.path.glob("images/*/*.png"))) < 50 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert process.returncode != 0
    assert 50 <= len(list(killed.path.glob("images/*/*.png"))) < 1000
    assert not (killed.path / "manifest.csv").exists()

    make_pool(killed, config)
    make_pool(whole, config)
    assert made_files(killed) == made_files(whole)


def test_leftovers_and_damaged_images_are_made_again(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    expected = made_files(run)
    (run.path / "manifest.csv").unlink()
    (run.path / "images/bleed/000001.png").write_bytes(expected["images/bleed/000001.png"][:60])
    (run.path / "images/bleed/.000002.png.leftover").write_bytes(b"half")
    (run.path / "images/normal/000009.png").unlink()
    make_pool(run, config)
    assert made_files(run) == expected


def test_one_class_must_not_be_missing(home, pair):
    with pytest.raises(ErsatzError, match="No generator of the pool makes normal"):
        make_pool(*begin(home, pair[0]))


def test_a_generator_of_all_classes_without_labels_is_refused(home, make_generator):
    with pytest.raises(ErsatzError, match="they make no class"):
        make_pool(*begin(home, make_generator()))


@pytest.fixture
def twice(pair, make_generator) -> tuple[Run, ...]:
    """Two generators of each class."""
    return (*pair, *(make_generator(name, trained={"seed": 1}) for name in ("normal", "bleed")))


def test_several_generators_of_a_class_each_make_as_many_images(home, twice):
    run, config = begin(home, *twice, images_per_class=4, batch=3)
    answers = iter([False, False, False, True])
    assert make_pool(run, config, should_stop=lambda: next(answers)) == "stopped"
    before = made_files(run)
    assert make_pool(run, config) == "finished"
    pool = Pool.open(run)
    rows = pool.rows()
    assert before.items() <= made_files(run).items()
    assert rows["sha256"].nunique() == len(rows) == 2 * 2 * 4
    makers = pool.makers(rows)
    assert pool.generators_a_class == makers.count == 2
    for number, (bleed, normal) in enumerate((twice[:2], twice[:1:-1])):
        own = rows[makers.of == number]
        assert dict(zip(own["class"], own["generator"], strict=True)) == {"bleed": bleed.id, "normal": normal.id}
        assert (own["class"].value_counts() == 4).all()
    alone, config = begin(home, *twice[:2], images_per_class=4)
    make_pool(alone, config)
    assert list(Pool.open(alone).rows()["sha256"]) == list(rows[makers.of == 0]["sha256"])


def test_generators_of_a_class_must_be_equally_many_different_and_alike(home, pair, make_generator):
    with pytest.raises(ErsatzError, match="2 generators make the class bleed, and 1 normal; equally many of each"):
        make_pool(*begin(home, *pair, make_generator("bleed", trained={"seed": 1})))
    again = [make_generator(name, trained={"snapshot_ticks": 3}) for name in ("bleed", "normal")]
    with pytest.raises(ErsatzError, match=r"class bleed \(.*\) are not different ones"):
        make_pool(*begin(home, *pair, *again))
    longer = [make_generator(name, trained={"seed": 1, "kimg": 7.0}) for name in ("bleed", "normal")]
    with pytest.raises(ErsatzError, match=r"trained with different settings \(kimg: 100.0 and 7.0\)"):
        make_pool(*begin(home, *pair, *longer))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"dataset_fingerprint": "e" * 64}, "trained on another split than tiny has now"),
        ({"size": 32}, "makes L images of 32 px; L of 16 px are expected"),
        ({"channels": 3}, "makes RGB images of 16 px; L of 16 px are expected"),
    ],
)
def test_generators_of_different_data_are_refused(home, make_generator, change, named):
    run, config = begin(home, make_generator("bleed"), make_generator("normal", **change))
    with pytest.raises(ErsatzError, match=named):
        make_pool(run, config)
    assert not made_files(run)


def test_a_pool_for_another_split_is_refused(home, pair):
    with pytest.raises(ErsatzError, match=r"This pool was made for the split a{12}\.\.\. of the data set tiny"):
        make_pool(*begin(home, *pair, dataset_fingerprint="a" * 64))


def test_a_data_set_thawed_or_deleted_is_a_sentence(home, pair):
    info = read_json(home.dataset("tiny") / "dataset.json")
    write_json(home.dataset("tiny") / "dataset.json", {**info, "frozen": None})
    with pytest.raises(ErsatzError, match="frozen"):
        make_pool(*begin(home, *pair))
    shutil.rmtree(home.dataset("tiny"))
    with pytest.raises(ErsatzError, match="There is no data set tiny"):
        make_pool(*begin(home, *pair))


def test_a_generator_exported_again_is_refused(home, pair):
    references = [{"run": run.id, "sha256": "0" * 64} for run in pair]
    with pytest.raises(ErsatzError, match="exported again since"):
        make_pool(*begin(home, *pair, generators=references))


def test_a_begun_pool_stays_with_its_generators(home, make_generator):
    """Without hashes in the config nothing else would notice that the second half comes from another generator."""
    first, second = make_generator("bleed"), make_generator("normal")
    run, config = begin(home, generators=[{"run": first.id}, {"run": second.id}])
    answers = iter([False, True])
    make_pool(run, config, should_stop=lambda: next(answers))
    other = make_generator("other", classes=["bleed"], run=first.id)
    for name in ("generator.onnx", "generator.json"):
        (first.path / name).write_bytes((other.path / name).read_bytes())
    with pytest.raises(ErsatzError, match="begun with other generators"):
        make_pool(run, config)


def test_unknown_training_images_are_refused(home, pair):
    (pair[0].path / "training_images.txt").unlink()
    run, config = begin(home, *pair)
    with pytest.raises(ErsatzError, match="leaks into the test set cannot be ruled out"):
        make_pool(run, config)
    assert not made_files(run)


def test_a_full_disk_is_a_sentence_and_resumable(home, pair, monkeypatch):
    whole, config = begin(home, *pair)
    make_pool(whole, config)
    run, _ = begin(home, *pair)
    save, calls = Image.Image.save, []

    def full(self, *arguments):
        calls.append(1)
        if len(calls) == 7:
            raise OSError(28, "No space left on device")
        save(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", full)
        with pytest.raises(ErsatzError, match="is full"):
            make_pool(run, config)
    assert len(list((run.path / "images").rglob("*"))) == 1 + 6  # one class folder, no half-written image
    make_pool(run, config)
    assert made_files(run) == made_files(whole)


def test_a_changed_image_is_a_sentence(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    Image.new("L", (16, 16)).save(run.path / "images/bleed/000003.png")
    pool = Pool.open(run)
    with pytest.raises(ErsatzError, match=r"000003\.png is missing or was changed"):
        pool.pixels(pool.rows())
    assert pool.pixels(pool.rows("normal")).shape == (10, 16, 16, 1)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '"path'])
def test_a_foreign_manifest_is_a_sentence(home, pair, content):
    run, config = begin(home, *pair)
    make_pool(run, config)
    write_text(run.path / "manifest.csv", content)
    with pytest.raises(ErsatzError, match="is not the manifest of a pool"):
        _ = Pool.open(run).manifest


def test_excluded_images_leave_rows_and_zip(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    pool = Pool.open(run)
    before, images = pool.sha256, pool.images_sha256
    pool.exclude(["images/bleed/000002.png"], "rejected")
    assert len(pool.rows()) == 19  # the pool at hand knows it too

    assert make_pool(run, config) == "finished"  # and keeps what was excluded
    pool = Pool.open(run)
    assert pool.sha256 != before
    assert pool.images_sha256 == images
    assert (len(pool.manifest), len(pool.rows()), len(pool.rows("bleed"))) == (20, 19, 9)
    assert (run.path / "images/bleed/000002.png").is_file()
    with zipfile.ZipFile(io.BytesIO(pool_zip(pool))) as archive:
        labels = json.loads(archive.read("dataset.json"))["labels"]
        assert len(labels) == 19
        assert ["bleed/000001.png", 0] in labels
        assert ["normal/000002.png", 1] in labels
        assert archive.read("bleed/000001.png") == (run.path / "images/bleed/000001.png").read_bytes()
        assert "bleed/000002.png" not in archive.namelist()


def test_restored_images_are_back_as_if_never_excluded(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    expected = made_files(run)
    pool = Pool.open(run)
    paths = list(pool.rows()["path"][3:8])
    pool.exclude(paths, 'blurred, says "M.",\nand dark')
    assert list(pool.manifest["excluded"][3:8]) == ['blurred, says "M.", and dark'] * 5
    assert list(pool.left_out["path"]) == list(pool.manifest["path"][3:8])
    pool.exclude(paths[0:2], "copy")
    pool.restore(paths[1:])
    reasons = Pool.open(run).manifest.set_index("path")["excluded"]
    assert reasons[paths[0]] == 'blurred, says "M.", and dark'  # the first reason stays
    assert (reasons != "").sum() == 1
    pool.restore(paths)
    assert made_files(run) == expected


def test_two_who_exclude_at_once_both_succeed(home, pair):
    """A change is made to the manifest as it is, not as it was when the pool was opened."""
    run, config = begin(home, *pair)
    make_pool(run, config)
    one, other = Pool.open(run), Pool.open(run)
    paths = list(one.rows()["path"])
    assert len(other.rows()) == 20
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda path: Pool.open(run).exclude([path], "seen"), paths[:8]))
    one.exclude(paths[8:9], "seen")
    other.exclude(paths[9:10], "seen")
    assert list(other.rows()["path"]) == paths[10:]
    assert len(Pool.open(run).rows()) == 10
    assert not list(run.path.glob(".manifest.csv.*"))


def test_what_cannot_be_excluded_is_refused_and_changes_nothing(home, pair):
    run, config = begin(home, *pair)
    make_pool(run, config)
    before = made_files(run)
    pool = Pool.open(run)
    with pytest.raises(ErsatzError, match=r"000099\.png and 1 more is not in the manifest"):
        pool.exclude(["images/bleed/000001.png", "images/bleed/000099.png", "images/bleed/000100.png"], "seen")
    with pytest.raises(ErsatzError, match="without a reason"):
        pool.exclude(["images/bleed/000001.png"], " ")
    with pytest.raises(ErsatzError, match="is not in the manifest"):
        pool.restore(["images/bleed/1.png"])
    assert made_files(run) == before


def test_a_full_disk_while_excluding_leaves_the_manifest(home, pair, monkeypatch):
    run, config = begin(home, *pair)
    make_pool(run, config)
    before = made_files(run)
    pool = Pool.open(run)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    with pytest.raises(ErsatzError, match="is full"):
        pool.exclude(["images/bleed/000001.png"], "seen")
    assert made_files(run) == before
    assert len(pool.rows()) == 20


def test_a_pool_says_what_made_it_and_where_that_is_not_the_gpu_that_is_there(home, pair, monkeypatch):
    run, config = begin(home, *pair)
    run.update(device="cuda:0")  # by its supervisor, for the slot
    make_pool(run, config)
    assert run.status().device.startswith("CPU, ")
    assert run.status().alarms == ()

    run, config = begin(home, *pair)
    monkeypatch.setattr(graphs, "visible", lambda: (Gpu(0, "", "Card", 0),))
    monkeypatch.setattr(graphs, "without_cuda", lambda: "the driver is too old; update it")
    make_pool(run, config)
    assert run.status().device.startswith("CPU, ")
    (alarm,) = run.status().alarms
    assert alarm.name == "sampled-on-cpu"
    assert "images are sampled on the CPU all the same: the driver is too old; update it." in alarm.sentence
