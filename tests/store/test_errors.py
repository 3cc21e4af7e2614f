"""Which errors say that the memory is full, in the words of those who raise them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.devices import is_out_of_memory as asked_by_training
from engine.store.errors import is_out_of_memory

FULL = [
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB",
    "HIP out of memory. Tried to allocate 2.00 GiB.",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate",
    "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory: you tried to allocate",
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 33554432",
    "[ONNXRuntimeError] : 1 : FAIL : Available memory of 1024 is smaller than requested bytes of 4096",
    "std::bad_alloc",
]
OTHER = [
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: misaligned address",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`",
    "unsupported memory format option Preserve",
    "mat1 and mat2 shapes cannot be multiplied",
]


def test_full_memory_is_known_by_its_words() -> None:
    assert [text for text in FULL if not is_out_of_memory(RuntimeError(text))] == []
    assert [text for text in OTHER if is_out_of_memory(RuntimeError(text))] == []


def test_full_memory_is_known_by_its_class() -> None:
    assert is_out_of_memory(MemoryError())
    with pytest.raises(MemoryError) as numpys:
        np.empty(2**55, np.uint8)
    with pytest.raises(RuntimeError) as torchs:
        torch.empty(2**55, dtype=torch.uint8)
    assert is_out_of_memory(numpys.value)
    assert is_out_of_memory(torchs.value)
    assert is_out_of_memory(torch.OutOfMemoryError(FULL[1]))
    assert is_out_of_memory(torch.AcceleratorError(FULL[0]))
    assert not is_out_of_memory(torch.AcceleratorError(OTHER[0]))


def test_training_and_worker_ask_the_same_rule() -> None:
    assert asked_by_training is is_out_of_memory
