"""Batch norm, GELU and a convolution by Triton's kernels, against PyTorch's modules in float64."""

import copy
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hrformer_mm.kernels import batch_norm, depthwise
from hrformer_mm.ops import kernel_norm_gelu_conv
from hrformer_mm.ops.norm_gelu_kernels import _merge

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-2}
CONVS = {'depthwise': lambda c: nn.Conv2d(c, c, 3, padding=1, groups=c), 'pointwise': lambda c: nn.Conv2d(c, 5, 1),
         'none': lambda c: None, 'no bias': lambda c: nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False)}

SLOW_DEPTHWISE, SLOW_POINTWISE = (pytest.param(kind, marks=pytest.mark.slow) for kind in ('depthwise', 'pointwise'))


def build(kind, channels, dtype=torch.float32):
    """A norm and a convolution with parameters that are none of the defaults."""
    norm, conv = nn.BatchNorm2d(channels, momentum=0.3, eps=1e-4), CONVS[kind](channels)
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value)
    return norm.to(DEVICE, dtype), None if conv is None else conv.to(DEVICE, dtype)


def parameters(conv):
    return (None, None) if conv is None else (conv.weight, conv.bias)


def run(x, norm, conv, grad=None):
    """Output, gradients and running statistics by the kernels."""
    x = x.clone().requires_grad_()
    out = kernel_norm_gelu_conv(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum, norm.eps,
                                *parameters(conv))
    inputs = [x, norm.weight, norm.bias, *(v for v in parameters(conv) if v is not None)]
    grad = torch.randn(out.shape, device=DEVICE) if grad is None else grad
    return [out.detach(), *torch.autograd.grad(out, inputs, grad.to(out)), norm.running_mean, norm.running_var]


def formula(x, norm, conv, grad):
    x, norm, conv = x.double().requires_grad_(), copy.deepcopy(norm).double(), copy.deepcopy(conv)
    out = F.gelu(norm(x))
    out = out if conv is None else conv.double()(out)
    inputs = [x, norm.weight, norm.bias, *(v for v in parameters(conv) if v is not None)]
    return [out.detach(), *torch.autograd.grad(out, inputs, grad.double()), norm.running_mean, norm.running_var]


def worst(found, expected):
    assert len(found) == len(expected)
    assert all(a.isfinite().all() and a.shape == b.shape for a, b in zip(found, expected))
    return max(((a.double() - b).abs().max() / b.abs().max()).item() for a, b in zip(found, expected))


QUICK = [(torch.bfloat16, 'depthwise', (1, 6, 5, 7)), (torch.float32, 'depthwise', (3, 4, 1, 2)),
         (torch.float32, 'pointwise', (2, 6, 5, 8)), (torch.float16, 'none', (1, 78, 4, 4))]
THOROUGH = product(TOLERANCE, [
    ('depthwise', (2, 6, 5, 7)), ('depthwise', (1, 70, 3, 2)), ('no bias', (1, 8, 9, 18)), ('depthwise', (3, 4, 1, 2)),
    ('pointwise', (2, 6, 5, 8)), ('pointwise', (1, 9, 3, 3)), ('none', (1, 78, 4, 4)), ('none', (2, 3, 7, 5))])


@pytest.mark.parametrize('dtype, kind, size', [
    *QUICK, *(pytest.param(dtype, *case, marks=pytest.mark.slow) for dtype, case in THOROUGH)])
def test_against_the_modules(figure, dtype, kind, size):
    norm, conv = build(kind, size[1], torch.float32 if len(kind) == 9 else dtype)  # as autocast has it, or all of it
    x = (torch.randn(size, device=DEVICE) * 2 + 1).to(dtype).to(memory_format=torch.channels_last)
    grad = torch.randn(size[0], 5 if kind == 'pointwise' else size[1], *size[2:], device=DEVICE).to(dtype)
    expected = formula(x, norm, conv, grad)
    found = run(x, norm, conv, grad)
    assert found[0].dtype == found[1].dtype == dtype and {v.dtype for v in found[2:]} == {norm.weight.dtype}
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    figure(f'norm, GELU and convolution by kernels, {dtype}', worst(found, expected), TOLERANCE[dtype])


