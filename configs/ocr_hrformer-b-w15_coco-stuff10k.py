"""HRFormer-B + OCR on COCO-Stuff 10k, 171 classes, windows of 15x15.

Published (paper, table 5, and authors' model zoo): mIoU 42.4 single scale, 43.3 multi-scale (--tta).
56,352,432 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
The bias tables are resized from 7x7 windows.
"""

_base_ = [
    './_base_/models/ocr_hrformer_ohem.py',
    './_base_/datasets/coco-stuff10k_520x520.py',
    './_base_/schedules/seg_60k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(drop_path_rate=0.2, window_sizes=15),
    # min_kept counts for each image; the authors keep 100,000 of the two on a GPU.
    decode_head=dict(num_classes=171, sampler=dict(min_kept=50000)),
)
