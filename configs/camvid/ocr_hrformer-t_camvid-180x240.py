"""HRFormer-T with OCR, trained from scratch on CamVid (11 classes) at half resolution, in minutes on two CPU cores.

The model has 3,273,530 parameters. See docs/train_your_data.md for the data.
"""

_base_ = [
    '../_base_/models/ocr_hrformer.py',
    '../_base_/datasets/camvid_180x240.py',
    '../_base_/schedules/camvid_900.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/hrformer_mm.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(arch='tiny', drop_path_rate=0.0, init_cfg=None),
    decode_head=dict(in_channels=[18, 36, 72, 144], channels=128, key_channels=64, num_classes=11),
)
