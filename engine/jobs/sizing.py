"""How long a journey's trainings and trials may be, so that it ends within some minutes on this machine.

The machine is measured first, with as many processes at work as there will be; what is chosen depends on the clock
alone and never on a result. The choice is kept in the journey's folder: resumed, it goes on with the same lengths.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.configs import PipelineConfig, SweepConfig, parse_training
from engine.jobs.cores import threads_environment
from engine.jobs.slots import CPU, borrowed_gpu, cuda_slots, usable_cores
from engine.jobs.submit import side_by_side
from engine.publications.presets import SIZES, preset, step_settings
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json
from engine.store.home import Home
from engine.store.processes import module_command, module_environment
from engine.store.repair import whole
from engine.store.runs import Run
from engine.sweep.arms import plan

FILE = "size.json"
MOST_PROCESSES = 8
"""That measure, at most, to begin quickly; how trials on more cores slow each other down was not measured."""
MARGIN = 0.95
"""Share of the minutes that is planned for, since the machine may be slower later than when it was measured."""
LOADS = {"import": 1.5, "train": 2.0, "pool": 1.0, "quality": 4.5, "sweep": 2.0}
"""What each step takes besides training, in times that a process needs to load torch; as seen on 2 cores."""


@dataclass(frozen=True)
class Pace:
    """What was measured, in seconds."""

    load: float
    """Until a new process has loaded torch."""
    kimg: float
    """Of a generator's training, so many side by side as there will be."""
    step: float
    """Of a trial's training, side by side likewise."""
    generators: int
    """Generators that are trained side by side."""
    trials: int
    """Trials that are trained side by side."""


@dataclass(frozen=True)
class Sized:
    """The size of a journey, and the seconds that its steps are expected to take."""

    size: str
    seconds: dict[str, float]
    sentence: str
    """What was measured and chosen, for people."""


def size_of(run: Run, config: PipelineConfig) -> Sized:
    """The size of a journey that has one (`config.size`): what was chosen before, else measured and chosen now."""
    path = run.path / FILE
    if kept := whole(run, path, _kept, "the machine is measured again"):
        return kept
    began = time.monotonic()
    pace = measure(run.home, step_settings(config))
    sized = choose(config, pace, time.monotonic() - began)
    write_json(path, {**asdict(sized), "pace": asdict(pace)})
    return sized


def _kept(path: Path) -> Sized:
    kept = read_json(path)
    return Sized(str(kept["size"]), {step: float(taken) for step, taken in kept["seconds"].items()}, kept["sentence"])


def choose(config: PipelineConfig, pace: Pace, spent: float = 0.0) -> Sized:
    """The largest size that a machine of this pace ends within the minutes, of which `spent` seconds are over.

    The smallest where none does; and the one that `config` names, if it names one.
    """
    expected = {size: seconds_by_step(step_settings(config, size), pace, config.generators) for size in _sizes(config)}
    room = 60 * config.minutes * MARGIN - spent
    fitting = [size for size, seconds in expected.items() if sum(seconds.values()) <= room]
    size = config.size if config.size != "auto" else (fitting or list(expected))[0 if fitting else -1]
    in_time = spent + sum(expected[size].values()) <= 60 * config.minutes
    return Sized(size, expected[size], _sentence(config, size, expected, pace, in_time))


def seconds_by_step(settings: dict[str, dict[str, Any]], pace: Pace, of_each: int = 1) -> dict[str, float]:
    """What each step of a journey of these settings, with so many generators of each class, is expected to take."""
    training = parse_training({**settings["train"], "dataset": "none"})
    sweep = SweepConfig.build({**settings["sweep"], "name": "none", "dataset": "none", "pool": "none"})
    waves = math.ceil(_classes(settings) * of_each / (1 if training.conditional else pace.generators))
    seconds = {step: loads * pace.load for step, loads in LOADS.items()}
    seconds["train"] += waves * training.kimg * pace.kimg
    # Looking at the validation set costs about as much as a step.
    seconds["sweep"] += len(plan(sweep)) * (sweep.steps + sweep.validations) * pace.step / pace.trials
    return seconds


def measure(home: Home, settings: dict[str, dict[str, Any]], seconds: float = 5.0) -> Pace:
    """Try out what the journey of these settings will do most: train a generator for `seconds`, and a classifier."""
    training = parse_training({**settings["train"], "dataset": "none"})
    beside = side_by_side([training] * _classes(settings))
    with ExitStack() as stack:
        gpu = stack.enter_context(borrowed_gpu(home)) if cuda_slots() and training.device != "cpu" else None
        if gpu is not None:
            generators, trials, shown = len(cuda_slots()), 1, cuda_slots()[gpu].environment
        else:
            generators, trials, shown = beside, usable_cores(), CPU.environment
        environment = {**os.environ, **threads_environment(training.plain(), beside), **shown}
        given = {**settings, "seconds": seconds}
        at_work = 1 if gpu is not None else min(MOST_PROCESSES, max(beside, trials))
        began = time.time()
        processes = [stack.enter_context(_Process(environment, given)) for _ in range(at_work)]
        ready = [process.answer() for process in processes]
        kimg = _all(processes[: 1 if gpu is not None else beside], "kimg")
        step = _all(processes, "step")
    return Pace(max(ready) - began, kimg, step, generators, trials)


def _all(processes: list[_Process], what: str) -> float:
    """What the processes answer, all at work at once, on average."""
    for process in processes:
        process.ask(what)
    return sum(process.answer() for process in processes) / len(processes)


class _Process:
    """An `engine.jobs.pace` at the other end of two pipes; it ends when they are closed."""

    def __init__(self, environment: dict[str, str], settings: dict[str, Any]):
        self._process = disk.spawn(
            module_command("engine.jobs.pace"),
            env=module_environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask(json.dumps(settings))

    def ask(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which the missing answer will tell
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def answer(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ErsatzError(
                "The speed of this machine could not be measured: the process that tries it out ended; the log of the "
                "journey says why. Name a size, as in demo --size small."
            )
        return float(json.loads(line))

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with suppress(BrokenPipeError):
            self._process.communicate()


def _sizes(config: PipelineConfig) -> list[str]:
    """The sizes of the journey's preset, the longest first."""
    return [size for size in SIZES if size == "full" or size in preset(config.preset).shorter]


def _classes(settings: dict[str, dict[str, Any]]) -> int:
    """Generators to train: one for each class of the phantom, which is what has sizes."""
    return 1 if settings["train"].get("conditional") else 2


def _sentence(
    config: PipelineConfig, size: str, expected: dict[str, dict[str, float]], pace: Pace, in_time: bool
) -> str:
    settings = step_settings(config, size)
    training, sweep = settings["train"], settings["sweep"]
    minutes = {name: max(1, round(sum(seconds.values()) / 60)) for name, seconds in expected.items()}
    images = 1000 * min(pace.generators, _classes(settings)) / pace.kimg
    chosen = (
        f"The size is {size}: {training['kimg']:g} kimg for each generator, {sweep['steps']} steps for each trial and "
        f"{sweep['seeds']} paired repetitions, about {minutes[size]} min in all."
    )
    seen = f"This machine trains on {images:.0f} images a second."
    if config.size != "auto":
        return f"{seen} {chosen}"
    if not in_time:
        return f"{seen} {chosen} No size ends within {config.minutes:g} min here; this is the smallest."
    longer = f" (--full would take about {minutes['full']} min)" if size != "full" else ""
    return f"{seen} {chosen[:-1]}{longer}."
