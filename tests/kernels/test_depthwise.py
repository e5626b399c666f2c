"""The depth-wise convolution's kernel, on the GPU where there is one, else in Triton's interpreter."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.kernels import depthwise as kernels
from hrformer_mm.kernels import triton_depthwise

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-2}


def formula(x, weight, bias, gelu):
    out = F.conv2d(x.double().permute(0, 3, 1, 2), weight.double(), None if bias is None else bias.double(), padding=1,
                   groups=x.shape[3]).permute(0, 2, 3, 1)
    return F.gelu(out) if gelu else out


QUICK = [(torch.float32, (2, 3, 1, 5), True, False), (torch.float16, (0, 4, 4, 8), True, True),
         (torch.bfloat16, (1, 4, 9, 70), True, True), (torch.float32, (1, 1, 1, 1), False, True)]
THOROUGH = product(TOLERANCE, [
    ((1, 1, 1, 1), False, True), ((2, 3, 1, 5), True, False), ((1, 1, 6, 8), True, True), ((1, 5, 9, 70), True, True),
    ((2, 3, 18, 3), False, False), ((0, 4, 4, 8), True, True)])


@pytest.mark.parametrize('dtype, size, bias, gelu', [
    *QUICK, *(pytest.param(dtype, *case, marks=pytest.mark.slow) for dtype, case in THOROUGH)])
def test_against_the_formula(dtype, size, bias, gelu):
    x, weight = torch.randn(size).to(dtype), torch.randn(size[3], 1, 3, 3)
    if bias:  # as autocast has it, and as a model of 16 bits
        bias = torch.randn(size[3])
    else:
        weight, bias = weight.to(dtype), None
    inputs = [None if v is None else v.to(DEVICE) for v in (x, weight, bias)]
    found, expected = triton_depthwise(*inputs, gelu), formula(*inputs, gelu)
    assert found.dtype == dtype and found.shape == expected.shape and found.isfinite().all()
    if found.numel():
        assert (found - expected).abs().max() <= TOLERANCE[dtype] * expected.abs().max()


@pytest.mark.slow
def test_strips(monkeypatch):
    """One program for all rows, and one for each."""
    x, weight = torch.randn(1, 5, 5, 8, device=DEVICE), torch.randn(8, 1, 3, 3, device=DEVICE)
    expected = triton_depthwise(x, weight, None, False)
    for warps, rows, strips in ((1, 2, 1), (10**6, 1, 5)):
        monkeypatch.setattr(kernels, 'WARPS', warps)
        monkeypatch.setattr(kernels, 'ROWS', rows)
        assert kernels.tiles(x, warps, rows)[1][3] == strips
        assert torch.equal(triton_depthwise(x, weight, None, False), expected)


def test_gelu_is_as_exact_as_float32_has_it():
    """Of every size, on both sides: the weight is 1 in the middle."""
    x, weight = torch.linspace(-12, 12, 1024, device=DEVICE).view(1, 2, 8, 64), torch.zeros(64, 1, 3, 3, device=DEVICE)
    weight[:, :, 1, 1] = 1
    found, expected = triton_depthwise(x, weight, None, True), F.gelu(x.double())
    assert ((found - expected).abs() <= 3e-7 * x.abs().clamp_min(1e-3)).all()
    assert (found - expected).abs()[x < -6].max() < 1e-8


def test_maps_that_are_not_contiguous():
    x, weight = torch.randn(1, 4, 3, 8, device=DEVICE), torch.randn(3, 3, 8, 1, device=DEVICE).permute(2, 3, 0, 1)
    found = triton_depthwise(x.transpose(1, 2), weight, None, False)
    assert torch.equal(found, triton_depthwise(x.transpose(1, 2).contiguous(), weight.contiguous(), None, False))


def test_operator_is_well_defined():
    x, weight, bias = torch.randn(1, 3, 4, 5), torch.randn(5, 1, 3, 3), torch.randn(5)
    for settings in ((bias, True), (None, False)):
        torch.library.opcheck(torch.ops.hrformer_mm.depthwise, (x.to(DEVICE), None, weight.to(DEVICE), *settings))
    compiled = torch.compile(lambda x: triton_depthwise(x * 2, weight, bias, True), backend='aot_eager', fullgraph=True)
    assert torch.equal(compiled(x), triton_depthwise(x * 2, weight, bias, True))
    torch.compiler.reset()


def test_it_has_no_derivative():
    x, weight = torch.randn(1, 3, 3, 4, device=DEVICE, requires_grad=True), torch.randn(4, 1, 3, 3, device=DEVICE)
    with pytest.raises(RuntimeError, match="is for inference and has no derivative; call it under torch.no_grad"):
        triton_depthwise(x, weight, None, False).sum().backward()


def test_what_the_kernel_is_not_made_for():
    x, weight = torch.randn(1, 3, 3, 4), torch.randn(4, 1, 3, 3)
    with pytest.raises(ValueError, match="'triton': the dtype is torch.float64, but must be .*; take 'torch'"):
        triton_depthwise(x.double(), weight, None, False)
    with pytest.raises(ValueError, match=r"weight is \(4, 4, 3, 3\), but must be \(4, 1, 3, 3\)"):
        triton_depthwise(x, weight.repeat(1, 4, 1, 1), None, False)
    huge = torch.empty(1, 2, 2**25, 48, device='meta')
    with pytest.raises(ValueError, match=r"a row of the map, .*, has 2\*\*30 elements or more; take 'torch'"):
        kernels._depthwise(huge, None, torch.empty(48, 1, 3, 3, device='meta'), None, False)
    many = torch.empty(2**28, 2**8, 2**8, 64, device='meta')
    with pytest.raises(ValueError, match='is more than one launch takes'):
        kernels._depthwise(many, None, torch.empty(64, 1, 3, 3, device='meta'), None, False)


def test_a_map_without_places():
    assert triton_depthwise(torch.empty(1, 0, 4, 8), torch.empty(8, 1, 3, 3), None, True).shape == (1, 0, 4, 8)


@pytest.mark.parametrize('size, strips', [((2, 128, 256, 312), 13), ((64, 64, 48, 312), 3), ((1, 8, 6, 2496), 4)])
def test_maps_of_hrformer_b(size, strips):
    """Many rows to a strip where there are programs enough, few where there are not; all rows are some strip's."""
    map_ = torch.empty(size, device='meta')
    places, (height, _, _, found, share), options = kernels.tiles(map_, kernels.WARPS, kernels.ROWS)
    assert found == strips and share * (strips - 1) < height <= share * strips
    assert places * kernels.blocks(options) * options['num_warps'] <= 2 * kernels.WARPS
