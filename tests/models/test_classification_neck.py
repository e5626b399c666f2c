import pytest
import torch
import torch.nn.functional as F

import hrformer_mm  # noqa: F401  (its repairs come before the host library)
from hrformer_mm.models.classification_neck import ClassificationNeck


def test_merges_branches_of_odd_sizes():
    neck = ClassificationNeck((4, 6, 8, 10), channels=(2, 3, 4, 5), out_channels=12).eval()
    maps = [torch.randn(2, c, s, s + 2) for c, s in ((4, 9), (6, 5), (8, 3), (10, 2))]
    maps = [m[..., : -(-11 // 2**i)] for i, m in enumerate(maps)]
    y = neck.increase[0](maps[0])
    for i in range(3):
        depthwise, norm1, pointwise, norm2, _ = neck.downsample[i]
        y = F.conv2d(y, depthwise.weight, depthwise.bias, stride=2, padding=1, groups=y.shape[1])
        y = norm2(F.conv2d(norm1(y), pointwise.weight, pointwise.bias)).relu()
        y = neck.increase[i + 1](maps[i + 1]) + y
    assert torch.allclose(neck(maps)[0], neck.final(y), atol=1e-6)
    assert neck(maps)[0].shape == (2, 12, 2, 2)


def test_wrong_number_of_branches():
    with pytest.raises(ValueError, match=r'in_channels is \(4, 6\), but must have 4 entries'):
        ClassificationNeck((4, 6))
    with pytest.raises(ValueError, match=r'joins 4 branches, but got 1.*out_indices=\(0, 1, 2, 3\)'):
        ClassificationNeck((4, 6, 8, 10))([torch.randn(1, 4, 8, 8)])


def test_works_in_mmpretrains_classifier():
    pytest.importorskip('mmpretrain')
    from mmpretrain.registry import MODELS

    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='hrformer_mm.HRFormer', arch='tiny'),
            neck=[
                dict(type='hrformer_mm.ClassificationNeck', in_channels=(18, 36, 72, 144)),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(type='LinearClsHead', num_classes=10, in_channels=2048),
        )
    )
    assert model.eval()(torch.randn(2, 3, 64, 64), mode='tensor').shape == (2, 10)


def test_mmdets_hrfpn_works_on_the_backbone():
    pytest.importorskip('mmdet')
    import mmdet.models  # noqa: F401
    from mmdet.registry import MODELS

    backbone = MODELS.build(dict(type='hrformer_mm.HRFormer', arch='tiny')).eval()
    neck = MODELS.build(dict(type='HRFPN', in_channels=[18, 36, 72, 144], out_channels=16)).eval()
    assert [tuple(p.shape) for p in neck(backbone(torch.randn(1, 3, 64, 96)))] == [
        (1, 16, 16, 24),
        (1, 16, 8, 12),
        (1, 16, 4, 6),
        (1, 16, 2, 3),
        (1, 16, 1, 1),
    ]
