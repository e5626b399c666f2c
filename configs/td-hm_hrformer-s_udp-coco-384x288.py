"""HRFormer-S with UDP, trained on COCO keypoints at 384x288.

There is no published score: the paper expects a gain over its AP of 75.6. The model has 7,746,779 parameters. Training
starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco-udp_384x288.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(
        arch='small', drop_path_rate=0.1, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    head=dict(in_channels=32, decoder=_base_.codec),
    test_cfg=dict(shift_heatmap=False),
)
