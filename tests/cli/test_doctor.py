"""What `doctor` says of the devices: what computed there, and what to do where it did not."""

from __future__ import annotations

import pytest
import torch

from engine import devices
from engine.cli import doctor
from engine.cli.doctor import Check
from engine.gpus import Gpu
from engine.sampling import providers
from engine.store.home import Home
from engine.store.lock_way import remember_leases

CARD = Gpu(0, "GPU-aa", "Card", 2**34)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without a GPU."""
    monkeypatch.setattr(doctor, "visible", lambda: ())
    monkeypatch.setattr(providers, "without_cuda", lambda: "the CUDA driver shows no GPU")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return monkeypatch


def with_card(machine: pytest.MonkeyPatch, *names: str) -> None:
    """Let torch see these GPUs, and the driver one at least."""
    machine.setattr(doctor, "visible", lambda: (CARD,))
    machine.setattr(torch.cuda, "is_available", lambda: bool(names))
    machine.setattr(torch.cuda, "device_count", lambda: len(names))
    machine.setattr(torch.cuda, "get_device_name", lambda number=0: names[number])


def test_a_machine_without_a_gpu(machine: pytest.MonkeyPatch) -> None:
    training, sampling = doctor._training_device(), doctor._sampling_device()
    assert (training.state, sampling.state) == ("note", "ok")
    assert "no CUDA GPU was found" in training.found
    assert sampling.found == "ONNX Runtime on the CPU, where a convolution came out right"


def test_a_gpu_that_works(machine: pytest.MonkeyPatch) -> None:
    with_card(machine, "Card", "Other card")
    tried: list[torch.device] = []
    machine.setattr(devices, "trial", lambda device: tried.append(device) or "")
    machine.setattr(providers, "without_cuda", lambda: "")
    assert doctor._training_device() == Check(
        "Training", "ok", "CUDA on Card, Other card, where a convolution came out right"
    )
    assert tried == [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert doctor._sampling_device().state == "ok"
    assert "on CUDA" in doctor._sampling_device().found


@pytest.mark.parametrize(("built", "remedy"), [("13.2", "update the driver"), (None, "install the build of torch for")])
def test_a_gpu_that_torch_cannot_use_is_not_passed_over(
    built: str | None, remedy: str, machine: pytest.MonkeyPatch
) -> None:
    with_card(machine)
    machine.setattr(torch.version, "cuda", built)
    found = doctor._training_device()
    assert found.state == "fail"
    assert "Card is there, but torch" in found.found
    assert remedy in found.found


def test_a_gpu_that_computes_wrongly_fails(machine: pytest.MonkeyPatch) -> None:
    with_card(machine, "Card", "Old card")
    wrong = "a convolution fails (CUDA error: no kernel image is available)"
    machine.setattr(devices, "trial", lambda device: wrong if device.index == 1 else "")
    found = doctor._training_device()
    assert found.state == "fail"
    assert found.found.startswith(f"CUDA on Old card, where {wrong}; update the driver or install a torch")


def test_a_gpu_that_onnx_runtime_cannot_use_is_not_passed_over(machine: pytest.MonkeyPatch) -> None:
    with_card(machine, "Card")
    machine.setattr(providers, "without_cuda", lambda: "its part for CUDA cannot be loaded (libcurand.so.10)")
    found = doctor._sampling_device()
    assert (found.state, found.name) == ("fail", "Sampling")
    assert "Card is there, but images are sampled on the CPU: its part for CUDA cannot be loaded" in found.found


def test_a_processor_that_computes_wrongly_fails(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(devices, "trial", lambda device: "a convolution gives wrong numbers")
    machine.setattr(providers, "trial", lambda gpu: "a convolution gives 0 there in place of 18; update")
    assert {doctor._training_device().state, doctor._sampling_device().state} == {"fail"}


def test_the_small_convolution_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert devices.trial(cpu) == ""
    convolve = torch.nn.functional.conv2d

    def rough(x: torch.Tensor, *rest: torch.Tensor, padding: int) -> torch.Tensor:
        return convolve(x, *rest, padding=padding) + (0.01 if x.dtype == torch.float32 else 0)

    monkeypatch.setattr(torch.nn.functional, "conv2d", rough)
    assert devices.trial(cpu) == "a convolution gives wrong numbers"

    def fail(*_: object, **__: object) -> None:
        raise torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device\nmore")

    monkeypatch.setattr(torch.nn.functional, "conv2d", fail)
    assert devices.trial(cpu) == (
        "a convolution fails (CUDA error: no kernel image is available for execution on the device)"
    )


def test_the_way_a_home_locks_is_said_with_its_reason(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._locks(home).found.endswith(": locks of the operating system")
    remember_leases(home.root, "the home is on nfs4 (server:/export)")
    found = doctor._locks(home)
    assert found == Check("Locks", "ok", "the home is on nfs4 (server:/export): leases instead of file locks, no WAL")
    monkeypatch.setenv("ERSATZ_LOCKS", "files")
    assert doctor._locks(home).state == "fail"  # two ways at once guard nothing
    monkeypatch.setenv("ERSATZ_LOCKS", "none")
    assert "files or leases is expected" in doctor._locks(home).found
