"""HRFormer-T + OCR on CamVid, its FFNs without their depth-wise convolution (paper, table 7).

3,180,218 parameters.
"""

_base_ = './ocr_hrformer-t_camvid-180x240.py'
model = dict(backbone=dict(with_dwconv=False))
