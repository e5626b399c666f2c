import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.layers import StreamFusion
from hrformer_mm.layers import fusion as module
from hrformer_mm.ops import set_block_backend

CHANNELS = (4, 6, 8, 10)


def streams(h, w):
    return [torch.randn(2, c, -(-h // 2**i), -(-w // 2**i)) for i, c in enumerate(CHANNELS)]


@pytest.mark.parametrize('upsample', ['nearest', 'bilinear'])
@pytest.mark.parametrize('size', [(16, 24), (13, 9), (1, 1), (2, 7)])
def test_sum_of_all_streams(upsample, size):
    """Against the definition, written out for every pair of streams."""
    fusion = StreamFusion(CHANNELS, range(4), dict(type='BN'), upsample).eval()
    maps = streams(*size)
    out = fusion(maps)
    align = upsample == 'nearest'
    for i in range(4):
        total = maps[i]
        for j in range(4):
            if j < i:
                total = total + fusion[i][j](maps[j])
            if j > i:
                up = F.interpolate(fusion[i][j](maps[j]), scale_factor=2**(j - i), mode=upsample,
                                   **({} if align else dict(align_corners=False)))
                total = total + F.interpolate(up, size=maps[i].shape[2:], mode='bilinear', align_corners=align)
        assert torch.allclose(out[i], total.relu(), atol=1e-6)


@pytest.mark.parametrize('upsample', ['nearest', 'bilinear'])
@pytest.mark.parametrize('size', [(16, 24), (13, 9), (6, 10), (1, 1), (2, 7)])
def test_by_a_kernel(monkeypatch, upsample, size):
    """In Triton's interpreter, where there is no GPU; sizes that one resize, or two, are needed for."""
    pytest.importorskip('triton')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    fusion = StreamFusion(CHANNELS, range(4), dict(type='BN'), upsample).eval().to(device)
    maps, calls, kernel = [x.to(device) for x in streams(*size)], [], module.triton_fusion
    monkeypatch.setattr(module, 'triton_fusion', lambda *arguments: calls.append(1) or kernel(*arguments))
    with torch.no_grad():
        expected = fusion(maps)
        previous = set_block_backend('triton')
        try:
            found = fusion(maps)
            assert len(calls) == 4
            with torch.enable_grad():
                assert fusion(maps)[0].requires_grad and len(calls) == 4, 'the kernel has no gradient'
        finally:
            set_block_backend(previous)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected))


def test_streams_that_are_not_asked_for_have_no_weights():
    norm = dict(type='BN')
    whole, part = StreamFusion(CHANNELS, range(4), norm, 'nearest'), StreamFusion(CHANNELS, (0, 2), norm, 'nearest')
    part.load_state_dict({k: v for k, v in whole.state_dict().items() if k[0] in '02'})
    maps = streams(8, 8)
    expected = whole.eval()(maps)
    out = part.eval()(maps)
    assert len(out) == 2 and torch.equal(out[0], expected[0]) and torch.equal(out[1], expected[2])
