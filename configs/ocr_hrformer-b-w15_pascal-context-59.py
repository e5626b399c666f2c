"""HRFormer-B with OCR and windows of 15x15, trained on PASCAL-Context (59 classes).

The published mIoU is 57.6 for single-scale and 58.5 for multi-scale testing with --tta (paper, table 5, and authors'
model zoo). The model has 56,237,520 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
The bias tables of the ImageNet weights are resized from windows of 7x7.
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
    backbone=dict(drop_path_rate=0.3, window_sizes=15),
    decode_head=dict(num_classes=59),
)
