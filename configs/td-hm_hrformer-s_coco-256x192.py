"""HRFormer-S on COCO keypoints, 256x192.

Published (paper, table 3, and authors' model zoo): AP 74.0 on val.
7,746,779 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco_256x192.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(
        arch='small', drop_path_rate=0.1, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    head=dict(in_channels=32, decoder=_base_.codec),
)
