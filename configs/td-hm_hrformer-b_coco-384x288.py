"""HRFormer-B on COCO keypoints, 384x288.

Published (paper, table 3, and authors' model zoo): AP 77.2 on val (test-dev 76.2) with a batch of 128.
43,211,777 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco_384x288.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.3), head=dict(decoder=_base_.codec))
train_dataloader = dict(batch_size=16)  # on each of 8 GPUs: the paper's 128
