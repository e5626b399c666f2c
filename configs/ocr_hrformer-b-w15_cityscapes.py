"""HRFormer-B + OCR on Cityscapes, windows of 15x15.

Published (authors' model zoo, trained on train, tested on val): mIoU 81.9 single scale, 82.6 multi-scale.
56,196,480 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
The bias tables are resized from 7x7 windows.
"""

_base_ = [
    './_base_/models/ocr_hrformer_cityscapes.py',
    './_base_/datasets/cityscapes_512x1024.py',
    './_base_/schedules/seg_80k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(backbone=dict(drop_path_rate=0.4, window_sizes=15))