@pytest.mark.parametrize('kind', ['depthwise', SLOW_POINTWISE])
def test_same_gradients_at_every_call(monkeypatch, kind):
    """Of programs that share a sum, too; and as many as they are, they give the same but for rounding."""
    norm, conv = build(kind, 8)
    monkeypatch.setattr(depthwise, 'ROWS_OF_SUMS', 1)
    x = torch.randn(1, 8, 4, 3, device=DEVICE)
    grad = torch.randn(1, 8 if kind == 'depthwise' else 5, 4, 3, device=DEVICE)
    first, second = (run(x, copy.deepcopy(norm), conv, grad) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    monkeypatch.setattr(batch_norm, 'PROGRAMS', 1)
    monkeypatch.setattr(depthwise, 'WARPS_OF_SUMS', 1)
    assert worst(run(x, copy.deepcopy(norm), conv, grad), [v.double() for v in first]) < 1e-6


def test_a_mean_of_a_thousand_deviations():
    """Float32 knows a mean of 1000 to 6e-5, and the normalised map no better; of sums of squares nothing is left."""
    norm, conv = build('none', 6)
    x = torch.randn(2, 6, 12, 17, device=DEVICE)
    x += 1000 * torch.tensor([1, -1, 1, 2, 0, 1.], device=DEVICE).view(6, 1, 1)
    grad = torch.randn_like(x)
    expected = formula(x, norm, conv, grad)
    *found, running_var = run(x, norm, conv, grad)
    assert worst(found, expected[:-1]) < 1e-3 and worst([running_var], expected[-1:]) < 1e-4


def test_moments_are_merged():
    """Shares of the map, of several places to a row, and with a rest."""
    x = torch.randn(3, 7, 11, 12, device=DEVICE) * 3 + 40
    moments = torch.ops.hrformer_mm.batch_norm_moments(x)
    assert len(moments) == 4 and moments[:, 2].ne(231).all()
    mean, squares, count = _merge(moments)
    assert count.eq(231).all()
    torch.testing.assert_close(mean, x.mean((0, 1, 2)))
    torch.testing.assert_close(squares, x.flatten(0, 2).var(0, correction=0) * 231)


def test_maps_that_are_not_channels_last():
    norm, conv = build('depthwise', 6)
    x, grad = torch.randn(1, 6, 4, 5, device=DEVICE), torch.randn(1, 6, 5, 4, device=DEVICE).transpose(2, 3)
    expected = run(x.to(memory_format=torch.channels_last), copy.deepcopy(norm), conv, grad.contiguous())
    assert all(torch.equal(a, b) for a, b in zip(run(x, norm, conv, grad), expected))


@pytest.mark.parametrize('kind', [SLOW_DEPTHWISE, 'pointwise', 'none'])
def test_only_what_is_wanted(kind):
    """A map or parameters without gradients leave the others' as they are."""
    norm, conv = build(kind, 4)
    x = torch.randn(2, 4, 3, 3, device=DEVICE)
    grad = torch.randn(2, 5 if kind == 'pointwise' else 4, 3, 3, device=DEVICE)
    everything = run(x, norm, conv, grad)
    tensors = [x, norm.weight, norm.bias, *(v for v in parameters(conv) if v is not None)]
    for i in range(len(tensors)):
        tensors = [v.detach().requires_grad_(i == j) for j, v in enumerate(tensors)]
        out = kernel_norm_gelu_conv(*tensors[:3], norm.running_mean, norm.running_var, 0.1, norm.eps, *tensors[3:])
        assert torch.equal(torch.autograd.grad(out, tensors[i], grad)[0], everything[1 + i])


@pytest.mark.parametrize('kind', [SLOW_DEPTHWISE, 'pointwise', 'none'])
def test_the_input_alone_is_kept(kind):
    norm, conv = build(kind, 8)
    x, kept = torch.randn(1, 8, 16, 16, device=DEVICE).to(memory_format=torch.channels_last), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        kernel_norm_gelu_conv(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, 0.1, 1e-5,
                              *parameters(conv))
    assert [t.data_ptr() for t in kept if t.numel() >= x.numel()] == [x.data_ptr()]


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['depthwise', 'pointwise', 'none'])
def test_compiles_as_one_graph(kind):
    torch.compiler.reset()
    norm, conv = build(kind, 8)
    x = torch.randn(1, 8, 3, 4, device=DEVICE)
    grad = torch.randn(1, 5 if kind == 'pointwise' else 8, 3, 4, device=DEVICE)
    expected = run(x, copy.deepcopy(norm), conv, grad)
    compiled = torch.compile(kernel_norm_gelu_conv, backend='aot_eager', fullgraph=True)
    x.requires_grad_()
    out = compiled(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum, norm.eps,
                   *parameters(conv))
    inputs = [x, norm.weight, norm.bias, *(v for v in parameters(conv) if v is not None)]
    found = [out, *torch.autograd.grad(out, inputs, grad), norm.running_mean, norm.running_var]
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b)
    torch.compiler.reset()


@pytest.mark.slow
def test_operators_are_well_defined():
    kernels, (n, h, w, c) = torch.ops.hrformer_mm, (2, 3, 4, 5)
    x, grad = torch.randn(n, h, w, c, device=DEVICE), torch.randn(n, h, w, c, device=DEVICE)
    vectors = [torch.rand(c, device=DEVICE) for _ in range(4)]
    moments = kernels.batch_norm_moments(x)
    stats = kernels.batch_norm_finish(moments, *vectors, 0.1, 1e-5)
    weight, sums = torch.randn(c, 1, 3, 3, device=DEVICE), torch.randn(2, c, device=DEVICE)
    for operator, arguments in (('moments', (x, )), ('finish', (moments, *vectors, 0.1, 1e-5)), ('gelu', (x, stats)),
                                ('gelu_sums', (x, grad, stats, True)), ('gelu_sums', (x, grad, stats, False)),
                                ('gelu_backward', (x, grad, stats, sums, True))):
        torch.library.opcheck(getattr(kernels, f'batch_norm_{operator}'), arguments)
    torch.library.opcheck(kernels.depthwise, (x, stats, weight, None, False))
    torch.library.opcheck(kernels.depthwise_backward, (x, grad, stats, weight))


def test_no_second_derivative():
    norm, conv = build('none', 4)
    x = torch.randn(1, 4, 3, 3, device=DEVICE, requires_grad=True)
    out = kernel_norm_gelu_conv(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, 0.1, 1e-5)
    grad, = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        grad.sum().backward()
