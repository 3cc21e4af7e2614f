"""The Python interface: `engine.Workspace`, which makes runs, and `engine.Run`, which waits for what they give.

It does what the command line does, through the same configs and the same processes: what is started here is seen in the
dashboard, goes on when this process ends, and is told on as ever with `python -m engine runs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.follow import follow
from engine.configs import (
    Config,
    GeneratorReference,
    ImportConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
)
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig, usual_name
from engine.datasets.dataset import Dataset
from engine.jobs import submit as jobs
from engine.store import runs as store
from engine.store.errors import ErsatzError
from engine.store.home import Home


class Run(store.Run):
    """A run: a training, a pool, a check or a sweep, which lives in a process of its own.

    Attributes:
        home: The folder with everything.
        id: Its name among the runs.

    Example:
        >>> run = engine.Workspace("my-study").runs("sweep")[0]
        >>> run.result()["verdict"]
        'no evidence'
    """

    def result(self, progress: bool = True) -> dict[str, Any]:
        """Wait for the end of the run.

        Ctrl-C (in a notebook: interrupt) stops the run at its next safe point; a second one leaves it to itself.

        Args:
            progress: Show a bar, with the time left as far as it is known, on standard error.

        Returns:
            What the run found, as `status.json` keeps it: of a sweep its `verdict` and `sentence`, of a check its
            `flags`, of a training often nothing but its files in `path`.

        Raises:
            ErsatzError: The run failed, with its own sentence; or it was stopped, with how to go on.

        Example:
            >>> run.result(progress=False)["sentence"]
            'no evidence that synthetic images help or harm: ...'
        """
        state = follow([self], [self.status().label or self.id])[0] if progress else jobs.wait(self)
        if state is store.State.FINISHED:
            return self.status().result
        raise ErsatzError(
            self.status().error or f"Run {self.id} is {state}. `Run.resume()` goes on from what it had saved."
        )

    def stop(self) -> None:
        """Ask the run to stop at its next safe point; it can be resumed.

        Raises:
            ErsatzError: It is not queued or running.

        Example:
            >>> run.stop()
        """
        jobs.stop(self)

    def resume(self, place: str = "") -> None:
        """Go on with a stopped, failed or interrupted run, with the same numbers as if it had never stopped.

        Args:
            place: "here" or "slurm", to go on there; by default where it was.

        Raises:
            ErsatzError: It is active or finished, or cannot go on at that place.

        Example:
            >>> run.resume()
        """
        jobs.resume(self, place)


class Workspace:
    """A folder with data sets and runs, and everything that can be made in it.

    Args:
        path: The folder, made when something is written. By default `ERSATZ_HOME`, else `checkpoints/`, as for the
            command line.
        place: Where runs are done unless a method is told otherwise: "here", on this machine, or "slurm", on the
            cluster of the folder's `cluster.toml`. By default what that file says for the kind of run, else here.

    Example:
        >>> work = engine.Workspace("my-study")
    """

    def __init__(self, path: str | Path | None = None, place: str = ""):
        self.place = place
        self.home = Home(Path(path).expanduser().resolve()) if path is not None else Home.from_environment()

    def import_dataset(self, source: str | Path = "", *, name: str, **settings: Any) -> Dataset:
        """Import images, audit them, split them, and freeze the split if nothing speaks against it; waits for the end.

        Args:
            source: A folder with a folder for each class, a folder with a CSV, a ZIP, an `.npz` of MedMNIST, DICOM
                files, or `medmnist:NAME`. Empty with `layout="phantom"`.
            name: Name of the data set.
            **settings: Fields of `engine.configs.ImportConfig`, such as `size` (pixels along an edge), `mode` ("L" or
                "RGB"), `label_column`, `group_column`.

        Returns:
            The data set; `info["audit"]` tells what was found, and `classes`, `size` (pixels) and `rows(split)` what
            it holds.

        Raises:
            ErsatzError: There is such a data set, the source cannot be read, or a setting is wrong.

        Example:
            >>> scans = work.import_dataset("~/scans", name="scans", size=64)
        """
        given = str(Path(source).expanduser()) if source and not str(source).startswith("medmnist:") else str(source)
        config = ImportConfig.build({"source": given, "name": name, **settings})
        self._submit(config, place=store.HERE).result()
        return Dataset.open(self.home, name)

    def dataset(self, name: str) -> Dataset:
        """A data set that was imported before.

        Args:
            name: Its name.

        Returns:
            The data set.

        Raises:
            ErsatzError: There is none of that name.

        Example:
            >>> work.dataset("scans").classes
            ['bleed', 'normal']
        """
        return Dataset.open(self.home, name)

    def train(
        self, dataset: Dataset | str, *, gan: str = "dcgan", generators: int = 1, place: str = "", **settings: Any
    ) -> list[Run]:
        """Start training a generator for each class, or one for all with `conditional=True`.

        Args:
            dataset: A frozen data set, or its name; its training split alone is used.
            gan: "dcgan" or "stylegan2-ada".
            generators: Generators of each class, 1 to 5, each with a seed of its own; a pool of several lets a sweep
                tell the luck of their training from a result.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.DcganConfig` or `StyleganConfig`, such as `kimg` (length in thousands
                of images shown), `batch` (images), `class_name`, `seed`.

        Returns:
            The runs, in the order of the classes; they are queued where the device is busy.

        Raises:
            ErsatzError: The data set is not frozen, a setting is wrong, or such a run is active.

        Example:
            >>> generators = work.train(scans, kimg=50)
        """
        found = dataset if isinstance(dataset, Dataset) else self.dataset(dataset)
        configs, beside = jobs.trainings_by_class(
            {**settings, "gan": gan, "dataset": found.name}, lambda: found.classes, generators
        )
        return [self._submit(config, place, beside) for config in configs]

    def sample(self, generators: Run | Sequence[Run], *, name: str, place: str = "", **settings: Any) -> Run:
        """Start making a pool of synthetic images; waits for trainings that are not finished.

        Args:
            generators: The trainings: one of each class, or a conditional one; or several of each.
            name: Name of the pool.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.PoolConfig`, such as `images_per_class`, `first_seed`, `psi`.

        Returns:
            The run of the pool; `path / "images"` holds a PNG for each seed.

        Raises:
            ErsatzError: A training failed, or a setting is wrong.

        Example:
            >>> pool = work.sample(generators, name="scans", images_per_class=200)
        """
        runs = [self._finished(run) for run in ([generators] if isinstance(generators, store.Run) else generators)]
        references = tuple(GeneratorReference(run=run.id) for run in runs)
        dataset = runs[0].config()["dataset"]
        config = PoolConfig.build({**settings, "name": name, "dataset": dataset, "generators": references})
        return self._submit(config, place)

    def import_pool(self, source: str | Path, dataset: Dataset | str, *, place: str = "", **settings: Any) -> Run:
        """Start importing synthetic images that were made elsewhere, in the form of a data set's real images.

        Args:
            source: A folder with a folder for each class, a ZIP, or a CSV with labels.
            dataset: The frozen data set that they are to be evaluated on, or its name.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.pools.ImportedPoolConfig`, such as `name`, `classes` (labels as found
                -> classes), `trained_on` ("training", "unknown" or a file of SHA-256), `made_by`.

        Returns:
            The run of the pool, which `check`, `sweep` and `mix` take like any other.

        Raises:
            ErsatzError: It is not clear which class a label is, the images cannot be read, or the generator saw test
                images.

        Example:
            >>> pool = work.import_pool("~/diffusion", scans, name="diffusion", trained_on="unknown")
        """
        given = str(Path(source).expanduser())
        values = {"name": usual_name(given), **settings, "source": given, "dataset": _name_of(dataset)}
        return self._submit(ImportedPoolConfig.build(values), place)

    def control(
        self,
        kind: str,
        dataset: Dataset | str = "",
        *,
        name: str,
        pool: Run | None = None,
        place: str = "",
        **settings: Any,
    ) -> Run:
        """Start making a control: a pool whose effect is known, to see what a sweep would notice.

        Args:
            kind: "held-back" (real training images, which a new data set is without), "noise" or "shuffled".
            dataset: A frozen data set, or its name; for "shuffled" the pool's own.
            name: Name of the pool.
            pool: The pool whose images get shuffled labels.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.pools.ControlPoolConfig`, such as `images_per_class`, `seed`.

        Returns:
            The run of the pool.

        Raises:
            ErsatzError: There are too few images, or a setting is wrong.

        Example:
            >>> work.sweep(work.control("noise", scans, name="noise")).result()["verdict"]
            'harms'
        """
        own = self._finished(pool).config()["dataset"] if pool is not None else ""
        values = {**settings, "control": kind, "name": name, "dataset": _name_of(dataset) or own}
        config = ControlPoolConfig.build({**values, "pool": pool.id if pool is not None else ""})
        return self._submit(config, place)

    def mix(self, pools: Sequence[Run], *, name: str, place: str = "", **settings: Any) -> Run:
        """Start mixing the images of several pools in fixed shares, as one pool; waits for the pools.

        Args:
            pools: Two or more pools for one data set.
            name: Name of the mixture.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.pools.MixedPoolConfig`, such as `shares`, `images_per_class`.

        Returns:
            The run of the pool.

        Raises:
            ErsatzError: The pools do not fit together, or a setting is wrong.

        Example:
            >>> both = work.mix([gan, diffusion], name="both", shares=(0.5, 0.5))
        """
        runs = [self._finished(pool) for pool in pools]
        references = tuple({"run": run.id} for run in runs)
        dataset = runs[0].config()["dataset"] if runs else ""
        config = MixedPoolConfig.build({**settings, "name": name, "dataset": dataset, "pools": references})
        return self._submit(config, place)

    def rank(self, sweeps: Sequence[Run]) -> dict[str, Any]:
        """Rank the pools of sweeps that differ in the pool alone; waits for the sweeps.

        Args:
            sweeps: Two or more sweeps with the same data set, classifier, seeds and shares.

        Returns:
            `sentences`, which say what is told apart, and `ranking`, a row of text for each pool, the best first.

        Raises:
            ErsatzError: A sweep failed, or they differ in more than the pool.

        Example:
            >>> work.rank([work.sweep(gan), work.sweep(diffusion)])["sentences"][0]
            'Corrected for 2 pools and 4 shares with their mean, no pool is shown to help or to harm.'
        """
        from engine.report.pool_ranking import rank_sweeps, readable_ranking

        found = rank_sweeps([self._finished(sweep) for sweep in sweeps])
        return {"sentences": list(found.ranking.sentences), "ranking": readable_ranking(found).to_dict("records")}

    def check(self, pool: Run, *, place: str = "", **settings: Any) -> Run:
        """Start scoring a pool beside what real images score, and searching it for copies; waits for the pool.

        Args:
            pool: The run of a pool.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.QualityConfig`, such as `extractor`, or `exclude="copies"`, which
                takes what looks like a copy out of the pool.

        Returns:
            The run of the check.

        Raises:
            ErsatzError: The pool failed, or a setting is wrong.

        Example:
            >>> work.check(pool, exclude="copies").result()["flags"]
            {'copy': 21, 'near-copy': 14, 'repeat': 2}
        """
        dataset = self._finished(pool).config()["dataset"]
        config = QualityConfig.build({"name": dataset, **settings, "dataset": dataset, "pool": pool.id})
        return self._submit(config, place)

    def sweep(self, pool: Run, *, place: str = "", **settings: Any) -> Run:
        """Start training the classifier with growing shares of synthetic images, and the controls; waits for the pool.

        Args:
            pool: The run of a pool.
            place: "here" or "slurm"; by default the workspace's.
            **settings: Fields of `engine.configs.SweepConfig`, such as `seeds` (paired repetitions; at least 6 for a
                claim), `steps`, `ratios` (synthetic images per real one), `classifier`, `metric`.

        Returns:
            The run of the sweep, whose result holds the `verdict`.

        Raises:
            ErsatzError: The pool failed or is too small, or a setting is wrong.

        Example:
            >>> work.sweep(pool, seeds=8).result()["verdict"]
            'no evidence'
        """
        dataset = self._finished(pool).config()["dataset"]
        config = SweepConfig.build({"name": dataset, **settings, "dataset": dataset, "pool": pool.id})
        return self._submit(config, place)

    def report(self, sweep: Run) -> Path:
        """Write the report of a sweep anew, with its tables as CSV beside it; waits for the sweep.

        Args:
            sweep: The run of a sweep.

        Returns:
            The HTML file, which holds its pictures and figures.

        Raises:
            ErsatzError: The sweep failed.

        Example:
            >>> work.report(sweep).name
            'report.html'
        """
        from engine.report.html import write_report

        return write_report(self._finished(sweep))

    def runs(self, kind: str | None = None) -> list[Run]:
        """The runs there are, the newest first.

        Args:
            kind: Only those of a kind: "train", "pool", "quality", "sweep" and so on.

        Returns:
            The runs, started from wherever. Those that are damaged come last: their state is `State.DAMAGED`, and
            `damage()` says in a sentence what is wrong.

        Example:
            >>> [run.state() for run in work.runs("train")]
            [<State.FINISHED: 'finished'>, <State.FINISHED: 'finished'>]
        """
        found = [Run(self.home, run.id) for run in store.list_runs(self.home, kind)]
        damaged = [Run(self.home, run_id) for run_id in store.damaged_runs(self.home)]
        return found + [run for run in damaged if kind is None or _kind(run) == kind]

    def _submit(self, config: Config, place: str = "", beside: int = 1) -> Run:
        return Run(self.home, jobs.submit(self.home, config, beside=beside, place=place or self.place).id)

    def _finished(self, run: store.Run) -> Run:
        """The run once it has finished; an `ErsatzError` if it does not."""
        own = Run(run.home, run.id)
        if own.state() is not store.State.FINISHED:
            own.result()
        return own


def _kind(run: store.Run) -> str:
    """The kind of a run; empty where its folder is too damaged to tell."""
    try:
        return run.kind
    except ErsatzError:
        return ""


def _name_of(dataset: Dataset | str) -> str:
    return dataset.name if isinstance(dataset, Dataset) else dataset
