"""The feed-forward network in training by Triton's kernels: what takes them, and that nothing else changes."""

import copy

import pytest
import torch
from torch import nn

from hrformer_mm import HRFormer
from hrformer_mm.layers import HRFormerBlock, checkpointed, ffn
from hrformer_mm.ops import set_attention_backend, set_block_backend

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 8, 10, 12), num_heads=(1, 2, 1, 2), num_blocks=1)


@pytest.fixture(autouse=True)
def backend():
    before = set_block_backend('triton'), set_attention_backend('plain')
    yield
    set_block_backend(before[0])
    set_attention_backend(before[1])


@pytest.fixture
def calls(monkeypatch):
    """The calls of the kernels."""
    made, function = [], ffn.kernel_norm_gelu_conv
    monkeypatch.setattr(ffn, 'kernel_norm_gelu_conv', lambda *args: made.append(args[0].shape) or function(*args))
    return made


def train(module, x):
    """Outputs, gradients and buffers after one step; the module is left as it was."""
    module = copy.deepcopy(module).train()
    x = x.clone().requires_grad_()
    outs = module(x)
    outs = [outs] if isinstance(outs, torch.Tensor) else list(outs)
    sum((y * torch.linspace(-1, 1, y.numel(), device=y.device).view_as(y)).sum() for y in outs).backward()
    # Biases before a norm have no gradient but rounding's.
    grads = [p.grad for name, p in module.named_parameters() if p.requires_grad and not name.endswith(ANNIHILATED)]
    return [y.detach() for y in outs], [x.grad, *grads], list(module.buffers())


ANNIHILATED = ('norm2.bias', 'ffn.fc1.bias', 'ffn.dw3x3.bias', 'ffn.fc2.bias')


def compare(module, x, tolerance=1e-5):
    """Of the kernels and PyTorch's operators."""
    found = train(module, x)
    set_block_backend('torch')
    set_attention_backend('plain')
    expected = train(copy.deepcopy(module).double(), x.double())
    for a, b in zip(found, expected):
        assert len(a) == len(b)
        for one, other in zip(a, b):
            assert (one - other).abs().max() <= tolerance * other.abs().max().clamp_min(1e-3)


@pytest.mark.parametrize('options', [dict(), pytest.param(dict(recompute=True), marks=pytest.mark.slow),
                                     pytest.param(dict(with_dwconv=False), marks=pytest.mark.slow)])
def test_block(calls, options):
    block = HRFormerBlock(6, 2, (3, 3), 2, 0., dict(type='BN', momentum=0.3), **options).to(DEVICE)
    compare(block, torch.randn(2, 6, 4, 5, device=DEVICE))
    once = 3 if 'with_dwconv' not in options else 2
    assert len(calls) == once + options.get('recompute', False), 'and once more what was recomputed'


@pytest.mark.slow
def test_backbone(calls):
    """With the kernels of attention as well: as far from float64 as PyTorch's operators are, whose error grows from
    norm to norm."""
    model = HRFormer(arch=MICRO, window_sizes=3, drop_path_rate=0.).to(DEVICE)
    x = torch.randn(2, 3, 32, 64, device=DEVICE)
    set_attention_backend('triton')
    found = train(model, x)
    assert len(calls) == 3 * (2 + 3 + 4)
    set_block_backend('torch')
    set_attention_backend('plain')
    plain, exact = train(model, x), train(model.double(), x.double())
    for one, other, target in zip(found, plain, exact):
        assert 0 < distance(one, target) <= 3 * distance(other, target)


def distance(found, expected):
    """The largest relative error of all tensors, but for those that are rounding's alone; counters are the same."""
    assert all(torch.equal(a, b) for a, b in zip(found, expected) if not a.is_floating_point())
    assert len(found) == len(expected)
    least = 1e-3 * max(b.double().norm() for b in expected)
    return max(((a - b).norm() / torch.maximum(b.norm(), least)).item()
               for a, b in zip(found, expected) if a.is_floating_point())


def test_checkpointing_leaves_no_trace(calls):
    block = HRFormerBlock(4, 1, (3, 3), 2, 0., dict(type='BN')).to(DEVICE)
    x = torch.randn(1, 4, 3, 3, device=DEVICE)
    expected = train(block, x)

    class Saving(nn.Module):

        def __init__(self):
            super().__init__()
            self.block = copy.deepcopy(block)

        def forward(self, x):
            return checkpointed(self.block, x, self.block)

    for a, b in zip(train(Saving(), x), expected):
        assert all(torch.equal(one, other) for one, other in zip(a, b))
    assert len(calls) == 3 + 6


@pytest.mark.parametrize('change', [
    dict(affine=False), dict(track_running_stats=False), dict(momentum=None), 'evaluation', 'group norm', 'one place',
    'double'])
def test_what_the_kernels_are_not_for(calls, change):
    """It is as it was, errors as well."""
    norm = nn.GroupNorm(1, 4) if change == 'group norm' else nn.BatchNorm2d(4, **change if type(change) is dict else {})
    x, conv = torch.randn(2, 4, 3, 3), nn.Conv2d(4, 3, 1)
    norm.train(change != 'evaluation')
    if change == 'double':
        x, norm, conv = x.double(), norm.double(), conv.double()
    if change == 'one place':
        with pytest.raises(ValueError, match='Expected more than 1 value per channel'):
            ffn.norm_gelu_conv(x[:1, :, :1, :1], norm, conv)
    else:
        expected = conv(nn.functional.gelu(copy.deepcopy(norm)(x)))
        torch.testing.assert_close(ffn.norm_gelu_conv(x, norm, conv), expected)
    assert not calls


def test_autocast(calls):
    """Maps of 16 bits and parameters of float32, whose gradients are; a map of float32 is autocast's to round."""
    norm, conv = nn.BatchNorm2d(4).to(DEVICE), nn.Conv2d(4, 3, 1).to(DEVICE)
    x = torch.randn(2, 4, 3, 3, device=DEVICE)
    with torch.autocast(DEVICE, torch.bfloat16):
        out = ffn.norm_gelu_conv(x.bfloat16(), norm, conv)
        assert len(calls) == 1 and out.dtype == torch.bfloat16
        ffn.norm_gelu_conv(x, norm, conv)
    out.sum().backward()
    assert len(calls) == 1 and conv.weight.grad.dtype == norm.weight.grad.dtype == torch.float32


def test_compiles_without_a_break(calls):
    torch.compiler.reset()
    block = HRFormerBlock(4, 1, (3, 3), 2, 0., dict(type='BN')).to(DEVICE)
    network = block.ffn
    x = torch.randn(1, 4, 3, 3, device=DEVICE)
    expected = train(network, x)
    network.compile(backend='aot_eager', fullgraph=True)
    for a, b in zip(train(network, x), expected):
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(a, b))
    torch.compiler.reset()
