"""HRFormer-B trained on COCO keypoints at 256x192.

The published AP on val is 75.6 with a batch size of 128 (paper, table 3, and authors' model zoo). The model has
43,211,777 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco_256x192.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.2), head=dict(decoder=_base_.codec))
train_dataloader = dict(batch_size=16)  # on each of 8 GPUs, 128 in total as in the paper
