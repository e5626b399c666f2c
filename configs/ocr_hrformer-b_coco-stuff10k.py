"""HRFormer-B with OCR and windows of 7x7, trained on COCO-Stuff 10k (171 classes).

The published mIoU is 41.6 for single-scale and 42.5 for multi-scale testing with --tta (paper, table 5, and authors'
model zoo). The model has 56,188,464 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
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
    backbone=dict(drop_path_rate=0.2),
    # min_kept applies to each image; the authors keep 100,000 pixels of the two images on a GPU.
    decode_head=dict(num_classes=171, sampler=dict(min_kept=50000)),
)
