"""HRFormer-S with OCR and windows of 7x7, trained on PASCAL-Context (60 classes).

There is no published score: the authors report scores for 59 classes. The model has 13,565,922 parameters. Training
starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/ocr_hrformer.py',
    './_base_/datasets/pascal-context-60_520x520.py',
    './_base_/schedules/seg_60k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(
        arch='small', drop_path_rate=0.2, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    decode_head=dict(in_channels=[32, 64, 128, 256], num_classes=60),
)
