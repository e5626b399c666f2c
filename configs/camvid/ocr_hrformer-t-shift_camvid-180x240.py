"""HRFormer-T + OCR on CamVid, windows shifted as Swin's, no depth-wise convolution (paper, table 9).

3,180,218 parameters.
"""

_base_ = './ocr_hrformer-t_camvid-180x240.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
