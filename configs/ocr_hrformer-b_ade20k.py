"""HRFormer-B with OCR and windows of 7x7, trained on ADE20K (150 classes).

The published mIoU is 46.3 for single-scale and 47.6 for multi-scale testing with --tta (authors' model zoo). The model
has 56,166,918 parameters. Training starts from ImageNet weights. To start from random weights:
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
    data_preprocessor=dict(size=_base_.crop_size), backbone=dict(drop_path_rate=0.2), decode_head=dict(num_classes=150)
)
