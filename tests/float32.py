"""Which float32 torch would compute in on a GPU: its switches can be read, and set, without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from engine.devices import exact_arithmetic, set_arithmetic


@dataclass(frozen=True)
class Arithmetic:
    """Kinds of float32 of products, convolutions and recurrences, and whether cuDNN chooses by the clock."""

    kinds: tuple[str, str, str]
    benchmark: bool
    deterministic: bool


EXACT = Arithmetic(("ieee", "ieee", "ieee"), benchmark=False, deterministic=True)


def arithmetic() -> Arithmetic:
    """As this process has it; torch raises where its older switches contradict the newer ones."""
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    older = cuda.matmul.allow_tf32, cudnn.allow_tf32, torch.get_float32_matmul_precision() == "high"
    kinds = cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    assert older == (kinds[0] == "tf32", kinds[1] == "tf32", kinds[0] == "tf32")
    return Arithmetic(kinds, cudnn.benchmark, cudnn.deterministic)


@pytest.fixture
def fast() -> Iterator[Arithmetic]:
    """The process as a training in bf16 leaves it on a GPU; it must be found the same at the end."""
    with exact_arithmetic():
        set_arithmetic(torch.device("cuda"), "bf16")
        torch.backends.cudnn.deterministic = False
        allowed = arithmetic()
        assert allowed == Arithmetic(("tf32", "tf32", "tf32"), benchmark=True, deterministic=False)
        yield allowed
        assert arithmetic() == allowed
