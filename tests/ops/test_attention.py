import math

import pytest
import torch

from hrformer_mm.ops import set_attention_backend, window_attention


@pytest.fixture(params=['batched', 'fused', 'plain'])
def backend(request):
    previous = set_attention_backend(request.param)
    yield request.param
    set_attention_backend(previous)


def reference(qkv, padding_value, heads, window, bias=None, mask_padding=False):
    """Query by query, key by key, in float64, with loops and no windows: the definition."""
    n, h, w, c3 = qkv.shape
    c, d = c3 // 3, c3 // 3 // heads
    (wh, ww), out = window, torch.zeros(n, h, w, c3 // 3, dtype=torch.float64)
    top, left = (-h % wh) // 2, (-w % ww) // 2

    def token(i, y, x):
        inside = 0 <= y < h and 0 <= x < w
        return (qkv[i, y, x] if inside else padding_value).double(), inside

    for i in range(n):
        for y in range(h):
            for x in range(w):
                y0, x0 = (y + top) // wh * wh - top, (x + left) // ww * ww - left
                keys = [token(i, y0 + a, x0 + b) for a in range(wh) for b in range(ww)]
                me = (y - y0) * ww + x - x0
                for head in range(heads):
                    part = slice(head * d, head * d + d)
                    q = qkv[i, y, x, :c].double()[part]
                    scores = torch.stack([(q * key[c:2 * c][part]).sum() / math.sqrt(d) for key, _ in keys])
                    if bias is not None:
                        scores = scores + bias[head, me].double()
                    if mask_padding:
                        scores[torch.tensor([not inside for _, inside in keys])] = float('-inf')
                    weights = scores.softmax(0)
                    out[i, y, x, part] = sum(p * key[2 * c:][part] for p, (key, _) in zip(weights, keys))
    return out


@pytest.mark.parametrize('size', [(4, 6), (5, 6), (4, 7), (3, 4), (1, 1)])
@pytest.mark.parametrize('window', [(2, 3), (4, 4)])
@pytest.mark.parametrize('mask_padding', [False, True])
def test_equals_the_definition(backend, size, window, mask_padding):
    qkv, padding_value = torch.randn(2, *size, 3 * 8), torch.randn(3 * 8)
    bias = torch.randn(2, window[0] * window[1], window[0] * window[1])
    for b in (bias, None):
        expected = reference(qkv, padding_value, 2, window, b, mask_padding)
        for training in (True, False):
            with torch.set_grad_enabled(training):
                out = window_attention(qkv, padding_value, 2, window, b, mask_padding)
            assert torch.allclose(out.double(), expected, atol=2e-6)


@pytest.mark.parametrize('mask_padding', [False, True])
def test_gradients(backend, mask_padding):
    inputs = [torch.randn(1, 3, 5, 12), torch.randn(12), torch.randn(2, 6, 6)]
    inputs = [x.double().requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(
        lambda qkv, value, bias: window_attention(qkv, value, 2, (2, 3), bias, mask_padding), inputs)


def test_no_images(backend):
    out = window_attention(torch.randn(0, 5, 5, 24), torch.randn(24), 2, (7, 7), torch.randn(2, 49, 49), True)
    assert out.shape == (0, 5, 5, 8)


def test_unknown_backend():
    with pytest.raises(ValueError, match="backend is 'flash'.*auto, batched, fused, plain, triton"):
        set_attention_backend('flash')
