"""Which way a LayerNorm before a projection goes."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hrformer_mm.layers import norm_project as module
from hrformer_mm.ops import LayerNormProjection, set_block_backend

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


@pytest.mark.parametrize('backend, dtype, autocast, short', [
    ('torch', torch.float32, False, DEVICE == 'cpu'),
    ('torch', torch.bfloat16, True, False),
    ('triton', torch.float32, False, True),
    ('triton', torch.bfloat16, True, True),
    ('triton', torch.float32, True, False),  # autocast would round the norm's output alone
])
def test_the_short_way(monkeypatch, backend, dtype, autocast, short):
    """By it the input alone is kept."""
    if backend == 'triton':
        pytest.importorskip('triton')
    calls, apply = [], LayerNormProjection.apply
    own = SimpleNamespace(apply=lambda *arguments: calls.append(1) or apply(*arguments))
    monkeypatch.setattr(module, 'LayerNormProjection', own)
    norm, linear = nn.LayerNorm(6).to(DEVICE), nn.Linear(6, 8).to(DEVICE)
    x = torch.randn(1, 3, 5, 6, device=DEVICE).to(dtype).requires_grad_()
    kept = []
    previous = set_block_backend(backend)
    try:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=autocast), torch.autograd.graph.saved_tensors_hooks(
                lambda t: kept.append(t) or t, lambda t: t):
            out = module.norm_project(x, norm, linear, linear)
    finally:
        set_block_backend(previous)
    assert len(calls) == short
    assert not short or [t.data_ptr() for t in kept if t.numel() == x.numel()] == [x.data_ptr()]
    expected = linear(norm(x.float()))
    assert (out - expected).abs().max() <= (2e-2 if autocast else 1e-5)
    assert out.dtype == (torch.bfloat16 if autocast else dtype)
    out.sum().backward()
