"""HRFormer-B with OCR and windows of 7x7, trained on Cityscapes.

The published mIoU on val is 81.4 for single-scale and 82.0 for multi-scale testing (authors' model zoo). The model has
56,032,512 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    './_base_/models/ocr_hrformer_cityscapes.py',
    './_base_/datasets/cityscapes_512x1024.py',
    './_base_/schedules/seg_80k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.4))
