"""HRFormer-T + OCR on PASCAL-Context, windows shifted as Swin's, no depth-wise convolution (paper, table 9).

6,217,562 parameters.
"""

_base_ = './ocr_hrformer-t_pascal-context-59.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
