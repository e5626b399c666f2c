"""HRFormer-T trained on COCO keypoints at 256x192.

The published AP on val is 70.9 (paper, table 3). The window sizes of the four branches are 9, 7, 5 and 3. The model has
2,518,071 parameters. Training starts from random weights. The published score requires ImageNet weights, which must be
downloaded with a browser (hrformer-mm weights):
--cfg-options model.backbone.init_cfg._delete_=True model.backbone.init_cfg.type=Pretrained \\
    model.backbone.init_cfg.checkpoint=hrformer-t_imagenet
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco_256x192.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(
        arch='tiny', window_sizes=(9, 7, 5, 3), init_cfg=dict(_delete_=True, type='Normal', std=0.001, layer='Conv2d')
    ),  # the authors' initialization without a checkpoint
    head=dict(in_channels=18, decoder=_base_.codec),
)
