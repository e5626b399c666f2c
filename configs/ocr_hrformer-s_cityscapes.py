"""HRFormer-S with OCR and windows of 7x7, trained on Cityscapes.

The published mIoU on val is 80.0 for single-scale and 81.0 for multi-scale testing (authors' model zoo). The model has
13,523,856 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/ocr_hrformer_cityscapes.py',
    './_base_/datasets/cityscapes_512x1024.py',
    './_base_/schedules/seg_80k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(
        arch='small', drop_path_rate=0.2, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    decode_head=dict(in_channels=[32, 64, 128, 256]),
)
