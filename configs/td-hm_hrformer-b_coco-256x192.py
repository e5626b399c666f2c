"""HRFormer-B on COCO keypoints, 256x192.

Published (paper, table 3, and authors' model zoo): AP 75.6 on val with a batch of 128.
43,211,777 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco_256x192.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.2), head=dict(decoder=_base_.codec))
train_dataloader = dict(batch_size=16)  # on each of 8 GPUs: the paper's 128
