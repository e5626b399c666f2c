"""HRFormer-T with OCR, trained on PASCAL-Context (59 classes; paper, tables 7, 9 and 11).

The model has 6,310,874 parameters.
"""

_base_ = '../ocr_hrformer-s_pascal-context-59.py'
model = dict(
    backbone=dict(arch='tiny', drop_path_rate=0.0, init_cfg=None),  # ImageNet weights of T need a browser
    decode_head=dict(in_channels=[18, 36, 72, 144]),
)
