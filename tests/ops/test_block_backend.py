"""Which maps the block's kernels are taken for."""

import pytest
import torch

from hrformer_mm.ops import block_backend, by_kernels, set_block_backend


@pytest.fixture(autouse=True)
def backend():
    yield
    set_block_backend('auto')


def test_only_where_they_are_asked_for_and_run(monkeypatch):
    monkeypatch.setattr(block_backend, 'usable', lambda device: device.type == 'cpu')
    x = torch.zeros(1)
    assert not by_kernels(x)
    assert set_block_backend('triton') == 'auto' and by_kernels(x) and by_kernels(x.bfloat16())
    assert not by_kernels(x.double()) and not by_kernels(x.to('meta'))
    assert set_block_backend('torch') == 'triton' and not by_kernels(x)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="block backend is 'cuda', but must be one of auto, torch, triton"):
        set_block_backend('cuda')
    assert set_block_backend('auto') == 'auto'
