import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.deploy.upsampled_conv import _is_worthwhile, upsampled_conv

CHANNELS = (3, 4, 24, 40)


def reference(maps, weight, bias, align_corners):
    size = maps[0].shape[2:]
    maps = [F.interpolate(x, size=size, mode='bilinear', align_corners=align_corners) for x in maps]
    return F.conv2d(torch.cat(maps, 1), weight, bias, padding=weight.shape[2] // 2)


def inputs(n, h, w, k, dtype):
    maps = [torch.randn(n, c, -(-h // 2**i), -(-w // 2**i), dtype=dtype) for i, c in enumerate(CHANNELS)]
    return maps, torch.randn(6, sum(CHANNELS), k, k, dtype=dtype), torch.randn(6, dtype=dtype)


@pytest.mark.parametrize('size', [(32, 24), (33, 17), (8, 9), (1, 1), (5, 40)])
@pytest.mark.parametrize('align_corners', [True, False])
@pytest.mark.parametrize('k', [1, 3, 5])
def test_equals_convolution_of_the_concatenation(size, align_corners, k):
    maps, weight, bias = inputs(2, *size, k, torch.float64)
    leaves = [x.requires_grad_() for x in (*maps, weight, bias)]
    out, expected = upsampled_conv(maps, weight, bias, align_corners), reference(maps, weight, bias, align_corners)
    assert torch.allclose(out, expected, rtol=1e-10, atol=1e-10)
    grad = torch.randn_like(expected)
    for a, b in zip(torch.autograd.grad(out, leaves, grad), torch.autograd.grad(expected, leaves, grad)):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)


def test_cheaper_order_is_chosen():
    """For HRFormer-B at 512x1024 pixels, these are the branches of strides 16 and 32."""
    maps, out = [torch.empty(1, c, 128 // 2**i, 256 // 2**i) for i, c in enumerate((78, 156, 312, 624))], 1024
    taken = [_is_worthwhile(x, torch.empty(out, x.shape[1], 3, 3), (128, 256)) for x in maps[1:]]
    assert taken == [False, True, True]


def test_precision_under_autocast():
    maps, weight, bias = inputs(1, 32, 32, 3, torch.float32)
    expected = reference(maps, weight, bias, True)
    with torch.autocast('cpu', torch.bfloat16):
        out, usual = upsampled_conv(maps, weight, bias, True), reference(maps, weight, bias, True)
    assert out.dtype == torch.bfloat16
    assert (out - expected).norm() < 1.5 * (usual - expected).norm()  # a sum of four rounded maps, not one


def test_empty_batch():
    maps, weight, bias = inputs(0, 16, 16, 3, torch.float32)
    assert upsampled_conv(maps, weight, bias, True).shape == (0, 6, 16, 16)
