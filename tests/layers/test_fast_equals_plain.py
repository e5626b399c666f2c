"""Every quick way through a block against the formula, over head sizes, windows, paddings, batches and drop path."""

import copy
from itertools import product

import pytest
import torch

from hrformer_mm.layers import HRFormerBlock, ffn
from hrformer_mm.ops import set_attention_backend

ANNIHILATED = ('norm2.bias', 'ffn.fc1.bias', 'ffn.dw3x3.bias', 'ffn.fc2.bias')  # by the norms behind: noise

GRID = list(product([18, 32, 39], [(7, 7), (3, 5)]))


@pytest.fixture
def plain(monkeypatch):
    """Runs a function with the plain attention, and norm, GELU and convolution one by one."""

    def run(function):
        with monkeypatch.context() as patch:
            previous = set_attention_backend('plain')
            patch.setattr(ffn, '_is_simple', lambda *_: False)
            try:
                return function()
            finally:
                set_attention_backend(previous)

    return run


def results(block, x, train):
    """Output and gradients, or the output alone."""
    torch.manual_seed(3)
    x = x.clone().requires_grad_(train)
    with torch.set_grad_enabled(train):
        out = block.train(train)(x)
    if not train:
        return {'': out}
    block.zero_grad()
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    return {'': out.detach(), 'x': x.grad, **{n: p.grad for n, p in block.named_parameters() if n not in ANNIHILATED}}


def build(head_size, window, drop_path, **options):
    torch.manual_seed(0)
    block = HRFormerBlock(2 * head_size, 2, window, 2, drop_path, dict(type='BN'), **options)
    for name, value in block.named_parameters():
        if name.endswith(('bias', 'bias_table')):
            torch.nn.init.normal_(value, std=0.3)
    return block


@pytest.mark.parametrize('head_size, window', GRID)
@pytest.mark.parametrize('options, drop_path', [
    (dict(), 0.), (dict(), 0.4), (dict(recompute=True), 0.4), (dict(with_pad_mask=True), 0.), (dict(with_rpe=False), 0.),
    (dict(with_dwconv=False), 0.), (dict(with_dwconv=False, recompute=True), 0.4), (dict(shifted=True), 0.),
    (dict(shifted=True, with_rpe=False, recompute=True), 0.)])
def test_float32(plain, head_size, window, options, drop_path):
    block = build(head_size, window, drop_path, **options)
    # Padded nowhere, below, right, everywhere; an odd window leaves an odd remainder.
    for n, height, width in ((1, 2, 1), (3, 1.4, 2), (1, 2, 1.6), (3, 0.5, 0.3)):
        x = torch.randn(n, 2 * head_size, round(height * window[0]), round(width * window[1]))
        for train in (True, False):
            expected = plain(lambda: results(block, x, train))
            out = results(block, x, train)
            for name, value in expected.items():
                assert (out[name] - value).norm() <= 1e-5 * value.norm(), (name, x.shape, train)


@pytest.fixture
def triton():
    pytest.importorskip('triton')
    previous = set_attention_backend('triton')
    yield
    set_attention_backend(previous)


@pytest.mark.parametrize('head_size, window, options, drop_path', [
    (18, (3, 5), dict(), 0.4), (39, (3, 5), dict(recompute=True), 0.), (39, (3, 5), dict(with_pad_mask=True), 0.),
    (32, (3, 5), dict(with_rpe=False), 0.), (32, (3, 5), dict(shifted=True), 0.),
    *(pytest.param(head_size, (7, 7), options, 0., marks=pytest.mark.slow) for head_size, options in (
        (18, dict(with_pad_mask=True)), (32, dict(recompute=True)), (39, dict())))])
def test_triton_in_float32(plain, triton, head_size, window, options, drop_path):
    """In Triton's interpreter, where there is no GPU."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    block = build(head_size, window, drop_path, **options).to(device)
    for n, height, width in ((1, 1.4, 2), (4, 1, 0.6)):
        x = torch.randn(n, 2 * head_size, round(height * window[0]), round(width * window[1]), device=device)
        for train in (True, False):
            expected = plain(lambda: results(block, x, train))
            out = results(block, x, train)
            for name, value in expected.items():
                assert (out[name] - value).norm() <= 1e-5 * value.norm(), (name, x.shape, train)


@pytest.mark.parametrize('head_size, window', GRID)
def test_bfloat16(plain, head_size, window):
    block = build(head_size, window, 0.).bfloat16()
    x = torch.randn(2, 2 * head_size, 9, 11).bfloat16()
    exact = plain(lambda: results(copy.deepcopy(block).float(), x.float(), False))['']
    assert (results(block, x, False)[''] - exact).norm() <= 1e-2 * exact.norm()
