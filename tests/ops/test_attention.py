import sys

import pytest
import torch

from hrformer_mm.ops.attention import IMPLEMENTATIONS, attention

module = sys.modules['hrformer_mm.ops.attention']  # the package has a function of the same name


def inputs(batch=3, dtype=torch.float64):
    q, k, v = torch.randn(3, batch, 2, 6, 4, dtype=dtype)
    return q, k, v


def formula(q, k, v, bias, scale):
    out = torch.zeros_like(q)
    for index in torch.cartesian_prod(*map(torch.arange, q.shape[:3])).tolist():
        b, h, i = index
        scores = torch.stack([scale * (q[b, h, i] * k[b, h, j]).sum() for j in range(k.shape[2])])
        if bias is not None:
            scores = scores + bias.expand(q.shape[0], -1, -1, -1)[b, h, i]
        out[b, h, i] = scores.softmax(0) @ v[b, h]
    return out


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('bias', [None, 'shared', 'each', 'masked'])
def test_equals_the_formula(implementation, bias):
    q, k, v = inputs()
    if bias is not None:
        kind, bias = bias, torch.randn(1 if bias == 'shared' else 3, 2, 6, 6, dtype=torch.float64)
        if kind == 'masked':
            bias[1, :, :, 2:] = float('-inf')
    torch.testing.assert_close(attention(q, k, v, bias, 0.3, implementation), formula(q, k, v, bias, 0.3))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_gradients(implementation):
    leaves = [x.requires_grad_() for x in (*inputs(1), torch.randn(1, 2, 6, 6, dtype=torch.float64))]
    assert torch.autograd.gradcheck(lambda *x: attention(*x, 0.3, implementation), leaves)
    if implementation == 'plain':
        assert torch.autograd.gradgradcheck(lambda *x: attention(*x, 0.3, implementation), leaves)


@pytest.mark.parametrize('bias_batch', [None, 1, 10])
def test_batches_beyond_the_limit_of_a_cuda_grid_are_split(monkeypatch, bias_batch):
    q, k, v = inputs(10)
    bias = None if bias_batch is None else torch.randn(bias_batch, 2, 6, 6, dtype=torch.float64)
    expected, batches = attention(q, k, v, bias, 0.3, 'sdpa'), []
    function = torch.nn.functional.scaled_dot_product_attention

    def record(q, *args, **kwargs):
        batches.append(q.shape[0])
        return function(q, *args, **kwargs)

    monkeypatch.setattr(module, 'MAX_BATCH', 4)
    monkeypatch.setattr(module.F, 'scaled_dot_product_attention', record)
    torch.testing.assert_close(attention(q, k, v, bias, 0.3, 'sdpa'), expected)
    assert batches == [4, 4, 2]


def test_float16_scores_are_computed_in_float32():
    q, k, v = inputs(dtype=torch.float16)
    out = attention(1000 * q, 1000 * k, v, None, 0.3, 'plain')
    expected = attention((1000 * q).double(), (1000 * k).double(), v.double(), None, 0.3, 'plain')
    assert out.dtype == torch.float16 and out.isfinite().all()
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=2e-2)
