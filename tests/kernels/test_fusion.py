"""The sum of streams by a kernel, see conftest.py."""

import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.kernels import triton_fusion

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def make(n, channels, size, factors, dtype):
    shapes = [size, *((size[0] // factor, size[1] // factor) for factor in factors)]
    own, *others = (torch.randn(n, channels, *shape, device=DEVICE).to(dtype) for shape in shapes)
    return own, others


def exact(own, others, bilinear):
    total = own.double()
    for x in others:
        mode = dict(mode='bilinear', align_corners=False) if bilinear else dict(mode='nearest')
        total = total + F.interpolate(x.double(), size=own.shape[2:], **mode)
    return total.relu()


@pytest.mark.parametrize('bilinear', [False, True])
@pytest.mark.parametrize('n, channels, size, factors', [
    (1, 18, (8, 24), (2, 4, 8)), (2, 78, (6, 4), (1, 2)), (2, 156, (2, 3), (1, 1, 1)), (1, 5, (4, 4), (4, )),
    (3, 40, (1, 1), ()), (0, 18, (8, 8), (2, )), (1, 18, (16, 8), (8, 2, 1))])
def test_float32(n, channels, size, factors, bilinear):
    own, others = make(n, channels, size, factors, torch.float32)
    out, expected = triton_fusion(own, others, bilinear), exact(own, others, bilinear)
    assert out.shape == own.shape and out.is_contiguous(memory_format=torch.channels_last)
    assert n == 0 or (out - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.parametrize('dtype, bound', [(torch.float16, 2**-11), (torch.bfloat16, 2**-8)])
def test_sixteen_bits_are_rounded_once(dtype, bound):
    """PyTorch's sums are rounded after each map."""
    own, others = make(1, 18, (8, 8), (2, 4, 1), dtype)
    out, expected = triton_fusion(own, others, True), exact(own, others, True)
    assert out.dtype == dtype and ((out - expected).abs() <= 1.01 * bound * expected + 1e-6).all()


def test_nan_and_inf_are_not_hidden():
    own, others = make(1, 3, (2, 2), (2, ), torch.float32)
    own[0, :, 0, 0] = torch.tensor([float('nan'), float('inf'), float('-inf')])
    out = triton_fusion(own, others, False)[0, :, 0, 0]
    assert out[0].isnan() and out[1] == float('inf') and out[2] == 0


def test_layouts():
    own, others = make(2, 6, (4, 8), (2, 1), torch.float32)
    expected = triton_fusion(own, others, True)
    assert torch.equal(triton_fusion(own.to(memory_format=torch.channels_last), others, True), expected)
    strided = torch.randn(2, 12, 4, 8, device=DEVICE)[:, ::2]
    assert torch.equal(triton_fusion(strided, others, True), triton_fusion(strided.clone(), others, True))


def test_maps_of_other_dtypes():
    """As under autocast: the sum has the dtype of the stream's own map."""
    own, others = make(1, 6, (4, 8), (2, 1), torch.float32)
    out = triton_fusion(own, [x.bfloat16() for x in others], True)
    expected = exact(own, [x.bfloat16() for x in others], True)
    assert out.dtype == torch.float32 and (out - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_maps_that_do_not_fit():
    for shape in ((1, 3, 3, 4), (1, 3, 2, 8), (1, 3, 0, 0)):
        with pytest.raises(ValueError, match='smaller by one factor'):
            triton_fusion(torch.zeros(1, 3, 8, 16), [torch.zeros(shape)], True)
    with pytest.raises(ValueError, match='at most 3'):
        triton_fusion(torch.zeros(1, 3, 8, 16), [torch.zeros(1, 3, 8, 16)] * 4, True)


def test_operator_is_well_defined():
    own, others = make(1, 6, (4, 8), (2, 1), torch.float32)
    torch.library.opcheck(torch.ops.hrformer_mm.fuse_streams, (own, others, True))
