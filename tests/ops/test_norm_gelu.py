import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.ops import BatchNormGELUConv


def inputs(n, c, h, w, layout):
    x = torch.randn(n, c, h, w, dtype=torch.float64) * 2 + 3
    x = x.contiguous(memory_format=layout).requires_grad_()
    weight = torch.rand(c, dtype=torch.float64).requires_grad_()
    return x, weight, torch.randn(c, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('shape, conv', [
    ((2, 6, 5, 4), None),  # the norm after the last convolution
    ((2, 6, 5, 4), (6, 1, 3)),  # depth-wise
    ((2, 6, 5, 4), (3, 6, 1)),
    ((1, 24, 2, 2), (12, 24, 1)),  # fewer places than channels: another gradient of the weight
])
def test_equals_three_steps(shape, conv, layout):
    """Outputs, all gradients and running statistics, against PyTorch's own three steps."""
    x, weight, bias = inputs(*shape, layout)
    statistics = [torch.rand(shape[1], dtype=torch.float64) for _ in range(4)]
    statistics[2:] = [s.clone() for s in statistics[:2]]
    leaves, following, padding, groups = [x, weight, bias], (), 0, 1
    if conv is not None:
        out, per_group, kernel = conv
        conv_weight = torch.randn(out, per_group, kernel, kernel, dtype=torch.float64, requires_grad=True)
        conv_bias = torch.randn(out, dtype=torch.float64, requires_grad=True)
        leaves += [conv_weight, conv_bias]
        padding, groups = kernel // 2, shape[1] // per_group
        following = (conv_weight, conv_bias, (padding, padding), groups)

    out = BatchNormGELUConv.apply(x, weight, bias, *statistics[:2], 0.3, 1e-5, *following)
    expected = F.gelu(F.batch_norm(x, *statistics[2:], weight, bias, True, 0.3, 1e-5))
    if conv is not None:
        expected = F.conv2d(expected, conv_weight, conv_bias, padding=padding, groups=groups)
    assert torch.allclose(out, expected, rtol=1e-12)
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(statistics[:2], statistics[2:]))
    grad = torch.randn_like(expected)
    for a, b in zip(torch.autograd.grad(out, leaves, grad), torch.autograd.grad(expected, leaves, grad)):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-11)


def test_gradients_where_some_are_not_wanted():
    x, weight, bias = inputs(2, 4, 3, 3, torch.channels_last)
    conv_weight = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    statistics = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *a: BatchNormGELUConv.apply(*a, *statistics, 0.1, 1e-5, conv_weight, None, (1, 1), 4),
        (x, weight.detach(), bias))


def test_keeps_its_input_alone():
    x, weight, bias = inputs(1, 8, 16, 16, torch.channels_last)
    statistics = torch.zeros(8, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        BatchNormGELUConv.apply(x, weight, bias, *statistics, 0.1, 1e-5, torch.randn(8, 1, 3, 3).double(), None,
                                (1, 1), 8)
    assert [t.shape for t in kept if t.dim() == 4 and t.shape[2:] == (16, 16)] == [x.shape]
