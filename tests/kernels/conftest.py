"""Kernels run on the GPU where there is one, else in Triton's interpreter, see the conftest.py above."""

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def poisoned():
    """Memory that is not written holds NaN."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.empty(3).isnan().all() and torch.zeros(3).new_empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def rounded(monkeypatch):
    """The interpreter cuts float32 off where it makes bfloat16; GPUs round to the nearest, and to even."""
    if torch.cuda.is_available():
        return
    pytest.importorskip('triton')
    from triton import language as tl
    from triton.runtime import interpreter
    convert = interpreter._convert_float

    def convert_float(x, source, target, mode):
        if (source, target) != (tl.float32, tl.bfloat16):
            return convert(x, source, target, mode)
        bits = np.ascontiguousarray(x).view(np.uint32)
        return ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(np.uint16)

    monkeypatch.setattr(interpreter, '_convert_float', convert_float)
