"""Kernels run on the GPU where there is one, else in Triton's interpreter, see the conftest.py above."""

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
def all_rounded(rounded):
    """See the conftest.py above."""
