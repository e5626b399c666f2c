"""HRFormer-B trained on COCO-WholeBody (133 keypoints) at 256x192.

The paper has no whole-body model, so there is no published score. Only the data set and the number of keypoints differ
from the COCO config. The model has 43,220,941 parameters. Training starts from ImageNet weights. To start from random
weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco-wholebody_256x192.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.2), head=dict(out_channels=133, decoder=_base_.codec))
train_dataloader = dict(batch_size=16)  # on each of 8 GPUs
default_hooks = dict(checkpoint=dict(save_best='coco-wholebody/AP'))
