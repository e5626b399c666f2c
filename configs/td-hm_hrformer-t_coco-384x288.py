"""HRFormer-T on COCO keypoints, 384x288.

Published (paper, table 3): AP 72.4 on val. Windows of 9, 7, 5 and 3.
2,518,071 parameters. Training starts from random weights. The authors start from ImageNet weights, and their scores
need them; only a browser can fetch them (hrformer-mm weights):
--cfg-options model.backbone.init_cfg._delete_=True model.backbone.init_cfg.type=Pretrained \\
    model.backbone.init_cfg.checkpoint=hrformer-t_imagenet
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco_384x288.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(
        arch='tiny', window_sizes=(9, 7, 5, 3), init_cfg=dict(_delete_=True, type='Normal', std=0.001, layer='Conv2d')
    ),  # the authors', without a checkpoint
    head=dict(in_channels=18, decoder=_base_.codec),
)
