import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.layers import BranchFusion

CHANNELS = (4, 6, 8, 10)


def branches(h, w):
    return [torch.randn(2, c, -(-h // 2**i), -(-w // 2**i)) for i, c in enumerate(CHANNELS)]


@pytest.mark.parametrize('upsample', ['nearest', 'bilinear'])
@pytest.mark.parametrize('size', [(16, 24), (13, 9), (1, 1), (2, 7)])
def test_sum_of_all_branches(upsample, size):
    """Compare with the definition, written out for every pair of branches."""
    fusion = BranchFusion(CHANNELS, range(4), dict(type='BN'), upsample).eval()
    maps = branches(*size)
    out = fusion(maps)
    align = upsample == 'nearest'
    for i in range(4):
        total = maps[i]
        for j in range(4):
            if j < i:
                total = total + fusion[i][j](maps[j])
            if j > i:
                up = F.interpolate(
                    fusion[i][j](maps[j]),
                    scale_factor=2 ** (j - i),
                    mode=upsample,
                    **({} if align else dict(align_corners=False)),
                )
                total = total + F.interpolate(up, size=maps[i].shape[2:], mode='bilinear', align_corners=align)
        assert torch.allclose(out[i], total.relu(), atol=1e-6)


def test_branches_that_are_not_computed_have_no_weights():
    norm = dict(type='BN')
    whole, part = BranchFusion(CHANNELS, range(4), norm, 'nearest'), BranchFusion(CHANNELS, (0, 2), norm, 'nearest')
    part.load_state_dict({k: v for k, v in whole.state_dict().items() if k[0] in '02'})
    maps = branches(8, 8)
    expected = whole.eval()(maps)
    out = part.eval()(maps)
    assert len(out) == 2 and torch.equal(out[0], expected[0]) and torch.equal(out[1], expected[2])
