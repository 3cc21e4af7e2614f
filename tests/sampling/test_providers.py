"""Sampling on a GPU is tried before it is promised: refused where it was asked for, and said where it was left open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from engine.gpus import Gpu, visible
from engine.sampling import graphs, providers
from engine.sampling.graphs import Graph
from engine.sampling.providers import CPU, CUDA, TRIAL, open_session, reason, trial, without_cuda
from engine.store.errors import ErsatzError, OutOfMemory

CARD = Gpu(0, "GPU-aa", "Card", 2**34)
WRAPPED = (
    "/onnxruntime_src/cuda_call.cc:129 bool onnxruntime::CudaCall(...) [with ERRTYPE = cudaError]\n"
    "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=h ; file=f"
)
FULL = "[ONNXRuntimeError] : 1 : FAIL : Available memory of 1024 is smaller than requested bytes of 4096"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """What was found and said is remembered for as long as a process lives."""
    for remembered in (without_cuda, graphs._say_once):
        remembered.cache_clear()
    yield
    for remembered in (without_cuda, graphs._say_once):
        remembered.cache_clear()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that shows a GPU, and an ONNX Runtime with a part for CUDA."""
    for module in (providers, graphs):
        monkeypatch.setattr(module, "visible", lambda: (CARD,))
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(ort, "preload_dlls", lambda: print("Failed to load libcurand.so.10"))


class Session:
    """A session that came out where it was told to, and gives what it was told to."""

    def __init__(self, provider: str, y: float | Exception):
        self.provider, self.y = provider, y

    def get_providers(self) -> list[str]:
        return [self.provider, CPU]

    def run(self, *_: object) -> list[np.ndarray]:
        if isinstance(self.y, Exception):
            raise self.y
        return [np.full((1, 1, 1, 1), self.y, np.float32)]


def answering(provider: str = CUDA, y: float | Exception = 18.0) -> Callable[..., Session]:
    return lambda *_: Session(provider, y)


def doubling() -> bytes:
    """A network that doubles its input."""
    node = helper.make_node("Add", ["z", "z"], ["images"])
    z, images = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("z", "images"))
    graph = helper.make_graph([node], "doubling", [z], [images])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def test_the_trial_is_one_convolution_and_comes_out_right_on_a_cpu() -> None:
    model = onnx.load_from_string(TRIAL)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    assert trial(None) == ""


