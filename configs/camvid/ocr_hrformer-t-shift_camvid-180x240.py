"""HRFormer-T with OCR, shifted windows and no depth-wise convolutions, trained on CamVid (paper, table 9).

The model has 3,180,218 parameters.
"""

_base_ = './ocr_hrformer-t_camvid-180x240.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
