import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.layers import Bottleneck


@pytest.mark.parametrize('in_channels, depthwise', [(16, False), (10, True)])
def test_equals_the_formula(in_channels, depthwise):
    b = Bottleneck(in_channels, 4, dict(type='BN'), depthwise).eval()
    x = torch.randn(2, in_channels, 5, 6)

    def conv(v, layer, norm, **kwargs):
        return F.batch_norm(F.conv2d(v, layer.weight, **kwargs), norm.running_mean, norm.running_var)

    y = conv(x, b.conv1, b.bn1).relu()
    y = conv(y, b.conv2, b.bn2, padding=1, groups=4 if depthwise else 1).relu()
    y = conv(y, b.conv3, b.bn3)
    residual = x if in_channels == 16 else conv(x, *b.downsample)
    assert torch.allclose(b(x), (y + residual).relu(), atol=1e-6)
