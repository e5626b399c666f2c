import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.ops import pointwise_conv, project


@pytest.mark.parametrize('dtype, bound', [(torch.float32, 1e-5), (torch.float64, 1e-12), (torch.bfloat16, 5e-2)])
@pytest.mark.parametrize('with_bias', [True, False])
def test_is_linear(dtype, bound, with_bias):
    x, weight, bias = (torch.randn(s, dtype=dtype, requires_grad=True) for s in ((2, 5, 3, 6), (8, 6), (8, )))
    inputs = (x, weight, bias) if with_bias else (x, weight)
    out, expected = project(*inputs), F.linear(*inputs)
    assert torch.allclose(out, expected, atol=bound)
    grad = torch.randn_like(out)
    for a, b in zip(torch.autograd.grad(out, inputs, grad), torch.autograd.grad(expected, inputs, grad)):
        assert torch.allclose(a, b, atol=bound, rtol=bound)


def test_no_images_and_parts_of_a_map():
    weight = torch.randn(4, 6)
    assert project(torch.zeros(0, 3, 3, 6), weight).shape == (0, 3, 3, 4)
    x = torch.randn(2, 9, 9, 6)[:, 1:4, 2:7]
    assert torch.allclose(project(x, weight), F.linear(x, weight), atol=1e-6)


@pytest.mark.parametrize('size', [(2, 3), (9, 8)])  # fewer places than channels, and more
@pytest.mark.parametrize('with_bias', [True, False])
def test_gradients_of_a_pointwise_convolution(size, with_bias):
    x = torch.randn(2, 16, *size).contiguous(memory_format=torch.channels_last).requires_grad_()
    leaves = [x, torch.randn(24, 16, 1, 1, requires_grad=True)]
    leaves += [torch.randn(24, requires_grad=True)] if with_bias else []
    out, exact = pointwise_conv(*leaves), F.conv2d(*(v.double() for v in leaves))
    assert torch.allclose(out.double(), exact, rtol=1e-5, atol=1e-5)
    grad = torch.randn_like(out)
    for a, b in zip(torch.autograd.grad(out, leaves, grad), torch.autograd.grad(exact, leaves, grad.double())):
        assert torch.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-4)
