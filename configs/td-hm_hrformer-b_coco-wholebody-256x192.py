"""HRFormer-B on COCO-WholeBody, 133 keypoints, 256x192.

Beyond the paper, no published score: the data base and the number of keypoints are all that differs from COCO's.
43,220,941 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
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
