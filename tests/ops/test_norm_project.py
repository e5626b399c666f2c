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


@pytest.mark.parametrize('dtype, bound', [(torch.bfloat16, 1e-2), (torch.float16, 2e-3)])
def test_parameters_of_float32_with_maps_of_sixteen_bits(dtype, bound):
    """As under autocast, which would keep two maps more, in float32."""
    inputs = [torch.randn(shape) for shape in ((2, 5, 7, 6), (6, ), (6, ), (8, 6), (8, ))]
    inputs[0] = inputs[0].to(dtype)
    x, weight, bias, projection, offset = (t.requires_grad_() for t in inputs)
    kept = []
    with torch.autocast('cpu', dtype), torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        out = LayerNormProjection.apply(x, weight, bias, 1e-6, projection, offset)
    assert out.dtype == dtype
    assert [t.dtype for t in kept if t.shape == x.shape] == [dtype]
    exact = [t.detach().double().requires_grad_() for t in inputs]
    expected = F.linear(F.layer_norm(exact[0], (6, ), *exact[1:3], 1e-6), *exact[3:])
    grad = torch.randn_like(out)
    found = [out, *torch.autograd.grad(out, inputs, grad)]
    assert all(a.dtype == b.dtype for a, b in zip(found[1:], inputs))
    for a, b in zip(found, [expected, *torch.autograd.grad(expected, exact, grad.double())]):
        assert (a - b).abs().max() <= bound * b.abs().max(), (a.shape, ((a - b).abs().max() / b.abs().max()).item())