@pytest.mark.parametrize(
    ("session", "sentence"),
    [
        (answering(), ""),
        (answering(y=0.0), "a convolution gives 0 there in place of 18; update the driver"),
        (answering(y=float("nan")), "a convolution gives nan there"),
        (answering(y=RuntimeError(WRAPPED)), "(CUDA failure 35: CUDA driver version is insufficient for CUDA runtime"),
        (answering(CPU), "part for CUDA cannot be loaded (libcublas.so is gone); install what is missing"),
    ],
)
def test_what_a_gpu_does_wrong_is_told(
    session: Callable[..., Session],
    sentence: str,
    card: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(providers, "open_session", session)
    monkeypatch.setattr(providers, "_missing", lambda: "libcublas.so is gone")
    assert sentence in without_cuda()
    assert bool(without_cuda()) == bool(sentence)
    assert capsys.readouterr() == ("", "Failed to load libcurand.so.10\n")  # stdout belongs to --json


def test_cuda_is_not_touched_where_there_is_none(card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("CUDA was touched")

    monkeypatch.setattr(ort, "preload_dlls", touched)
    monkeypatch.setattr(providers, "open_session", touched)
    monkeypatch.setattr(providers, "visible", lambda: ())
    assert "the CUDA driver shows no GPU to this process" in without_cuda()
    without_cuda.cache_clear()
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    monkeypatch.setattr(providers, "visible", touched)
    assert "install onnxruntime-gpu in place of onnxruntime" in without_cuda()


@pytest.mark.skipif(CUDA not in ort.get_available_providers(), reason="this ONNX Runtime has no part for CUDA")
@pytest.mark.skipif(bool(visible()), reason="there is a GPU here")
def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the true ONNX Runtime, of a machine whose driver is made up."""
    monkeypatch.setattr(providers, "visible", lambda: (CARD,))
    assert re.search(r"part for CUDA cannot be loaded \(.*(libcuda\.so|nvcuda|lib\w+\.so).*\)", without_cuda())


def test_where_cuda_was_asked_for_it_is_refused(card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "without_cuda", lambda: "the driver is too old; update it")
    with pytest.raises(ErsatzError, match=r"device is cuda, .* here: the driver is too old; update it\. Choose device"):
        Graph(doubling(), Path("g.onnx"), "cuda")


def test_where_it_was_left_open_it_is_said_once(
    card: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(graphs, "without_cuda", lambda: "the driver is too old; update it")
    made = [Graph(doubling(), Path("g.onnx")) for _ in range(2)]
    said = "There is a GPU, and images are sampled on the CPU all the same: the driver is too old; update it."
    assert [graph.notice for graph in made] == [said, said]
    assert made[0].provider == CPU
    assert made[0].where.startswith("CPU, ")
    assert caplog.messages == [said]
    np.testing.assert_array_equal(made[0].run({"z": np.ones((1, 3), np.float32)}).numpy(), [[2, 2, 2]])


def test_without_a_gpu_or_where_the_cpu_was_chosen_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(graphs, "visible", lambda: ())
    monkeypatch.setattr(graphs, "without_cuda", lambda: "the CUDA driver shows no GPU to this process")
    assert Graph(doubling(), Path("g.onnx")).notice == ""

    def asked() -> str:
        raise AssertionError("CUDA was asked for")

    monkeypatch.setattr(graphs, "without_cuda", asked)
    assert Graph(doubling(), Path("g.onnx"), "cpu").notice == ""
    assert caplog.messages == []


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_session_that_ends_on_the_cpu_all_the_same(
    device: str, card: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The convolution worked, and this network was refused: ONNX Runtime falls back and tells nobody."""
    monkeypatch.setattr(graphs, "without_cuda", lambda: "")
    monkeypatch.setattr(graphs, "open_session", lambda content, threads, *_: open_session(content, threads))
    if device == "cuda":
        with pytest.raises(ErsatzError, match="this network was refused there"):
            Graph(doubling(), Path("g.onnx"), device)
    else:
        assert "this network was refused there" in Graph(doubling(), Path("g.onnx"), device).notice
        assert "this network was refused there" in caplog.text


def test_full_memory_is_told_apart_from_a_damaged_file(card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "without_cuda", lambda: "")

    def fail(*_: object) -> None:
        raise RuntimeError(FULL)

    monkeypatch.setattr(graphs, "open_session", fail)
    with pytest.raises(OutOfMemory, match=r"memory of the GPU is full with g\.onnx \(Available memory of 1024 is"):
        Graph(doubling(), Path("g.onnx"))


def test_full_memory_while_running_is_told_apart_from_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph(doubling(), Path("g.onnx"), "cpu")

    def fail(*_: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(graph.session, "run_with_iobinding", fail)
    said = FULL
    with pytest.raises(OutOfMemory, match="sample fewer images at once"):
        graph.run({"z": np.ones((1, 3), np.float32)})
    said = "CUDA failure 700: an illegal memory access was encountered"
    with pytest.raises(RuntimeError, match="illegal memory access"):
        graph.run({"z": np.ones((1, 3), np.float32)})


@pytest.mark.parametrize(
    ("gpu", "gpu_bytes", "expected"),
    [(0, 0, {}), (0, 2**30, {"gpu_mem_limit": "1073741824"}), (1, 0, {"device_id": "1"})],
)
def test_what_is_asked_of_a_gpu(
    gpu: int, gpu_bytes: int, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def session(content: bytes, options: object, wanted: list[Any], **named: Any) -> None:
        asked.update(named, providers=wanted)

    monkeypatch.setattr(ort, "InferenceSession", session)
    open_session(TRIAL, 1, gpu, gpu_bytes)
    assert asked["enable_fallback"] == 0  # it would print to stdout, and go on
    ((name, options), last) = asked["providers"]
    assert (name, last) == (CUDA, CPU)
    assert options == {
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        **expected,
    }
    open_session(TRIAL, 1)
    assert asked["providers"] == [CPU]


def test_reasons_are_short() -> None:
    assert (
        reason(RuntimeError(WRAPPED)) == "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"
    )
    assert reason(RuntimeError("one\ntwo")) == "one"
