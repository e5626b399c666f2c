"""HRFormer-B with UDP, trained on COCO keypoints at 384x288.

There is no published score: the paper expects a gain over its AP of 77.2. The model has 43,211,777 parameters. Training
starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/td-hm_hrformer.py',
    './_base_/datasets/coco-udp_384x288.py',
    './_base_/schedules/coco_210e.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.3), head=dict(decoder=_base_.codec), test_cfg=dict(shift_heatmap=False))
train_dataloader = dict(batch_size=16)  # on each of 8 GPUs, 128 in total as in the paper
