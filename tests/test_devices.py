"""Float32 is IEEE's where it was promised, and TF32 on a GPU only where half precision was asked for."""

from __future__ import annotations

import pytest
import torch

from engine import devices
from engine.devices import choose_device, exact_arithmetic, set_arithmetic
from engine.gpus import Gpu
from tests.float32 import EXACT, Arithmetic, arithmetic, fast  # noqa: F401  (fixture)

CUDA = torch.device("cuda")
CUDNN = torch.backends.cudnn


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp32", "ieee"), ("auto", "tf32"), ("bf16", "tf32"), ("fp16", "tf32")]
)
def test_tf32_only_beside_half_precision(precision: str, kind: str) -> None:
    with exact_arithmetic():  # which takes it all back
        CUDNN.allow_tf32 = True  # torch's default
        set_arithmetic(CUDA, precision)
        assert arithmetic() == Arithmetic((kind, kind, kind), benchmark=True, deterministic=True)


def test_a_cpu_has_nothing_to_choose() -> None:
    before = arithmetic()
    set_arithmetic(torch.device("cpu"), "bf16")
    assert arithmetic() == before


def test_exact_arithmetic_takes_back_what_training_was_allowed(fast: Arithmetic) -> None:  # noqa: F811
    with exact_arithmetic():
        assert arithmetic() == EXACT
        with exact_arithmetic():
            pass
        assert arithmetic() == EXACT
    assert arithmetic() == fast
    with pytest.raises(ZeroDivisionError), exact_arithmetic():
        raise ZeroDivisionError
    assert arithmetic() == fast
    assert exact_arithmetic()(arithmetic)() == EXACT


def test_others_may_use_cudnns_flags_inside() -> None:
    """torch reads the older switch of cuDNN for them, and raises where one of its two kinds alone was set."""
    with exact_arithmetic(), CUDNN.flags(enabled=True, deterministic=True, allow_tf32=False):
        assert "tf32" not in arithmetic().kinds


def test_torchs_own_defaults_come_back() -> None:
    """As a process finds them that sets nothing: convolutions in TF32, products in float32."""
    with exact_arithmetic():
        torch.backends.cuda.matmul.fp32_precision = "none"
        CUDNN.allow_tf32 = True
        before = arithmetic()
        assert before.kinds == ("none", "tf32", "tf32")
        with exact_arithmetic():
            assert arithmetic() == EXACT
        assert arithmetic() == before


@pytest.mark.parametrize("found", [(), (Gpu(0, "", "Card", 2**30),)])
def test_a_gpu_that_torch_cannot_use_is_told_once(
    found: tuple[Gpu, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    devices._tell_of_unused.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "visible", lambda: found)
    assert choose_device("cpu") == torch.device("cpu")
    assert caplog.messages == []
    assert [choose_device("auto") for _ in range(2)] == [torch.device("cpu")] * 2
    assert len(caplog.messages) == len(found)
    assert ("Card is there, but torch" in caplog.text) == bool(found)
    devices._tell_of_unused.cache_clear()
