"""HRFormer-B on COCO keypoints, 256x192, with UDP.

No published score: the paper expects a gain over its AP of 75.6 without.
43,211,777 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco-udp_256x192.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.2), head=dict(decoder=_base_.codec), test_cfg=dict(shift_heatmap=False))
train_dataloader = dict(batch_size=16)  # on each of 8 GPUs: the paper's 128
