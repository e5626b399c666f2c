"""HRFormer-T with OCR, shifted windows and no depth-wise convolutions, trained on PASCAL-Context (paper, table 9).

The model has 6,217,562 parameters.
"""

_base_ = './ocr_hrformer-t_pascal-context-59.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
