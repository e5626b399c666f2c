import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.ops import LayerNormProjection


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('size', [(5, 7), (1, 2)])  # more and fewer places than channels
def test_values_and_gradients(size, with_bias):
    x = torch.randn(2, *size, 6, dtype=torch.float64, requires_grad=True)
    weight, bias = (torch.randn(6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    projection = torch.randn(8, 6, dtype=torch.float64, requires_grad=True)
    offset = torch.randn(8, dtype=torch.float64, requires_grad=True) if with_bias else None
    inputs = [t for t in (x, weight, bias, projection, offset) if t is not None]

    out = LayerNormProjection.apply(x, weight, bias, 1e-6, projection, offset)
    expected = F.linear(F.layer_norm(x, (6, ), weight, bias, 1e-6), projection, offset)
    torch.testing.assert_close(out, expected)
    grad = torch.randn_like(out)
    torch.testing.assert_close(torch.autograd.grad(out, inputs, grad), torch.autograd.grad(expected, inputs, grad))


def test_only_what_is_wanted():
    x = torch.randn(1, 4, 4, 6)
    weight, bias, projection = torch.ones(6, requires_grad=True), torch.zeros(6), torch.randn(8, 6)
    LayerNormProjection.apply(x, weight, bias, 1e-6, projection, None).sum().backward()
    assert weight.grad is not None and x.grad is None
