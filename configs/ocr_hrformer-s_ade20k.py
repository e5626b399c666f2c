"""HRFormer-S with OCR and windows of 7x7, trained on ADE20K (150 classes).

The published mIoU is 44.0 for single-scale and 45.1 for multi-scale testing with --tta (authors' model zoo). The model
has 13,658,262 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/ocr_hrformer_ohem.py',
    './_base_/datasets/ade20k_520x520.py',
    './_base_/schedules/seg_150k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(
        arch='small', drop_path_rate=0.2, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    decode_head=dict(in_channels=[32, 64, 128, 256], num_classes=150),
)
