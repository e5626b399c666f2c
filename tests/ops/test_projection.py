import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.ops import project


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
