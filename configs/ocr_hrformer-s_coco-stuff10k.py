"""HRFormer-S with OCR and windows of 7x7, trained on COCO-Stuff 10k (171 classes).

The published mIoU is 37.9 for single-scale and 38.9 for multi-scale testing with --tta (paper, table 5, and authors'
model zoo). The model has 13,679,808 parameters. Training starts from ImageNet weights. To start from random weights:
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
    backbone=dict(
        arch='small', drop_path_rate=0.2, init_cfg=dict(checkpoint='hrformer_mm://hrformer-s_imagenet-backbone')
    ),
    # min_kept applies to each image; the authors keep 100,000 pixels of the two images on a GPU.
    decode_head=dict(in_channels=[32, 64, 128, 256], num_classes=171, sampler=dict(min_kept=50000)),
)
