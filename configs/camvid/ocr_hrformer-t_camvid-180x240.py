"""HRFormer-T + OCR on CamVid, 11 classes, at half the resolution, from scratch: minutes on two CPU cores.

3,273,530 parameters. docs/train_your_data.md says where the data comes from.
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
