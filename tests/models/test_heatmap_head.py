import numpy as np
import pytest
import torch
import torch.nn.functional as F

import hrformer_mm  # noqa: F401  (its repairs come before the host library)

pytest.importorskip('mmpose')

from mmengine.structures import InstanceData, PixelData
from mmpose.codecs import MSRAHeatmap
from mmpose.structures import PoseDataSample

from hrformer_mm.models.heatmap_head import TopdownHeatmapHead

CODEC = dict(type='MSRAHeatmap', input_size=(64, 96), heatmap_size=(16, 24), sigma=2)


def test_uses_the_finest_map():
    head = TopdownHeatmapHead(18, 17)
    maps = [torch.randn(2, c, s, s) for c, s in ((18, 8), (36, 4), (72, 2), (144, 1))]
    layer = head.final_layer
    assert torch.allclose(head(maps), F.conv2d(maps[0], layer.weight, layer.bias))
    assert sorted(head.state_dict()) == ['final_layer.bias', 'final_layer.weight']
    assert TopdownHeatmapHead(36, 17, in_index=1)(maps).shape == (2, 17, 4, 4)


def test_decodes_what_the_codec_encoded():
    head = TopdownHeatmapHead(3, 3, decoder=CODEC)
    head.final_layer.weight.data.copy_(torch.eye(3)[:, :, None, None])
    head.final_layer.bias.data.zero_()
    keypoints = np.array([[[20.3, 30.1], [40.2, 70.7], [8.5, 9.9]]], dtype=np.float32)
    codec = MSRAHeatmap(**{k: v for k, v in CODEC.items() if k != 'type'})
    heatmaps = torch.from_numpy(codec.encode(keypoints, np.ones((1, 3), dtype=np.float32))['heatmaps'])[None]
    (decoded,) = head.decode(head((heatmaps,)))
    assert np.abs(decoded.keypoints - keypoints).max() < 2


def test_loss_is_the_weighted_square_error():
    head = TopdownHeatmapHead(4, 3).train()
    feats, target, weights = (torch.randn(2, 4, 6, 5),), torch.rand(2, 3, 6, 5), torch.tensor([[1.0, 0, 1], [1, 1, 0]])
    data = [
        PoseDataSample(gt_fields=PixelData(heatmaps=t), gt_instance_labels=InstanceData(keypoint_weights=w[None]))
        for t, w in zip(target, weights)
    ]
    loss = head.loss(feats, data)['loss_kpt']
    expected = ((head(feats) - target) ** 2 * weights[:, :, None, None]).mean()
    assert torch.allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize(
    'head, neck, out_indices',
    [
        (dict(type='hrformer_mm.TopdownHeatmapHead'), None, (0, 1, 2, 3)),
        (dict(type='HeatmapHead', deconv_out_channels=None), None, (0,)),
        (
            dict(type='HeatmapHead', deconv_out_channels=None),
            dict(type='FeatureMapProcessor', select_index=0),
            (0, 1, 2, 3),
        ),
    ],
)
def test_ours_and_mmposes_head_work_in_mmposes_estimator(head, neck, out_indices):
    from mmpose.registry import MODELS

    model = MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            backbone=dict(type='hrformer_mm.HRFormer', arch='tiny', out_indices=out_indices),
            neck=neck,
            head=dict(in_channels=18, out_channels=17, decoder=CODEC, **head),
        )
    ).eval()
    assert model(torch.randn(2, 3, 96, 64), None, mode='tensor').shape == (2, 17, 24, 16)
