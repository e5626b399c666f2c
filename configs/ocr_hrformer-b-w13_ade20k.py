"""HRFormer-B + OCR on ADE20K, 150 classes, windows of 13x13.

Published (authors' model zoo): mIoU 48.7 single scale, 50.0 multi-scale (--tta).
56,278,182 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
The bias tables are resized from 7x7 windows.
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
    backbone=dict(drop_path_rate=0.2, window_sizes=13),
    decode_head=dict(num_classes=150),
)
