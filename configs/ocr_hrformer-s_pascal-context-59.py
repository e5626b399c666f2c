"""HRFormer-S with OCR and windows of 7x7, trained on PASCAL-Context (59 classes).

The published mIoU is 53.8 for single-scale and 54.6 for multi-scale testing with --tta (paper, table 5, and authors'
model zoo). The model has 13,564,896 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/ocr_hrformer.py',
    './_base_/datasets/pascal-context-59_520x520.py',
    './_base_/schedules/seg_60k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(
        arch='small', drop_path_rate=0.2, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    decode_head=dict(in_channels=[32, 64, 128, 256], num_classes=59),
)
