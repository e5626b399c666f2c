"""HRFormer-T + OCR on PASCAL-Context, 59 classes (paper, tables 7, 9 and 11).

6,310,874 parameters.
"""

_base_ = '../ocr_hrformer-s_pascal-context-59.py'
model = dict(
    backbone=dict(arch='tiny', drop_path_rate=0.0, init_cfg=None),  # only a browser can fetch ImageNet weights of T
    decode_head=dict(in_channels=[18, 36, 72, 144]),
)
